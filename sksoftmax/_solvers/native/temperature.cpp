// One body of the temperature passes, in float64: float32 logits are widened row by row.
// Compiled once per ISA.

#include "temperature.h"

#include <new>

#include "../../_kernel/native/exp.h"
#include "../../_kernel/native/shapes.h"
#include "../../_kernel/native/simd.h"
#include "../../_kernel/native/transpose.h"

namespace sksoftmax {
namespace {

using V = Vec<double>;
using I = Simd<double>::I;
constexpr int kWidth = Simd<double>::width;
// Up to this many classes a lane per row is faster than lanes along the row (benchmarks/calibration).
constexpr std::int64_t kMostAcross = 12;

// What of the job a group of rows (one, or one per lane) needs.
struct Group {
  const double* logits;
  V factor, inverse_temperature, weight;
};

// Sums over the rows of a block, a lane each; lanes are added at the end.
struct Totals {
  V loss = {}, slope = {}, curvature = {}, slope_square = {};

  SKSOFTMAX_INLINE void add(V weight, V row_loss, V row_slope, V row_curvature) {
    const V score = weight * row_slope;
    loss += weight * row_loss;
    slope += score;
    curvature += weight * row_curvature;
    slope_square += score * score;
  }
  SKSOFTMAX_INLINE void add_to(double* sums) const {
    sums[0] += sum_lanes<double>(loss)[0];
    sums[1] += sum_lanes<double>(slope)[0];
    sums[2] += sum_lanes<double>(curvature)[0];
    sums[3] += sum_lanes<double>(slope_square)[0];
  }
};

// The mathematics of temperature.h for a group of rows in any shape.
template <class Shape, bool survey>
struct Tempered {
  Shape shape;
  Group group;
  V maximum_logit, target_u;

  // survey: m and t
  SKSOFTMAX_INLINE void shift() {
    V m[kStreams] = {splat(-kInfinity<double>), splat(-kInfinity<double>)};
    shape.sweep(
        [&, this](auto at, int stream) SKSOFTMAX_INLINE_LAMBDA {
          m[stream] = maximum<double>(m[stream], this->logits_at(at));
        },
        []() SKSOFTMAX_INLINE_LAMBDA {});
    maximum_logit = shape.rows_maximum(maximum<double>(m[0], m[1]));
    target_u = (shape.gather_logits(group.logits) - maximum_logit) * group.factor;
  }

  // 1. e = exp(b u), sums of e, e u and e u^2; the maximal terms of s are counted, not summed
  //    (survey: e = 1)
  // 2. loss = log1p(s - 1) - b t, slope = E u - t, curvature = E u^2 - (E u)^2
  SKSOFTMAX_INLINE void add_to(Totals& totals) {
    const V b = group.inverse_temperature;
    Sum<double> below_sum, u_sum, square_sum;
    Count<double> top;
    shape.sweep(
        [&, this](auto at, int stream) SKSOFTMAX_INLINE_LAMBDA {  // 1
          const V shifted = (this->logits_at(at) - maximum_logit) * group.factor;
          const I open = shifted != -kInfinity<double>;
          const V u = open ? shifted : V{};
          if constexpr (survey) {
            top.add_where(open, stream);
            u_sum.add(u, stream);
            square_sum.add(u * u, stream);
          } else {
            const V e = exp_nonpositive<double>(b * shifted);
            const V e_u = e * u;
            const I at_top = u == 0.0;
            below_sum.add_where(~at_top, e, stream);
            top.add_where(open & at_top, stream);
            u_sum.add(e_u, stream);
            square_sum.add(e_u * u, stream);
          }
        },
        [&]() SKSOFTMAX_INLINE_LAMBDA {
          below_sum.fold();
          u_sum.fold();
          square_sum.fold();
        });
    const V s_minus_1 = shape.rows_sum(shape.lanes_sum(below_sum)) +
                        (shape.rows_sum(top.value()) - 1.0);
    const V s = s_minus_1 + 1.0;
    const V mean = shape.rows_sum(shape.lanes_sum(u_sum)) / s;
    const V mean_square = shape.rows_sum(shape.lanes_sum(square_sum)) / s;
    if constexpr (survey) maximum_logit += mean - mean;  // NaN where the row holds one
    const V loss = log1p_nonnegative<double>(s_minus_1) - b * target_u;  // 2
    const V curvature = maximum<double>(mean_square - mean * mean, V{});
    const I counts = group.weight != 0.0;  // a row of weight 0 is no row, whatever it holds
    totals.add(group.weight, counts ? loss : V{}, counts ? mean - target_u : V{},
               counts ? curvature : V{});
  }

  template <class At>
  SKSOFTMAX_INLINE V logits_at(At at) const {
    return shape.template logits_at<false>(group.logits, at);
  }
};

// Owns uninitialised memory, aligned to cache lines (no STL container in an ISA unit).
struct Scratch {
  double* const data;
  explicit Scratch(std::int64_t size)
      : data(static_cast<double*>(::operator new(size * sizeof(double), kAlignment))) {}
  ~Scratch() { ::operator delete(data, kAlignment); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  static constexpr std::align_val_t kAlignment{64};
};

// The logits from entry `first` on in float64, in place where they are that already.
SKSOFTMAX_INLINE const double* wide_logits(const TemperatureJob& job, std::int64_t first,
                                           std::int64_t n, double* scratch) {
  if (job.logits64 != nullptr) return job.logits64 + first;
  for (std::int64_t i = 0; i < n; ++i) scratch[i] = job.logits32[first + i];
  return scratch;
}

SKSOFTMAX_INLINE Group group_of(const TemperatureJob& job) {
  return {nullptr, splat(job.factor), splat(job.inverse_temperature), splat(1.0)};
}

template <bool survey>
void rows_along_classes(const TemperatureJob& job, std::int64_t begin, std::int64_t end,
                        double* sums) {
  const std::int64_t K = job.n_classes;
  const Scratch wide(K);
  double tail[kWidth];
  Totals totals;
  Tempered<AlongClasses<double>, survey> rows;
  rows.group = group_of(job);
  rows.shape.n_classes = K;
  rows.shape.mask = nullptr;
  rows.shape.tail = tail;
  const V first_lane = first_lanes<double>(1) ? splat(1.0) : V{};
  for (std::int64_t row = begin; row < end; ++row) {
    rows.group.logits = wide_logits(job, row * K, K, wide.data);
    rows.group.weight = job.weight != nullptr ? first_lane * job.weight[row] : first_lane;
    if constexpr (survey) {
      rows.shape.target = job.target[row];
      rows.shift();
    } else {
      rows.maximum_logit = splat(job.row_maximum[row]);
      rows.target_u = splat(job.row_target[row]);
    }
    rows.add_to(totals);
    if constexpr (survey) {
      job.row_maximum[row] = rows.maximum_logit[0];
      job.row_target[row] = rows.target_u[0];
    }
  }
  totals.add_to(sums);
}

template <bool survey>
void rows_across_samples(const TemperatureJob& job, std::int64_t begin, std::int64_t end,
                         double* sums) {
  const std::int64_t K = job.n_classes;
  constexpr std::int64_t kPadded = (kMostAcross + kWidth - 1) / kWidth * kWidth;
  alignas(64) double tile[kPadded * kWidth] = {}, wide[kMostAcross * kWidth];
  alignas(64) std::int64_t targets[kWidth] = {};
  Totals totals;
  Tempered<FewClasses<double>, survey> rows;
  rows.group = group_of(job);
  rows.shape.n_classes = K;
  rows.shape.stride = kWidth;
  rows.group.logits = tile;
  for (std::int64_t row = begin; row < end; row += kWidth) {
    const int n = static_cast<int>(end - row < kWidth ? end - row : kWidth);
    const auto row_values = [&](const double* p, double fill) SKSOFTMAX_INLINE_LAMBDA {
      return n == kWidth ? load<double>(p + row) : load_partial<double>(p + row, n, fill);
    };
    transpose_in(wide_logits(job, row * K, n * K, wide), K, n, tile);
    rows.group.weight = first_lanes<double>(n) ? splat(1.0) : V{};
    if (job.weight != nullptr) rows.group.weight = row_values(job.weight, 0.0);
    if constexpr (survey) {
      std::memcpy(targets, job.target + row, n * sizeof(std::int64_t));
      rows.shape.load_targets(targets);
      rows.shift();
    } else {
      rows.maximum_logit = row_values(job.row_maximum, 0.0);
      rows.target_u = row_values(job.row_target, 0.0);
    }
    rows.add_to(totals);
    if constexpr (survey) {
      if (n == kWidth) {
        store<double>(job.row_maximum + row, rows.maximum_logit);
        store<double>(job.row_target + row, rows.target_u);
      } else {
        store_partial<double>(job.row_maximum + row, rows.maximum_logit, n);
        store_partial<double>(job.row_target + row, rows.target_u, n);
      }
    }
  }
  totals.add_to(sums);
}

template <bool survey>
void rows_of(const TemperatureJob& job, std::int64_t begin, std::int64_t end, double* sums) {
  if (job.n_classes <= kMostAcross) rows_across_samples<survey>(job, begin, end, sums);
  else rows_along_classes<survey>(job, begin, end, sums);
}

}  // namespace

extern const TemperatureKernel SKSOFTMAX_PASTE(temperature_, SKSOFTMAX_ISA) = {rows_of<true>,
                                                                               rows_of<false>};

}  // namespace sksoftmax
