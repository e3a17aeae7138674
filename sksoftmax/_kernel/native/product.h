// Small matrix products in registers: lanes along the columns of X (or along samples), a few
// outputs at a time. The two products of a pass and the products of curvature are all of the form
//
//   C[c, lanes] = sum over t of A[t, c] B[t, lanes]
#pragma once

#include "transpose.h"

namespace sksoftmax {
namespace {

constexpr int kVectorsPerTile = 3;
// Accumulators, one row of B and one entry of A must fit in the registers of the ISA.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kOutputsPerTile = 8;
#else
constexpr int kOutputsPerTile = 4;
#endif

// Steps between entries of A and rows of B and C.
struct Strides {
  std::int64_t a_depth, a_output, b_depth, c_output;
};

template <class T, int outputs, int vectors>
SKSOFTMAX_INLINE void tile_product(std::int64_t depth, const T* a, const T* b, T* c,
                                   const Strides& strides) {
  constexpr int width = Simd<T>::width;
  Vec<T> sum[outputs][vectors] = {};
  for (std::int64_t t = 0; t < depth; ++t) {
    Vec<T> row[vectors];
#pragma GCC unroll 3
    for (int v = 0; v < vectors; ++v) row[v] = load<T>(b + t * strides.b_depth + v * width);
#pragma GCC unroll 8
    for (int o = 0; o < outputs; ++o) {
      const T scale = a[t * strides.a_depth + o * strides.a_output];
#pragma GCC unroll 3
      for (int v = 0; v < vectors; ++v) sum[o][v] += scale * row[v];
    }
  }
#pragma GCC unroll 8
  for (int o = 0; o < outputs; ++o)
#pragma GCC unroll 3
    for (int v = 0; v < vectors; ++v) store<T>(c + o * strides.c_output + v * width, sum[o][v]);
}

template <class T, int outputs>
inline __attribute__((noinline)) void tile_columns(int vectors, std::int64_t depth, const T* a,
                                                   const T* b, T* c, const Strides& strides) {
  if (vectors == 3) tile_product<T, outputs, 3>(depth, a, b, c, strides);
  else if (vectors == 2) tile_product<T, outputs, 2>(depth, a, b, c, strides);
  else tile_product<T, outputs, 1>(depth, a, b, c, strides);
}

template <class T>
inline void tile(int outputs, int vectors, std::int64_t depth, const T* a, const T* b, T* c,
                 const Strides& strides) {
  switch (outputs) {
    case 1: return tile_columns<T, 1>(vectors, depth, a, b, c, strides);
    case 2: return tile_columns<T, 2>(vectors, depth, a, b, c, strides);
    case 3: return tile_columns<T, 3>(vectors, depth, a, b, c, strides);
    case 4: return tile_columns<T, 4>(vectors, depth, a, b, c, strides);
#if defined(__AVX512F__) || defined(__aarch64__)
    case 5: return tile_columns<T, 5>(vectors, depth, a, b, c, strides);
    case 6: return tile_columns<T, 6>(vectors, depth, a, b, c, strides);
    case 7: return tile_columns<T, 7>(vectors, depth, a, b, c, strides);
    case 8: return tile_columns<T, 8>(vectors, depth, a, b, c, strides);
#endif
  }
}

// n items in ceil(n / most) groups of nearly equal size: f(first, size).
template <class F>
SKSOFTMAX_INLINE void balanced_groups(std::int64_t n, int most, F f) {
  std::int64_t groups = (n + most - 1) / most;
  for (std::int64_t first = 0; first < n; --groups) {
    const int size = static_cast<int>((n - first + groups - 1) / groups);
    f(first, size);
    first += size;
  }
}

// C (n_outputs, n_vectors * width) = A' B with A (depth, n_outputs), B (depth, n_vectors *
// width); rows of B and C are padded to whole vectors. upper: only what touches the upper triangle.
template <class T>
inline void product(std::int64_t n_outputs, std::int64_t n_vectors, std::int64_t depth, const T* a,
                    const T* b, T* c, const Strides& strides, bool upper = false) {
  constexpr int width = Simd<T>::width;
  balanced_groups(n_vectors, kVectorsPerTile, [&](std::int64_t v, int vectors) {
    balanced_groups(n_outputs, kOutputsPerTile, [&](std::int64_t o, int outputs) {
      if (upper && (v + vectors) * width <= o) return;
      tile<T>(outputs, vectors, depth, a + o * strides.a_output, b + v * width,
              c + o * strides.c_output + v * width, strides);
    });
  });
}

}  // namespace
}  // namespace sksoftmax
