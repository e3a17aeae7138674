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
constexpr std::int64_t kLine = 64;       // bytes of a cache line

template <class Acc, int fixed, int count>
void add_rows_of(const Bins& bins, const Records& records, const std::int32_t* rows,
                 std::int64_t n_rows, int first, Acc* slots,
                 const Soon& soon) {
  using V = typename Part<Acc, kPart<fixed>>::V;
  using Q = typename Part<Acc, kPart<fixed>>::Q;
  const std::int64_t lanes = fixed == 0 ? records.lanes : fixed, stride = bins.n_features;
  const std::uint8_t* const codes = bins.codes + first;
  const std::int32_t* const data = records.data;
  const std::int64_t lines = soon.bytes / kLine;
  const auto add = [&](std::int64_t row) SKSOFTMAX_INLINE_LAMBDA {
    const std::uint8_t* code = codes + row * stride;
    for (std::int64_t lane = 0; lane < lanes; lane += kPart<fixed>) {
      Q q;
      std::memcpy(&q, data + row * lanes + lane, sizeof q);
      const V record = __builtin_convertvector(q, V);
#pragma GCC unroll 8
      for (int k = 0; k < count; ++k) {
        Acc* slot = slots + (k * kCodes + code[k]) * lanes + lane;
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
    for (std::int64_t line = i; line < lines; line += n_rows) {
      __builtin_prefetch(soon.one + line * kLine, 1, 2);
      __builtin_prefetch(soon.other + line * kLine, 1, 2);
    }
    __builtin_prefetch(codes + ahead * stride);
    __builtin_prefetch(data + ahead * lanes);
    add(rows[i]);
  }
  for (; i < n_rows; ++i) add(rows[i]);
}

template <class Acc, int fixed>
void add_rows(const Bins& bins, const Records& records, const std::int32_t* rows,
              std::int64_t n_rows, int first, int count, void* slots,
              const Soon& soon) {
  Acc* to = static_cast<Acc*>(slots);
  switch (count) {
    case 1: return add_rows_of<Acc, fixed, 1>(bins, records, rows, n_rows, first, to, soon);
    case 2: return add_rows_of<Acc, fixed, 2>(bins, records, rows, n_rows, first, to, soon);
    case 3: return add_rows_of<Acc, fixed, 3>(bins, records, rows, n_rows, first, to, soon);
    case 4: return add_rows_of<Acc, fixed, 4>(bins, records, rows, n_rows, first, to, soon);
    case 5: return add_rows_of<Acc, fixed, 5>(bins, records, rows, n_rows, first, to, soon);
    case 6: return add_rows_of<Acc, fixed, 6>(bins, records, rows, n_rows, first, to, soon);
    case 7: return add_rows_of<Acc, fixed, 7>(bins, records, rows, n_rows, first, to, soon);
    case 8: return add_rows_of<Acc, fixed, 8>(bins, records, rows, n_rows, first, to, soon);
  }
}

template <class Acc>
void share(const void* sum, void* child, void* other, std::int64_t n) {
  const Acc* s = static_cast<const Acc*>(sum);
  Acc* __restrict a = static_cast<Acc*>(child);
  Acc* __restrict b = static_cast<Acc*>(other);
  if (a != nullptr)
    for (std::int64_t i = 0; i < n; ++i) {
      a[i] = s[i];
      b[i] -= s[i];
    }
  else
    for (std::int64_t i = 0; i < n; ++i) b[i] -= s[i];
}

template <class Acc, int fixed>
bool sum_rows(const Records& records, const std::int32_t* rows, std::int64_t n_rows,
              std::int64_t* sums) {
  using V = typename Part<std::int64_t, kPart<fixed>>::V;
  using Q = typename Part<std::int32_t, kPart<fixed>>::V;
  const std::int64_t lanes = fixed == 0 ? records.lanes : fixed;
  const int checked[] = {records.n_columns, records.weight_lane()};
  bool good = true;
  for (std::int64_t lane = 0; lane < lanes; lane += kPart<fixed>) {
    V sum = {}, magnitude = {};
    Q least = {};
    for (std::int64_t i = 0; i < n_rows; ++i) {
      Q q;
      std::memcpy(&q, records.data + std::int64_t{rows[i]} * lanes + lane, sizeof q);
      const V record = __builtin_convertvector(q, V);
      sum += record;
      magnitude += record < 0 ? -record : record;
      least = q < least ? q : least;
    }
    std::memcpy(sums + lane, &sum, sizeof sum);
    std::memcpy(sums + lanes + lane, &magnitude, sizeof magnitude);
    for (const int c : checked)
      if (c >= lane && c < lane + kPart<fixed>) good &= least[c - lane] >= 0;
  }
  return good;
}

// --- slots into splits ---------------------------------------------------------------------------

// tile[i] = start + the sum of the first i + 1 slots, padded to n_padded with the last.
template <class Acc, int fixed, bool ordered>
void prefix_sums(const Acc* slots, const std::uint8_t* order, int n, int n_padded, int lanes,
                 const Acc* start, Acc* tile) {
  using V = typename Part<Acc, kPart<fixed>>::V;
  for (int lane = 0; lane < lanes; lane += kPart<fixed>) {
    V sum = {};
    if (start != nullptr) std::memcpy(&sum, start + lane, sizeof sum);
#pragma GCC unroll 4
    for (int i = 0; i < n; ++i) {
      V slot;
      std::memcpy(&slot, slots + (ordered ? order[i] : i) * lanes + lane, sizeof slot);
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
  const Acc least, total_weight;

  explicit Scores(const ScanJob& scan)
      : job(scan),
        lanes(fixed == 0 ? scan.lanes : fixed),
        d_lane(scan.n_columns),
        weight_lane(scan.n_columns + (scan.has_curvature ? 1 : 0)),
        l2(static_cast<T>(scan.l2)),
        least(static_cast<Acc>(scan.min_weight)),
        total_weight(static_cast<Acc>(scan.total[weight_lane])) {}

  static SKSOFTMAX_INLINE V real(I sum) { return __builtin_convertvector(sum, V); }
  SKSOFTMAX_INLINE V denominator(I d) const { return maximum<T>(real(d) + l2, splat(T(1))); }

  // Is every left child of these prefixes too light, or every right one? (Weights do not decrease.)
  SKSOFTMAX_INLINE bool too_light(const Acc* prefixes) const {
    const Acc first = prefixes[weight_lane], last = prefixes[(width - 1) * lanes + weight_lane];
    return last < least || total_weight - first < least;
  }

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
        if (lane == weight_lane) valid = (left[j] >= least) & (right >= least);
      }
    }
    const V score = squares_left / d_left + squares_right / d_right;
    return valid ? score : splat(T(-1));
  }
};

template <class Acc, int fixed>
Cut scan(const ScanJob& job, const void* slots, const std::uint8_t* order, int n,
         const void* start, double floor, void* memory) {
  using S = Scores<Acc, fixed>;
  using T = typename S::T;
  const S scores(job);
  const int n_padded = (n + S::width - 1) / S::width * S::width;
  Acc* tile = static_cast<Acc*>(memory);
  const auto sum_up = order != nullptr ? prefix_sums<Acc, fixed, true>
                                       : prefix_sums<Acc, fixed, false>;
  sum_up(static_cast<const Acc*>(slots), order, n, n_padded, scores.lanes,
         static_cast<const Acc*>(start), tile);
  const Vec<T> worst = splat(static_cast<T>(floor));
  Vec<T> best = worst;
  typename S::I where = {};
  for (int i = 0; i < n_padded; i += S::width) {
    const Acc* prefixes = tile + i * scores.lanes;
    if (scores.too_light(prefixes)) continue;
    const Vec<T> score = scores.at(prefixes);
    const auto better = score > best;
    best = better ? score : best;
    where = better ? static_cast<Acc>(i) - typename S::I{} : where;
  }
  Cut cut;
  if (!any_lane<T>(best > worst)) return cut;
  cut.score = static_cast<double>(maximum_lanes<T>(best)[0]);
  cut.position = n_padded;
  for (int lane = 0; lane < S::width; ++lane)
    if (static_cast<double>(best[lane]) == cut.score && where[lane] + lane < cut.position)
      cut.position = static_cast<int>(where[lane]) + lane;
  return cut;
}

template <class Acc, int fixed>
constexpr HistogramBody body() {
  return {add_rows<Acc, fixed>, share<Acc>, scan<Acc, fixed>, sum_rows<Acc, fixed>};
}

}  // namespace

#define SKSOFTMAX_BODIES(Acc) {body<Acc, 4>(), body<Acc, 8>(), body<Acc, 16>(), body<Acc, 0>()}
extern const Histograms SKSOFTMAX_PASTE(histogram_, SKSOFTMAX_ISA);
const Histograms SKSOFTMAX_PASTE(histogram_, SKSOFTMAX_ISA) = {SKSOFTMAX_BODIES(std::int32_t),
                                                               SKSOFTMAX_BODIES(std::int64_t)};

}  // namespace sksoftmax
