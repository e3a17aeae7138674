// The contract between the grower and its bodies (histogram.cpp, compiled once per ISA).
//
//   slot        lanes accumulators, int32 or int64 (Records::wide): the sum of some records
//   histogram   the slots of all features, one after the other: n_bins[f] + 1 slots for feature f
//   scan        over the prefix sums of a feature's slots in some order, each of which is the left
//               child of a candidate split:
//
//     score = |G_L|^2 / max(D_L + l2, 1) + |G_R|^2 / max(D_R + l2, 1),     R = total - L
//
// G the columns, D the curvature (or the weight where there is none), all in integer units; sums
// are exact, scores are float32 (float64 for wide slots). The maximum only matters where D is 0.
#pragma once

#include "tree.h"

namespace sksoftmax {

constexpr int kMostBinsInTile = 256 + 16;  // prefix sums of a feature, in whole vectors

// The node whose slots are scanned.
struct ScanJob {
  const std::int64_t* total = nullptr;  // its sums, one per lane
  std::int64_t min_weight = 1;          // of both children, in units of the weight lane
  double l2 = 0;                        // in units of D
  int lanes = 0;
  int n_columns = 0;
  bool has_curvature = false;
};

// The best place to cut an order of slots: those up to position go left.
struct Cut {
  double score = -1;  // below 0: no cut leaves min_weight on both sides
  int position = -1;  // the lowest among equals
};

constexpr int kCodes = 256;
constexpr int kMostFeaturesAtOnce = 8;

// Memory that will be written when the rows are added: asked for meanwhile, line by line.
struct Soon {
  const std::uint8_t *one = nullptr, *other = nullptr;
  std::int64_t bytes = 0;
};

// For one type of accumulator and one number of lanes.
struct HistogramBody {
  // Adds the records of rows to the slots of features first .. first + count - 1, count <= 8. Those
  // of feature first + k are kCodes slots from k * kCodes: any code stays within its feature.
  void (*add_rows)(const Bins& bins, const Records& records, const std::int32_t* rows,
                   std::int64_t n_rows, int first, int count, void* slots,
                   const Soon& soon);
  // The slots of one child and of its parent, n accumulators each: child = sum (if it is not null),
  // other -= sum.
  void (*share)(const void* sum, void* child, void* other, std::int64_t n);
  // The best cut of slots[order[0]], ..., slots[order[n - 1]] (without an order, of slots[0], ...,
  // slots[n - 1]), each prefix with the slot `start` added where there is one. Only a score above
  // `floor` counts. The tile has room for kMostBinsInTile slots.
  Cut (*scan)(const ScanJob& job, const void* slots, const std::uint8_t* order, int n,
              const void* start, double floor, void* tile);
  // sums (2 * lanes) = the sums of the rows' records, then those of their absolute values. false:
  // some weight or curvature is negative.
  bool (*sum_rows)(const Records& records, const std::int32_t* rows, std::int64_t n_rows,
                   std::int64_t* sums);
};

// Lanes 4, 8, 16 and any multiple of 16; int32 and int64 accumulators.
struct Histograms {
  HistogramBody narrow[4], wide[4];
  const HistogramBody& body(int lanes, bool is_wide) const {
    const int i = lanes == 4 ? 0 : lanes == 8 ? 1 : lanes == 16 ? 2 : 3;
    return is_wide ? wide[i] : narrow[i];
  }
};

extern const Histograms histogram_baseline, histogram_avx2, histogram_avx512;

}  // namespace sksoftmax
