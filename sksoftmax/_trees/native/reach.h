// Which rows reach a node: one bit per row with AVX-512, one byte per row elsewhere.
#pragma once

#include "columns.h"
#include "forest.h"

namespace sksoftmax {
namespace {

constexpr int kVectors = 2;  // of codes, that go through a tree together
constexpr int kReachRows = kVectors * kVectorBytes;

SKSOFTMAX_INLINE Bytes load_codes(const std::uint8_t* column) {
  Bytes codes;
  std::memcpy(&codes, column, sizeof codes);
  return codes;
}

SKSOFTMAX_INLINE Bytes splat_word(std::uint32_t word) {
  typedef std::uint32_t Words __attribute__((vector_size(kVectorBytes)));
  return (Bytes)(word - Words{});
}

#if defined(__AVX2__)

// The half (16 bytes) of a bitset that serves 128 codes, in every 16 bytes of a vector.
SKSOFTMAX_INLINE Bytes splat_half(const std::uint32_t* half) {
  const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(half));
#if defined(__AVX512BW__)
  return (Bytes)_mm512_broadcast_i32x4(words);
#else
  return (Bytes)_mm256_broadcastsi128_si256(words);
#endif
}

// Looks up table[index mod 16] in every 16 bytes; indices are below 128.
SKSOFTMAX_INLINE Bytes look_up(Bytes table, Bytes index) {
#if defined(__AVX512BW__)
  return (Bytes)_mm512_shuffle_epi8((__m512i)table, (__m512i)index);
#else
  return (Bytes)_mm256_shuffle_epi8((__m256i)table, (__m256i)index);
#endif
}

// All bits where a code is in the set: bit code mod 8 of byte code / 8.
SKSOFTMAX_INLINE Bytes in_bitset(const std::uint32_t* bitset, const std::uint8_t* column) {
  alignas(16) static constexpr std::uint32_t kPowers[] = {0x08040201, 0x80402010, 0, 0};
  const Bytes codes = load_codes(column), index = codes >> 3;
  const Bytes byte = codes < 128 ? look_up(splat_half(bitset), index)
                                 : look_up(splat_half(bitset + kBitsetWords / 2), index);
  return (Bytes)((byte & look_up(splat_half(kPowers), codes & 7)) != 0);
}

#else

inline Bytes in_bitset(const std::uint32_t* bitset, const std::uint8_t* column) {
  alignas(kVectorBytes) std::uint8_t inside[kVectorBytes];
  for (int i = 0; i < kVectorBytes; ++i) inside[i] = bit_is_set(bitset, column[i]) ? 255 : 0;
  return load_codes(inside);
}

#endif

#if defined(__AVX512BW__)

using Reach = std::uint64_t;
constexpr Reach kAllRows = ~Reach{0};

SKSOFTMAX_INLINE Reach below(Bytes a, Bytes b) {
  return _mm512_cmplt_epu8_mask((__m512i)a, (__m512i)b);
}
SKSOFTMAX_INLINE Reach is_set(Bytes a) { return _mm512_movepi8_mask((__m512i)a); }
SKSOFTMAX_INLINE Bytes add_where(Reach reach, Bytes a, Bytes b) {
  return (Bytes)_mm512_mask_add_epi8((__m512i)a, reach, (__m512i)a, (__m512i)b);
}

#else

using Reach = Bytes;
const Reach kAllRows = ~Reach{};

SKSOFTMAX_INLINE Reach below(Bytes a, Bytes b) { return (Reach)(a < b); }
SKSOFTMAX_INLINE Reach is_set(Bytes a) { return a; }
SKSOFTMAX_INLINE Bytes add_where(Reach reach, Bytes a, Bytes b) {
  return a + (b & reach);
}

#endif

// Of the rows that are here, those that go right.
template <bool has_categories>
SKSOFTMAX_INLINE Reach goes_right(const Tree& tree, const Split& split, Reach here,
                                  const std::uint8_t* column) {
  if (has_categories && split.bitset >= 0) {
    const std::uint32_t* bitset = tree.bitsets + std::int64_t{split.bitset} * kBitsetWords;
    return here & ~is_set(in_bitset(bitset, column));
  }
  return here & below(load_codes(column) - splat_word(split.lowest), splat_word(split.span));
}

// The leaves of kReachRows rows, counted from the left, from their transposed codes. reach: room
// for a mask per split and one more.
template <bool has_categories>
__attribute__((noinline)) void leaf_places(const Tree& tree, const std::uint8_t* columns,
                                           Reach* reach, Bytes* places_out) {
  Bytes places[kVectors] = {};
  for (int v = 0; v < kVectors; ++v) reach[v] = kAllRows;
  const Split* end = tree.splits + tree.n_splits;
  Reach* here = reach;
  for (const Split* split = tree.splits; split < end; ++split, here += kVectors) {
    Reach* left = reach + std::int64_t{split->left} * kVectors;
    Reach* right = reach + std::int64_t{split->right} * kVectors;
    const Bytes passed = splat_word(split->passed);
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      const Reach turn = goes_right<has_categories>(tree, *split, here[v],
                                                    columns + split->column + v * kVectorBytes);
      left[v] = here[v] & ~turn;
      right[v] = turn;
      places[v] = add_where(turn, places[v], passed);
    }
  }
  for (int v = 0; v < kVectors; ++v) places_out[v] = places[v];
}

inline void leaf_numbers(const Tree& tree, const std::uint8_t* columns, Reach* reach,
                         std::int32_t* numbers) {
  alignas(kVectorBytes) std::uint8_t places[kReachRows];
  (tree.has_categories ? leaf_places<true> : leaf_places<false>)(
      tree, columns, reach, reinterpret_cast<Bytes*>(places));
  for (int i = 0; i < kReachRows; ++i) numbers[i] = tree.numbers[places[i]];
}

}  // namespace
}  // namespace sksoftmax
