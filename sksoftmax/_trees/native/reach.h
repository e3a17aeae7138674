// Which rows reach a node: one bit per row with AVX-512, one byte per row elsewhere.
#pragma once

#include "columns.h"
#include "forest.h"

namespace sksoftmax {
namespace {

constexpr int kReachRows = kVectorBytes;  // rows that share a mask: a vector of codes

SKSOFTMAX_INLINE Bytes load_codes(const std::uint8_t* column) {
  Bytes codes;
  std::memcpy(&codes, column, sizeof codes);
  return codes;
}

SKSOFTMAX_INLINE Bytes splat_word(std::uint32_t word) {
  typedef std::uint32_t Words __attribute__((vector_size(kVectorBytes)));
  return (Bytes)(word - Words{});
}

// Codes of a vector that are in a set of codes: all bits where they are.
inline Bytes in_bitset(const std::uint32_t* bitset, const std::uint8_t* column) {
  alignas(kVectorBytes) std::uint8_t inside[kVectorBytes];
  for (int i = 0; i < kVectorBytes; ++i) inside[i] = bit_is_set(bitset, column[i]) ? 255 : 0;
  return load_codes(inside);
}

#if defined(__AVX512BW__)

using Reach = std::uint64_t;
constexpr Reach kAllRows = ~Reach{0};

SKSOFTMAX_INLINE Reach goes_right(const Split& split, const std::uint8_t* column) {
  const Bytes code = load_codes(column) - splat_word(split.lowest);
  return _mm512_cmplt_epu8_mask((__m512i)code, (__m512i)splat_word(split.span));
}
SKSOFTMAX_INLINE Reach goes_left(const std::uint32_t* bitset, const std::uint8_t* column) {
  return _mm512_movepi8_mask((__m512i)in_bitset(bitset, column));
}
SKSOFTMAX_INLINE Bytes assign(Bytes old, Reach reach, std::uint32_t word) {
  return (Bytes)_mm512_mask_mov_epi8((__m512i)old, reach, (__m512i)splat_word(word));
}

#else

using Reach = Bytes;
const Reach kAllRows = ~Reach{};

SKSOFTMAX_INLINE Reach goes_right(const Split& split, const std::uint8_t* column) {
  return (Reach)(load_codes(column) - splat_word(split.lowest) < splat_word(split.span));
}
SKSOFTMAX_INLINE Reach goes_left(const std::uint32_t* bitset, const std::uint8_t* column) {
  return in_bitset(bitset, column);
}
SKSOFTMAX_INLINE Bytes assign(Bytes old, Reach reach, std::uint32_t word) {
  return old | (reach & splat_word(word));
}

#endif

// reach[node] of every node, from the transposed codes of kReachRows rows.
inline void spread(const Tree& tree, const std::uint8_t* columns, Reach* reach) {
  reach[0] = kAllRows;
  for (std::int32_t s = 0; s < tree.n_splits; ++s) {
    const Split& split = tree.splits[s];
    const std::uint8_t* column = columns + std::int64_t{split.column} * kGroupRows;
    const Reach here = reach[split.node];
    const Reach right = split.bitset != nullptr ? here & ~goes_left(split.bitset, column)
                                                : here & goes_right(split, column);
    reach[split.left] = here & ~right;
    reach[split.left + 1] = right;
  }
}

// Leaf numbers of kReachRows rows.
inline void collect(const Tree& tree, const Reach* reach, std::int32_t* numbers) {
  Bytes low = {}, high = {};
  for (std::int32_t l = 0; l < tree.n_leaves; ++l) {
    const Leaf& leaf = tree.leaves[l];
    low = assign(low, reach[leaf.node], (leaf.number & 255) * 0x01010101u);
    if (leaf.number > 255) high = assign(high, reach[leaf.node], (leaf.number >> 8) * 0x01010101u);
  }
  alignas(kVectorBytes) std::uint8_t byte[2][kVectorBytes];
  std::memcpy(byte[0], &low, sizeof low);
  std::memcpy(byte[1], &high, sizeof high);
  for (int i = 0; i < kReachRows; ++i) numbers[i] = byte[0][i] | byte[1][i] << 8;
}

}  // namespace
}  // namespace sksoftmax
