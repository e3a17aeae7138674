// Transposes codes, 64 features of 16 rows at a time: a split then reads its feature of many rows
// at once.
#pragma once

#include "../../_kernel/native/simd.h"

namespace sksoftmax {
namespace {

typedef std::uint8_t Bytes __attribute__((vector_size(kVectorBytes)));

// Interleaves the low or high halves of every 16 bytes of a and b.
template <int half, int... byte>
SKSOFTMAX_INLINE Bytes interleave(Bytes a, Bytes b, std::integer_sequence<int, byte...>) {
  return __builtin_shufflevector(
      a, b, (byte / 16 * 16 + half * 8 + byte % 16 / 2 + byte % 2 * kVectorBytes)...);
}

// 16 rows of bytes become columns: byte i of lane g of rows[j] is what was byte j of lane g of
// rows[i]. Four rounds of the perfect shuffle.
SKSOFTMAX_INLINE void transpose_lanes(Bytes* rows) {
  constexpr auto bytes = std::make_integer_sequence<int, kVectorBytes>{};
  Bytes other[16];
#pragma GCC unroll 2
  for (int twice = 0; twice < 2; ++twice) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      other[2 * i] = interleave<0>(rows[i], rows[i + 8], bytes);
      other[2 * i + 1] = interleave<1>(rows[i], rows[i + 8], bytes);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      rows[2 * i] = interleave<0>(other[i], other[i + 8], bytes);
      rows[2 * i + 1] = interleave<1>(other[i], other[i + 8], bytes);
    }
  }
}

// columns[j * stride + i] = from[i][j], 16 rows and 64 features.
inline void transpose_sixteen(const std::uint8_t* const* from, std::uint8_t* columns,
                              std::int64_t stride) {
  for (int part = 0; part < 64; part += kVectorBytes) {
    Bytes rows[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) std::memcpy(&rows[i], from[i] + part, sizeof(Bytes));
    transpose_lanes(rows);
#pragma GCC unroll 16
    for (int j = 0; j < 16; ++j)
      for (int lane = 0; lane < kVectorBytes; lane += 16)
        std::memcpy(columns + (part + lane + j) * stride,
                    reinterpret_cast<const char*>(&rows[j]) + lane, 16);
  }
}

}  // namespace
}  // namespace sksoftmax
