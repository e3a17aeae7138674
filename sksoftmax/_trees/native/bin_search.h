// The search for the bin of a value: one body per ISA.
#pragma once

#include "../../_kernel/native/simd.h"
#include "bins.h"

namespace sksoftmax {
namespace {

// Features searched for a row before the next row: a cache line of X in C order, and few enough
// that their tables stay in L1.
template <class T>
constexpr int kTileFeatures = 64 / static_cast<int>(sizeof(T));

#if defined(__AVX512F__)

// Cuts below x among 16 neighbours.
template <class T>
SKSOFTMAX_INLINE int count_below(const T* cuts, T x) {
  if constexpr (sizeof(T) == 4) {
    return __builtin_popcount(
        _mm512_cmp_ps_mask((__m512)load<float>(cuts), (__m512)splat<float>(x), _CMP_LT_OQ));
  } else {
    const __m512d value = (__m512d)splat<double>(x);
    const unsigned low = _mm512_cmp_pd_mask((__m512d)load<double>(cuts), value, _CMP_LT_OQ);
    const unsigned high = _mm512_cmp_pd_mask((__m512d)load<double>(cuts + 8), value, _CMP_LT_OQ);
    return __builtin_popcount(low | high << 8);
  }
}

// Two steps of 16: the last cut of every 16, then the cuts of one sixteenth.
template <class T>
SKSOFTMAX_INLINE void find(const T* table, const T* x, int n, std::int32_t* positions) {
  for (int j = 0; j < n; ++j) {
    const T* cuts = table + j * kTableSize;
    const int first = kTableStep * count_below<T>(cuts + kTableCuts, x[j]);
    positions[j] = first + count_below<T>(cuts + first, x[j]);
  }
}

#else

// Halving without a branch, the features of a tile side by side.
template <class T>
SKSOFTMAX_INLINE void find(const T* table, const T* x, int n, std::int32_t* positions) {
  for (int j = 0; j < n; ++j) positions[j] = j * kTableSize;
  for (int step = kTableCuts / 2; step > 0; step /= 2)
    for (int j = 0; j < n; ++j) positions[j] += table[positions[j] + step - 1] < x[j] ? step : 0;
  for (int j = 0; j < n; ++j) positions[j] -= j * kTableSize;
}

#endif

// The position of a category; n_bins for NaN and for what is none.
template <class T>
std::uint8_t category_code(const double* categories, std::int64_t n, T x) {
  const double value = static_cast<double>(x);
  std::int64_t low = 0;
  for (std::int64_t high = n; low < high;) {
    const std::int64_t middle = (low + high) / 2;
    if (categories[middle] < value) low = middle + 1;
    else high = middle;
  }
  if (low < n && categories[low] == value) return static_cast<std::uint8_t>(low);
  return static_cast<std::uint8_t>(bins_of(n, true));
}

template <class T>
struct BinTile {
  const BinJob<T>& job;
  std::int32_t first;
  int n;

  SKSOFTMAX_INLINE void load_row(std::int64_t row, T* x) const {
    const T* from = job.X + row * job.row_stride + first * job.column_stride;
    for (int j = 0; j < n; ++j) x[j] = from[j * job.column_stride];
  }

  template <int width>
  SKSOFTMAX_INLINE void rows(std::int64_t begin, std::int64_t end, const int* missing) const {
    const T* table = job.table + std::int64_t{first} * kTableSize;
    for (std::int64_t row = begin; row < end; ++row) {
      T x[kTileFeatures<T>];
      std::int32_t positions[kTileFeatures<T>];
      const int count = width > 0 ? width : n;
      load_row(row, x);
      find<T>(table, x, count, positions);
      std::uint8_t* codes = job.codes + row * job.n_features + first;
      for (int j = 0; j < count; ++j)
        codes[j] = static_cast<std::uint8_t>(x[j] == x[j] ? positions[j] : missing[j]);
    }
  }

  void categories(std::int64_t begin, std::int64_t end, int j) const {
    const std::int32_t feature = first + j;
    const double* cuts = job.cuts + job.cut_ptr[feature];
    const std::int64_t n_cuts = job.cut_ptr[feature + 1] - job.cut_ptr[feature];
    for (std::int64_t row = begin; row < end; ++row)
      job.codes[row * job.n_features + feature] = category_code<T>(
          cuts, n_cuts, job.X[row * job.row_stride + feature * job.column_stride]);
  }

  void run(std::int64_t begin, std::int64_t end) const {
    int missing[kTileFeatures<T>];
    for (int j = 0; j < n; ++j)
      missing[j] = bins_of(job.cut_ptr[first + j + 1] - job.cut_ptr[first + j], false);
    if (n == kTileFeatures<T>) rows<kTileFeatures<T>>(begin, end, missing);
    else rows<0>(begin, end, missing);
    for (int j = 0; j < n; ++j)
      if (job.is_categorical[first + j]) categories(begin, end, j);
  }
};

constexpr std::int64_t kBinBlockRows = 32;  // their part of X stays in L1 or L2 over all tiles

// codes of the rows begin .. end - 1.
template <class T>
void bin_rows(const BinJob<T>& job, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; row += kBinBlockRows)
    for (std::int32_t f = 0; f < job.n_features; f += kTileFeatures<T>) {
      const std::int32_t rest = job.n_features - f;
      const BinTile<T> tile{job, f, rest < kTileFeatures<T> ? rest : kTileFeatures<T>};
      tile.run(row, row + kBinBlockRows < end ? row + kBinBlockRows : end);
    }
}

}  // namespace
}  // namespace sksoftmax
