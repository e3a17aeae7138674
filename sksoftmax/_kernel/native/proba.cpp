// One body of the verbs over probabilities. Compiled once per ISA.

#include "proba.h"

#include <new>

#include "exp.h"
#include "simd.h"

namespace sksoftmax {
namespace {

// Maximum and where it is, sum, lane by lane. Columns are counted in T: exact up to 2^24.
template <class T>
struct Seen {
  Vec<T> largest = splat(-kInfinity<T>), at = {}, total = {};

  SKSOFTMAX_INLINE void add(Vec<T> p, Vec<T> column) {
    const auto better = p > largest;
    largest = better ? p : largest;
    at = better ? column : at;
    total += p;
  }
  // The first of the largest entries: of the lanes that hold it, the one with the lowest column.
  SKSOFTMAX_INLINE std::int64_t argmax(T value) const {
    const Vec<T> column = largest == splat(value) ? -at : splat(-kInfinity<T>);
    const T first = -maximum_lanes<T>(column)[0];
    return first < kInfinity<T> ? static_cast<std::int64_t>(first) : 0;  // NaN everywhere: 0
  }
};

// How far ahead memory is asked for: the hardware alone fetches too late (a third slower).
constexpr std::int64_t kAheadBytes = 4096;

// No branch depends on the entries, so that rows overlap: the pass is as fast as memory.
template <class T>
double look(const ProbaJob<T>& job, std::int64_t begin, std::int64_t end) {
  constexpr int width = Simd<T>::width;
  constexpr std::int64_t kAhead = kAheadBytes / sizeof(T);  // beyond the end it does nothing
  const std::int64_t K = job.n_classes;
  const int rest = static_cast<int>(K % width);
  const auto there = first_lanes<T>(rest);
  const Vec<T> lanes =
      __builtin_convertvector(lane_numbers<T>(std::make_integer_sequence<int, width>{}), Vec<T>);
  Vec<T> smallest = splat(kInfinity<T>);
  for (std::int64_t row = begin; row < end; ++row) {
    const T* p = job.proba + row * K;
    Seen<T> seen;
    Vec<T> column = lanes;
    std::int64_t k = 0;
    for (; k + width <= K; k += width, column += splat<T>(width)) {
      __builtin_prefetch(p + k + kAhead);
      const Vec<T> v = load<T>(p + k);
      seen.add(v, column);
      smallest = v < smallest ? v : smallest;
    }
    if (rest > 0) {  // lanes beyond the row: 0 in the sum, nothing in the extremes
      const Vec<T> v = load_partial<T>(p + k, rest, T{0});
      const Vec<T> total = seen.total + v;
      seen.add(there ? v : splat(-kInfinity<T>), column);
      seen.total = total;
      smallest = (there & (v < smallest)) ? v : smallest;
    }
    const T largest = maximum_lanes<T>(seen.largest)[0];
    job.largest[row] = static_cast<double>(largest);
    job.total[row] = static_cast<double>(sum_lanes<T>(seen.total)[0]);
    job.argmax[row] = seen.argmax(largest);
  }
  return -static_cast<double>(maximum_lanes<T>(-smallest)[0]);
}

// Entries in float64, whatever they are.
SKSOFTMAX_INLINE Vec<double> load_wide(const double* p) { return load<double>(p); }
SKSOFTMAX_INLINE Vec<double> load_wide(const float* p) {
  typedef float Half __attribute__((vector_size(kVectorBytes / 2)));
  Half v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, Vec<double>);
}
// The first n of them (0 < n < width), and zeros.
SKSOFTMAX_INLINE Vec<double> load_wide(const double* p, int n) {
  return load_partial<double>(p, n, 0.0);
}
SKSOFTMAX_INLINE Vec<double> load_wide(const float* p, int n) {
  float padded[Simd<double>::width] = {};
  for (int i = 0; i < n; ++i) padded[i] = p[i];
  return load_wide(padded);
}

template <class T>
void spread(const SpreadJob<T>& job, std::int64_t begin, std::int64_t end) {
  constexpr int width = Simd<double>::width;
  constexpr double kSmallestNormal = 0x1p-1022;  // p log p of what is smaller rounds away
  const std::int64_t K = job.n_classes;
  for (std::int64_t row = begin; row < end; ++row) {
    const T* p = job.proba + row * K;
    Vec<double> entropy = {}, square = {};
    const auto add = [&](Vec<double> v) SKSOFTMAX_INLINE_LAMBDA {
      entropy -= v >= kSmallestNormal ? v * log_positive<double>(v) : Vec<double>{};
      square += v * v;
    };
    std::int64_t k = 0;
    for (; k + width <= K; k += width) add(load_wide(p + k));
    if (k < K) add(load_wide(p + k, static_cast<int>(K - k)));
    job.entropy[row] = sum_lanes<double>(entropy)[0];
    job.square[row] = sum_lanes<double>(square)[0];
  }
}

// The bin of p: a guess that is right for edges of equal distance, else the last edge not above p.
SKSOFTMAX_INLINE std::int64_t bin_of(double p, const double* edges, std::int64_t n_bins) {
  const double scaled = p * static_cast<double>(n_bins), last = static_cast<double>(n_bins - 1);
  const double capped = scaled < last ? scaled : last;
  const std::int64_t bin = static_cast<std::int64_t>(capped > 0 ? capped : 0.0);
  if (__builtin_expect((edges[bin] <= p) & (p < edges[bin + 1]), 1)) return bin;
  std::int64_t low = 0;
  for (std::int64_t left = n_bins; left > 1;) {
    const std::int64_t half = left / 2;
    low += edges[low + half] <= p ? half : 0;  // no branch: either way is as likely
    left -= half;
  }
  return low;
}

// Cells are summed up in aligned memory, where what was stored last can be loaded at once. Where
// they are few, rows take turns between copies of them, since one waits for the last on its cell.
// The order of a cell's sum is that of the rows, so it does not depend on the range of classes.
template <class T>
void bins(const BinJob<T>& job, std::int64_t begin, std::int64_t end) {
  typedef double Sums __attribute__((vector_size(kBinSums * sizeof(double))));
  const std::int64_t n_bins = job.n_bins, n_cells = (end - begin) * n_bins;
  const std::int64_t n_copies = job.n_classes * n_bins <= 128 ? 4 : 1;  // a power of two
  const std::align_val_t alignment{64};
  const std::size_t size = n_copies * n_cells * sizeof(Sums);
  Sums* const cells = static_cast<Sums*>(::operator new(size, alignment));
  std::memset(cells, 0, size);
  for (std::int64_t row = 0; row < job.n_rows; ++row) {
    const T* p = job.proba + row * job.n_classes;
    const double weight = job.weight != nullptr ? job.weight[row] : 1.0;
    const Sums per_row = {weight, weight * weight, 0, 0}, per_p = {0, 0, weight, 0};
    const Sums per_hit = {0, 0, 0, weight};
    const std::int64_t hit = job.hit[row];
    const double* edges = job.edges + begin * job.edges_stride;
    Sums* of_class = cells + (row & (n_copies - 1)) * n_cells;
    for (std::int64_t k = begin; k < end; ++k) {
      const double value = static_cast<double>(p[k]);
      of_class[bin_of(value, edges, n_bins)] +=
          per_row + value * per_p + static_cast<double>(k == hit) * per_hit;
      edges += job.edges_stride;
      of_class += n_bins;
    }
  }
  for (std::int64_t i = n_cells; i < n_copies * n_cells; ++i) cells[i % n_cells] += cells[i];
  std::memcpy(job.sums + begin * n_bins * kBinSums, cells, n_cells * sizeof(Sums));
  ::operator delete(cells, alignment);
}

}  // namespace

extern const ProbaKernel SKSOFTMAX_PASTE(proba_, SKSOFTMAX_ISA) = {
    {look<float>, spread<float>, bins<float>}, {look<double>, spread<double>, bins<double>}};

}  // namespace sksoftmax
