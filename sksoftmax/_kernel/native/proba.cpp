// One body of the look at probabilities. Compiled once per ISA.

#include "proba.h"

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

}  // namespace

extern const ProbaKernel SKSOFTMAX_PASTE(proba_, SKSOFTMAX_ISA) = {look<float>, look<double>};

}  // namespace sksoftmax
