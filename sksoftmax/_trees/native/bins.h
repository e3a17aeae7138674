// From values to bins: what the door, the cuts and the bodies of the search agree on.
//
//   cuts      of a numerical feature: ascending; code = number of cuts < value
//             of a categorical one: its categories, ascending; code = the position of the value
//   missing   NaN, and for a categorical feature every value that is no category: code n_bins
#pragma once

#include <cstdint>

#include "tree.h"

namespace sksoftmax {

// Cuts laid out for the search: 256 per feature, padded with +inf (no value lies above), and once
// more the last one of every 16.
constexpr int kTableCuts = 256, kTableStep = 16;
constexpr int kTableSize = kTableCuts + kTableCuts / kTableStep;

template <class T>
struct BinJob {
  const T* X = nullptr;
  std::int64_t row_stride = 0, column_stride = 0;  // in entries, of any sign
  std::int32_t n_features = 0;
  const T* table = nullptr;                        // numerical features: the cuts, as T
  const double* cuts = nullptr;                    // of all features, one after the other
  const std::int64_t* cut_ptr = nullptr;
  const std::uint8_t* is_categorical = nullptr;
  std::uint8_t* codes = nullptr;                   // (n_rows, n_features)
};

// Bins of a feature: at least one, though nothing may fall into it.
inline int bins_of(std::int64_t n_cuts, bool is_categorical) {
  if (is_categorical) return n_cuts > 0 ? static_cast<int>(n_cuts) : 1;
  return static_cast<int>(n_cuts) + 1;
}

// Cuts (at most most_bins - 1 of them) of values sorted in ascending order, NaN last. weight: of
// each value, integers whose sum is below 2^53, or null: each value once. Returns their number.
template <class T>
int find_cuts(const T* values, const std::int64_t* weight, std::int64_t n, int most_bins,
              double* cuts);

}  // namespace sksoftmax
