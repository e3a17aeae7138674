// The loop shapes of the kernel, along the classes or across the samples, behind one vocabulary,
// so that rows.h states the mathematics once.
//
//   AlongClasses    one row at a time, lanes run along its classes   (many classes, ragged rows)
//   AcrossSamples   one lane per row, classes one after the other    (class-major blocks)
//   FewClasses      the same for a handful of classes
//
// A shape can sweep over its positions, load and store a vector at a position, reduce a vector to
// its rows, and either gather and scatter the entry of each row's target class, or tell at a position
// whose target it is (selects_target).
#pragma once

#include "simd.h"

namespace sksoftmax {
namespace {

// Independent accumulators per sweep, to hide the latency of the additions.
constexpr int kStreams = 2;
// After this many groups of kStreams positions the partial sums are folded into a compensated total.
constexpr int kGroupsPerFold = 4;

// A sum whose rounding error does not grow with the number of terms: short plain sums, folded
// into a total that carries its own error (TwoSum, Knuth 1969).
template <class T>
struct Sum {
  using V = Vec<T>;
  V part[kStreams] = {};
  V total = {}, carry = {};

  SKSOFTMAX_INLINE void add(V x, int stream) { part[stream] += x; }

  // Adds in the lanes of the condition only: one masked instruction where the ISA has it.
  SKSOFTMAX_INLINE void add_where(typename Simd<T>::I condition, V x, int stream) {
    part[stream] = condition ? part[stream] + x : part[stream];
  }

  SKSOFTMAX_INLINE void fold() {
    const V term = part[0] + part[1];
    const V sum = total + term;
    const V rounded = sum - total;
    carry += (total - (sum - rounded)) + (term - rounded);
    total = sum;
    for (V& p : part) p = V{};
  }

  // The value per lane; folded tells whether fold() was ever called (a short row needs none).
  SKSOFTMAX_INLINE V value(bool folded) {
    if (!folded) return part[0] + part[1];
    fold();
    return carry == carry ? total + carry : total;  // an overflowing sum carries NaN
  }
};

// How many lanes met a condition, exactly (float32: up to 2^24 per lane and stream), hence no fold.
template <class T>
struct Count {
  using V = Vec<T>;
  V part[kStreams] = {};

  SKSOFTMAX_INLINE void add_where(typename Simd<T>::I condition, int stream) {
    part[stream] = condition ? part[stream] + splat(T(1)) : part[stream];
  }
  SKSOFTMAX_INLINE V value() const { return part[0] + part[1]; }
};

template <class T>
struct AlongClasses {
  static constexpr bool selects_target = false;
  using V = Vec<T>;
  static constexpr int width = Simd<T>::width;
  struct Whole {
    std::int64_t first;
  };
  struct Part {
    std::int64_t first;
    int count;
  };

  std::int64_t n_classes;
  const std::uint8_t* mask;  // of this row, or null
  std::int64_t target;       // of this row, or 0
  T* tail;                   // one vector of scratch
  // How many entries ahead of its sweeps memory is asked, and whether for L2 alone (else for L1).
  std::int64_t ahead = 0;
  bool far_ahead = false;

  template <class Visit, class Fold>
  SKSOFTMAX_INLINE void sweep(Visit visit, Fold fold) const {
    std::int64_t k = 0;
    for (int groups = 0; k + kStreams * width <= n_classes; k += kStreams * width) {
      visit(Whole{k}, 0);
      visit(Whole{k + width}, 1);
      if (++groups == kGroupsPerFold) {
        fold();
        groups = 0;
      }
    }
    for (; k + width <= n_classes; k += width) visit(Whole{k}, 0);
    if (k < n_classes) visit(Part{k, static_cast<int>(n_classes - k)}, 1);
  }

  // Every position once, where nothing is summed.
  template <class Visit>
  SKSOFTMAX_INLINE void each(Visit visit) const {
    std::int64_t k = 0;
    for (; k + width <= n_classes; k += width) visit(Whole{k});
    if (k < n_classes) visit(Part{k, static_cast<int>(n_classes - k)});
  }

  SKSOFTMAX_INLINE V load_at(const T* p, Whole at, T) const { return load<T>(p + at.first); }
  SKSOFTMAX_INLINE V load_at(const T* p, Part at, T fill) const {
    return load_partial<T>(p + at.first, at.count, fill);
  }
  SKSOFTMAX_INLINE void store_at(T* p, Whole at, V v) const { store<T>(p + at.first, v); }
  SKSOFTMAX_INLINE void store_at(T* p, Part at, V v) const {
    store_partial<T>(p + at.first, v, at.count);
  }
  // Once per cache line.
  SKSOFTMAX_INLINE void ask_ahead(const T* p, Whole at) const {
    if (kVectorBytes < 64 && at.first % (64 / sizeof(T)) != 0) return;
    if (far_ahead) __builtin_prefetch(p + at.first + ahead, 0, 2);
    else __builtin_prefetch(p + at.first + ahead, 0, 3);
  }
  SKSOFTMAX_INLINE void ask_ahead(const T*, Part) const {}
  // What one sweep keeps for the next. The last, partial vector is kept apart and whole: a partial
  // store that is loaded again at once stalls.
  SKSOFTMAX_INLINE V kept_at(const T* kept, Whole at) const { return load<T>(kept + at.first); }
  SKSOFTMAX_INLINE V kept_at(const T*, Part) const { return load<T>(tail); }
  SKSOFTMAX_INLINE void keep_at(T* kept, Whole at, V v) const { store<T>(kept + at.first, v); }
  SKSOFTMAX_INLINE void keep_at(T*, Part, V v) const { store<T>(tail, v); }
  template <bool general, class At>
  SKSOFTMAX_INLINE V logits_at(const T* p, At at) const {
    const V z = load_at(p, at, -kInfinity<T>);
    if constexpr (!general) return z;
    if (mask == nullptr) return z;
    int count = width;
    if constexpr (sizeof(At) == sizeof(Part)) count = at.count;
    return keep_where<T>(mask + at.first, count, z, -kInfinity<T>);
  }

  SKSOFTMAX_INLINE V lanes_sum(Sum<T>& sum) const {
    return sum.value(n_classes >= kGroupsPerFold * kStreams * width);
  }
  SKSOFTMAX_INLINE V rows_maximum(V v) const { return maximum_lanes<T>(v); }
  SKSOFTMAX_INLINE V rows_sum(V v) const { return sum_lanes<T>(v); }
  SKSOFTMAX_INLINE bool any_row(typename Simd<T>::I rows) const { return rows[0] != 0; }
  SKSOFTMAX_INLINE V load_row(const T* p) const { return splat(*p); }
  SKSOFTMAX_INLINE void store_row(T* p, V v) const { *p = v[0]; }
  SKSOFTMAX_INLINE V gather_logits(const T* p) const {
    return splat(mask != nullptr && mask[target] == 0 ? -kInfinity<T> : p[target]);
  }
  SKSOFTMAX_INLINE void scatter(T* p, V v) const { p[target] = v[0]; }
};

// What both variants of one lane per row share.
template <class T>
struct OneLanePerRow {
  using V = Vec<T>;
  static constexpr int width = Simd<T>::width;

  std::int64_t n_classes;
  std::int64_t stride;  // entries between a class and the next; lanes are adjacent

  template <class Visit, class Fold>
  SKSOFTMAX_INLINE void sweep(Visit visit, Fold fold) const {
    std::int64_t k = 0;
    for (int groups = 0; k + kStreams <= n_classes; k += kStreams) {
      visit(k * stride, 0);
      visit((k + 1) * stride, 1);
      if (++groups == kGroupsPerFold) {
        fold();
        groups = 0;
      }
    }
    for (; k < n_classes; ++k) visit(k * stride, 0);
  }

  template <class Visit>
  SKSOFTMAX_INLINE void each(Visit visit) const {
    for (std::int64_t k = 0; k < n_classes; ++k) visit(k * stride);
  }

  SKSOFTMAX_INLINE V load_at(const T* p, std::int64_t at, T) const { return load<T>(p + at); }
  SKSOFTMAX_INLINE void store_at(T* p, std::int64_t at, V v) const { store<T>(p + at, v); }
  SKSOFTMAX_INLINE V kept_at(const T* kept, std::int64_t at) const { return load<T>(kept + at); }
  SKSOFTMAX_INLINE void keep_at(T* kept, std::int64_t at, V v) const { store<T>(kept + at, v); }
  template <bool general>
  SKSOFTMAX_INLINE V logits_at(const T* p, std::int64_t at) const {
    return load<T>(p + at);
  }

  SKSOFTMAX_INLINE void ask_ahead(const T*, std::int64_t) const {}  // a tile is in L1
  SKSOFTMAX_INLINE V lanes_sum(Sum<T>& sum) const {
    return sum.value(n_classes >= kGroupsPerFold * kStreams);
  }
  SKSOFTMAX_INLINE V rows_maximum(V v) const { return v; }
  SKSOFTMAX_INLINE V rows_sum(V v) const { return v; }
  SKSOFTMAX_INLINE bool any_row(typename Simd<T>::I rows) const { return any_lane<T>(rows); }
  SKSOFTMAX_INLINE V load_row(const T* p) const { return load<T>(p); }
  SKSOFTMAX_INLINE void store_row(T* p, V v) const { store<T>(p, v); }
};

// Any number of classes: the target's entry is fetched lane by lane.
template <class T>
struct AcrossSamples : OneLanePerRow<T> {
  static constexpr bool selects_target = false;
  using V = Vec<T>;
  using OneLanePerRow<T>::width;
  using OneLanePerRow<T>::stride;
  const std::int64_t* targets;  // one per lane

  SKSOFTMAX_INLINE V gather_logits(const T* p) const {
    T lanes[width];
    for (int lane = 0; lane < width; ++lane) lanes[lane] = p[targets[lane] * stride + lane];
    return load<T>(lanes);
  }
  SKSOFTMAX_INLINE void scatter(T* p, V v) const {
    T lanes[width];
    store<T>(lanes, v);
    for (int lane = 0; lane < width; ++lane) p[targets[lane] * stride + lane] = lanes[lane];
  }
};

// Few classes: a sweep asks at each class whose target it is, which mixes no scalar with vector
// accesses (a vector load of what scalars have just stored stalls).
template <class T>
struct FewClasses : OneLanePerRow<T> {
  static constexpr bool selects_target = true;
  using V = Vec<T>;
  using OneLanePerRow<T>::width;
  using OneLanePerRow<T>::stride;
  using OneLanePerRow<T>::n_classes;
  V targets;  // positions

  // The stride is known by then.
  SKSOFTMAX_INLINE void load_targets(const std::int64_t* lanes) {
    typedef std::int64_t Wide __attribute__((vector_size(width * 8)));
    Wide wide;
    std::memcpy(&wide, lanes, sizeof wide);
    targets = __builtin_convertvector(wide, V) * static_cast<T>(stride);
  }
  SKSOFTMAX_INLINE typename Simd<T>::I is_target(std::int64_t at) const {
    return targets == static_cast<T>(at);
  }
  SKSOFTMAX_INLINE V gather_logits(const T* p) const {
    V found = {};
    for (std::int64_t k = 0; k < n_classes; ++k)
      found = is_target(k * stride) ? load<T>(p + k * stride) : found;
    return found;
  }
};

}  // namespace
}  // namespace sksoftmax
