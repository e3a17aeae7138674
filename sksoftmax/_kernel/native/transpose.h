// Transposes in registers: between rows in memory and one lane per row.
#pragma once

#include <type_traits>

#include "simd.h"

namespace sksoftmax {
namespace {

// Eklundh's transpose of width x width entries in registers: swap off-diagonal halves, log2 times.
template <class T, int half, int... lane>
SKSOFTMAX_INLINE void swap_blocks(Vec<T>& low, Vec<T>& high, std::integer_sequence<int, lane...>) {
  constexpr int width = Simd<T>::width;
  const Vec<T> a = low, b = high;
  low = __builtin_shufflevector(a, b, ((lane & half) ? width + lane - half : lane)...);
  high = __builtin_shufflevector(a, b, ((lane & half) ? width + lane : lane + half)...);
}

template <class T, int half>
SKSOFTMAX_INLINE void transpose_step(Vec<T>* rows) {
  constexpr int width = Simd<T>::width;
  if constexpr (half > 0) {
#pragma GCC unroll 16
    for (int i = 0; i < width; ++i)
      if ((i & half) == 0)
        swap_blocks<T, half>(rows[i], rows[i + half], std::make_integer_sequence<int, width>{});
    transpose_step<T, half / 2>(rows);
  }
}

// to[j * to_stride + i] = from[i * from_stride + j] for width rows and n columns, a multiple of
// width.
template <class T>
inline void transpose(const T* from, std::int64_t from_stride, std::int64_t n, T* to,
                      std::int64_t to_stride) {
  constexpr int width = Simd<T>::width;
  for (std::int64_t j = 0; j < n; j += width) {
    Vec<T> rows[width];
#pragma GCC unroll 16
    for (int i = 0; i < width; ++i) rows[i] = load<T>(from + i * from_stride + j);
    transpose_step<T, width / 2>(rows);
#pragma GCC unroll 16
    for (int i = 0; i < width; ++i) store<T>(to + (j + i) * to_stride, rows[i]);
  }
}

// A block of at most width x width entries: `all` rows are there (else n_rows of them), and each has
// `whole` vectors to read (else count entries). Constants, because the blocks that are neither
// are rare.
template <class T, bool all, bool whole>
SKSOFTMAX_INLINE void block_in(const T* rows, std::int64_t n, int n_rows, int count, T* tile) {
  constexpr int width = Simd<T>::width;
  Vec<T> v[width];
#pragma GCC unroll 16
  for (int r = 0; r < width; ++r) {
    if (!all && r >= n_rows) v[r] = Vec<T>{};
    else if constexpr (whole) v[r] = load<T>(rows + r * n);
    else v[r] = load_partial<T>(rows + r * n, count, T(0));
  }
  transpose_step<T, width / 2>(v);
#pragma GCC unroll 16
  for (int j = 0; j < width; ++j) store<T>(tile + j * width, v[j]);
}

template <class T, bool all, bool whole>
SKSOFTMAX_INLINE void block_out(const T* tile, std::int64_t n, int n_rows, int count, T* rows) {
  constexpr int width = Simd<T>::width;
  Vec<T> v[width];
#pragma GCC unroll 16
  for (int j = 0; j < width; ++j) v[j] = load<T>(tile + j * width);
  transpose_step<T, width / 2>(v);
#pragma GCC unroll 16
  for (int r = 0; r < width; ++r) {
    if (!all && r >= n_rows) continue;
    if constexpr (whole) store<T>(rows + r * n, v[r]);
    else store_partial<T>(rows + r * n, v[r], count);
  }
}

// f(k, count, all, whole) for the blocks of n columns; the last two are constants.
template <class T, class F>
SKSOFTMAX_INLINE void for_each_block_of(std::int64_t n, int n_rows, F f) {
  constexpr int width = Simd<T>::width;
  std::int64_t k = 0;
  const bool all = n_rows == width;
  for (; k + width <= n; k += width)
    all ? f(k, width, std::true_type{}, std::true_type{})
        : f(k, width, std::false_type{}, std::true_type{});
  const int count = static_cast<int>(n - k);
  if (count > 0)
    all ? f(k, count, std::true_type{}, std::false_type{})
        : f(k, count, std::false_type{}, std::false_type{});
}

// Where lane `lane` of (a0 a2 b0 b2), piece by piece, comes from; its neighbour gives (a1 a3 b1 b3).
template <int width>
constexpr int even_lane(int lane) {
  return (lane & ~3) + 2 * (lane & 1) + ((lane & 2) ? width : 0);
}

// Each piece of 16 bytes of kPiece vectors, transposed: entry j of vector i becomes entry i of
// vector j, by shuffles that do not leave the pieces.
template <class T, int... lane>
SKSOFTMAX_INLINE void transpose_pieces(Vec<T>* v, std::integer_sequence<int, lane...> lanes) {
  if constexpr (kPiece<T> == 2) {
    swap_blocks<T, 1>(v[0], v[1], lanes);
  } else {
    constexpr int width = Simd<T>::width;
    Vec<T> halves[4];  // (a0 a1 b0 b1), (a2 a3 b2 b3), (c0 c1 d0 d1), (c2 c3 d2 d3)
#pragma GCC unroll 2
    for (int i = 0; i < 4; i += 2) {
      const Vec<T> a = v[i], b = v[i + 1];
      halves[i] = __builtin_shufflevector(a, b, ((lane & 2) ? width + lane - 2 : lane)...);
      halves[i + 1] = __builtin_shufflevector(a, b, ((lane & 2) ? width + lane : lane + 2)...);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      const Vec<T> a = halves[i], b = halves[i + 2];
      v[2 * i] = __builtin_shufflevector(a, b, even_lane<width>(lane)...);
      v[2 * i + 1] = __builtin_shufflevector(a, b, (even_lane<width>(lane) + 1)...);
    }
  }
}

// f(k) for pieces of columns k..k+kPiece that cover n columns; the last one may overlap.
template <class T, class F>
SKSOFTMAX_INLINE void for_each_piece_of(std::int64_t k, std::int64_t n, F f) {
  for (; k + kPiece<T> <= n; k += kPiece<T>) f(k);
  if (k < n) f(n - kPiece<T>);
}

// Whole tiles of at least kPiece columns, piece by piece: row kPiece i + j lies in piece i of vector
// j, so that the lanes come out in order, and no lane is spent on columns that are not there.
template <class T>
SKSOFTMAX_INLINE void pieces_in(const T* rows, std::int64_t n, T* tile) {
  constexpr int width = Simd<T>::width;
  for_each_piece_of<T>(0, n, [=](std::int64_t k) SKSOFTMAX_INLINE_LAMBDA {
    Vec<T> v[kPiece<T>];
#pragma GCC unroll 4
    for (int j = 0; j < kPiece<T>; ++j) v[j] = load_pieces<T>(rows + k + j * n, kPiece<T> * n);
    transpose_pieces<T>(v, std::make_integer_sequence<int, width>{});
#pragma GCC unroll 4
    for (int j = 0; j < kPiece<T>; ++j) store<T>(tile + (k + j) * width, v[j]);
  });
}

template <class T>
SKSOFTMAX_INLINE void pieces_out(const T* tile, std::int64_t n, T* rows) {
  constexpr int width = Simd<T>::width;
  std::int64_t begin = 0;
  // Eight columns of float64 fill a store of 64 bytes, which is cheaper than four of 16.
  if constexpr (width == 8 && sizeof(T) == 8)
    for (; begin + width <= n; begin += width)
      block_out<T, true, true>(tile + begin * width, n, width, width, rows + begin);
  for_each_piece_of<T>(begin, n, [=](std::int64_t k) SKSOFTMAX_INLINE_LAMBDA {
    Vec<T> v[kPiece<T>];
#pragma GCC unroll 4
    for (int j = 0; j < kPiece<T>; ++j) v[j] = load<T>(tile + (k + j) * width);
    transpose_pieces<T>(v, std::make_integer_sequence<int, width>{});
#pragma GCC unroll 4
    for (int j = 0; j < kPiece<T>; ++j) store_pieces<T>(rows + k + j * n, v[j], kPiece<T> * n);
  });
}

// tile[k * width + r] = rows[r * n + k] for n_rows <= width rows of n entries; lanes of missing rows
// become 0. The tile has room for n rounded up to whole vectors.
template <class T>
SKSOFTMAX_INLINE void transpose_in(const T* rows, std::int64_t n, int n_rows, T* tile) {
  if (n_rows == Simd<T>::width && n >= kPiece<T>) return pieces_in(rows, n, tile);
  for_each_block_of<T>(n, n_rows, [&](std::int64_t k, int count, auto all, auto whole) {
    block_in<T, all.value, whole.value>(rows + k, n, n_rows, count, tile + k * Simd<T>::width);
  });
}

// rows[r * n + k] = tile[k * width + r].
template <class T>
SKSOFTMAX_INLINE void transpose_out(const T* tile, std::int64_t n, int n_rows, T* rows) {
  if (n_rows == Simd<T>::width && n >= kPiece<T>) return pieces_out(tile, n, rows);
  for_each_block_of<T>(n, n_rows, [&](std::int64_t k, int count, auto all, auto whole) {
    block_out<T, all.value, whole.value>(tile + k * Simd<T>::width, n, n_rows, count, rows + k);
  });
}

}  // namespace
}  // namespace sksoftmax
