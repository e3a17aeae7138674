// One body of what growing a tree spends its time on: rows into slots, slots into splits.
// Compiled once per ISA.

#include "histogram.h"

#include <type_traits>

#include "../../_kernel/native/simd.h"

namespace sksoftmax {
namespace {

// Lanes that are added at once: all of 4, 8 or 16, else 16 at a time.
template <int fixed>
constexpr int kPart = fixed == 0 ? 16 : fixed;

template <class Acc, int n>
struct Part {
  typedef Acc V __attribute__((vector_size(n * sizeof(Acc))));
  typedef std::int32_t Q __attribute__((vector_size(n * sizeof(std::int32_t))));
};

// --- rows into slots -----------------------------------------------------------------------------

constexpr std::int64_t kRowsAhead = 16;  // a row's codes and record are asked for this early

template <class Acc, int fixed, int count>
void add_rows_of(const Bins& bins, const Records& records, const std::int32_t* rows,
                 std::int64_t n_rows, int first, void* const* slots) {
  using V = typename Part<Acc, kPart<fixed>>::V;
  using Q = typename Part<Acc, kPart<fixed>>::Q;
  const int lanes = fixed == 0 ? records.lanes : fixed;
  const std::int64_t stride = bins.n_features;
  const std::uint8_t* codes = bins.codes + first;
  Acc* base[count];
  for (int k = 0; k < count; ++k) base[k] = static_cast<Acc*>(slots[k]);
  const auto add = [&](std::int64_t row) SKSOFTMAX_INLINE_LAMBDA {
    const std::uint8_t* code = codes + row * stride;
    for (int lane = 0; lane < lanes; lane += kPart<fixed>) {
      Q q;
      std::memcpy(&q, records.data + row * lanes + lane, sizeof q);
      const V record = __builtin_convertvector(q, V);
#pragma GCC unroll 8
      for (int k = 0; k < count; ++k) {
        Acc* slot = base[k] + static_cast<std::int64_t>(code[k]) * lanes + lane;
        V sum;
        std::memcpy(&sum, slot, sizeof sum);
        sum += record;
        std::memcpy(slot, &sum, sizeof sum);
      }
    }
  };
  std::int64_t i = 0;
  for (; i + kRowsAhead < n_rows; ++i) {
    const std::int64_t ahead = rows[i + kRowsAhead];
    __builtin_prefetch(codes + ahead * stride);
    __builtin_prefetch(records.data + ahead * lanes);
    add(rows[i]);
  }
  for (; i < n_rows; ++i) add(rows[i]);
}

template <class Acc, int fixed>
void add_rows(const Bins& bins, const Records& records, const std::int32_t* rows,
              std::int64_t n_rows, int first, int count, void* const* slots) {
  switch (count) {
    case 1: return add_rows_of<Acc, fixed, 1>(bins, records, rows, n_rows, first, slots);
    case 2: return add_rows_of<Acc, fixed, 2>(bins, records, rows, n_rows, first, slots);
    case 3: return add_rows_of<Acc, fixed, 3>(bins, records, rows, n_rows, first, slots);
    case 4: return add_rows_of<Acc, fixed, 4>(bins, records, rows, n_rows, first, slots);
    case 5: return add_rows_of<Acc, fixed, 5>(bins, records, rows, n_rows, first, slots);
    case 6: return add_rows_of<Acc, fixed, 6>(bins, records, rows, n_rows, first, slots);
    case 7: return add_rows_of<Acc, fixed, 7>(bins, records, rows, n_rows, first, slots);
    case 8: return add_rows_of<Acc, fixed, 8>(bins, records, rows, n_rows, first, slots);
  }
}

template <class Acc>
void subtract(void* from, const void* what, std::int64_t n) {
  Acc* a = static_cast<Acc*>(from);
  const Acc* b = static_cast<const Acc*>(what);
  for (std::int64_t i = 0; i < n; ++i) a[i] -= b[i];
}

// --- slots into splits ---------------------------------------------------------------------------

// tile[i] = start + the sum of slots[order[0]] .. slots[order[i]], padded to n_padded with the last.
template <class Acc, int fixed>
void prefix_sums(const Acc* slots, const std::uint8_t* order, int n, int n_padded, int lanes,
                 const Acc* start, Acc* tile) {
  using V = typename Part<Acc, kPart<fixed>>::V;
  for (int lane = 0; lane < lanes; lane += kPart<fixed>) {
    V sum = {};
    if (start != nullptr) std::memcpy(&sum, start + lane, sizeof sum);
    for (int i = 0; i < n; ++i) {
      V slot;
      std::memcpy(&slot, slots + order[i] * lanes + lane, sizeof slot);
      sum += slot;
      std::memcpy(tile + i * lanes + lane, &sum, sizeof sum);
    }
    for (int i = n; i < n_padded; ++i) std::memcpy(tile + i * lanes + lane, &sum, sizeof sum);
  }
}

// From slots to lanes: n vectors hold a few slots of n lanes each, one after the other; afterwards
// vector j holds lane j of all of them. Each step takes the even and the odd entries apart.
template <class I, int... lane>
SKSOFTMAX_INLINE void unzip(I a, I b, I& even, I& odd, std::integer_sequence<int, lane...>) {
  even = __builtin_shufflevector(a, b, (2 * lane)...);
  odd = __builtin_shufflevector(a, b, (2 * lane + 1)...);
}

template <int n, int width, int step = n, class I>
SKSOFTMAX_INLINE void separate_lanes(I* v) {
  if constexpr (step > 1) {
    I w[n];
#pragma GCC unroll 16
    for (int i = 0; i < n / 2; ++i)
      unzip(v[2 * i], v[2 * i + 1], w[i], w[i + n / 2],
            std::make_integer_sequence<int, width>{});
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) v[i] = w[i];
    separate_lanes<n, width, step / 2>(v);
  }
}

// Scores of as many prefixes as a vector has entries.
template <class Acc, int fixed>
struct Scores {
  using T = std::conditional_t<sizeof(Acc) == 4, float, double>;
  using V = Vec<T>;
  using I = typename Simd<T>::I;
  static constexpr int width = Simd<T>::width, part = kPart<fixed>;

  const ScanJob& job;
  const int lanes, d_lane, weight_lane;
  const T l2;

  explicit Scores(const ScanJob& scan)
      : job(scan),
        lanes(fixed == 0 ? scan.lanes : fixed),
        d_lane(scan.n_columns),
        weight_lane(scan.n_columns + (scan.has_curvature ? 1 : 0)),
        l2(static_cast<T>(scan.l2)) {}

  static SKSOFTMAX_INLINE V real(I sum) { return __builtin_convertvector(sum, V); }
  SKSOFTMAX_INLINE V denominator(I d) const { return maximum<T>(real(d) + l2, splat(T(1))); }

  // -1 where a child is too light.
  SKSOFTMAX_INLINE V at(const Acc* prefixes) const {
    V squares_left = {}, squares_right = {}, d_left = {}, d_right = {};
    I valid = {};
    for (int first = 0; first < lanes; first += part) {
      I left[part];
#pragma GCC unroll 16
      for (int v = 0; v < part; ++v) {
        const int slot = v * width / part, lane = v * width % part;
        std::memcpy(&left[v], prefixes + slot * lanes + first + lane, sizeof(I));
      }
      separate_lanes<part, width>(left);
#pragma GCC unroll 16
      for (int j = 0; j < part; ++j) {
        const int lane = first + j;
        const I right = static_cast<Acc>(job.total[lane]) - left[j];
        if (lane < job.n_columns) {
          squares_left += real(left[j]) * real(left[j]);
          squares_right += real(right) * real(right);
        }
        if (lane == d_lane) {
          d_left = denominator(left[j]);
          d_right = denominator(right);
        }
        if (lane == weight_lane) {
          const Acc least = static_cast<Acc>(job.min_weight);
          valid = (left[j] >= least) & (right >= least);
        }
      }
    }
    const V score = squares_left / d_left + squares_right / d_right;
    return valid ? score : splat(T(-1));
  }
};

template <class Acc, int fixed>
Cut scan(const ScanJob& job, const void* slots, const std::uint8_t* order, int n,
         const void* start, void* memory) {
  using S = Scores<Acc, fixed>;
  using T = typename S::T;
  const S scores(job);
  const int n_padded = (n + S::width - 1) / S::width * S::width;
  Acc* tile = static_cast<Acc*>(memory);
  prefix_sums<Acc, fixed>(static_cast<const Acc*>(slots), order, n, n_padded, scores.lanes,
                          static_cast<const Acc*>(start), tile);
  Vec<T> best = splat(T(-1));
  typename S::I where = {};
  for (int i = 0; i < n_padded; i += S::width) {
    const Vec<T> score = scores.at(tile + i * scores.lanes);
    const auto better = score > best;
    best = better ? score : best;
    where = better ? static_cast<Acc>(i) - typename S::I{} : where;
  }
  Cut cut;
  for (int lane = 0; lane < S::width; ++lane) {
    const double score = static_cast<double>(best[lane]);
    const int position = static_cast<int>(where[lane]) + lane;
    if (score >= 0 && (score > cut.score || (score == cut.score && position < cut.position)))
      cut.score = score, cut.position = position;
  }
  return cut;
}

template <class Acc, int fixed>
constexpr HistogramBody body() {
  return {add_rows<Acc, fixed>, subtract<Acc>, scan<Acc, fixed>};
}

}  // namespace

#define SKSOFTMAX_BODIES(Acc) {body<Acc, 4>(), body<Acc, 8>(), body<Acc, 16>(), body<Acc, 0>()}
extern const Histograms SKSOFTMAX_PASTE(histogram_, SKSOFTMAX_ISA);
const Histograms SKSOFTMAX_PASTE(histogram_, SKSOFTMAX_ISA) = {SKSOFTMAX_BODIES(std::int32_t),
                                                               SKSOFTMAX_BODIES(std::int64_t)};

}  // namespace sksoftmax
