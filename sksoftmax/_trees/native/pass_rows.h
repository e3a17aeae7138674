// What the passes over rows of logits share: blocks that stay in the caches, whole-vector access to
// short rows, and the curvature of a row.
#pragma once

#include "../../_kernel/native/rows_driver.h"
#include "passes.h"

namespace sksoftmax {
namespace {

using FloatV = Vec<float>;
constexpr int kWidth = Simd<float>::width;

// Rows taken together: their residuals fit in L1, and they fill whole tiles of the kernel.
std::int64_t rows_at_once(std::int64_t n_classes) {
  constexpr std::int64_t kEntries = 1 << 12, kFewest = 8, kTile = 32;
  const std::int64_t rows = kEntries / n_classes;
  return rows >= kTile ? rows / kTile * kTile : rows > kFewest ? rows : kFewest;
}

// Scratch carved out of one allocation, in whole cache lines with one of slack each.
struct Carver {
  char* memory;  // null: only the size is wanted
  std::int64_t size = 0;
  template <class T>
  T* take(std::int64_t n) {
    T* const part = memory == nullptr ? nullptr : reinterpret_cast<T*>(memory + size);
    size += (n * static_cast<std::int64_t>(sizeof(T)) + 127) / 64 * 64;
    return part;
  }
};

// The kernel's job for a block of rows.
Job<float> residual_job(std::int64_t n_classes, const Targets& targets, std::int64_t row,
                        const float* logits, std::int64_t n_rows, float* residual, float* loss) {
  Job<float> job;
  job.n_rows = n_rows;
  job.n_classes = n_classes;
  job.logits = logits;
  job.target_index = targets.index != nullptr ? targets.index + row : nullptr;
  job.target_proba = targets.proba != nullptr ? targets.proba + row * n_classes : nullptr;
  job.label_smoothing = targets.label_smoothing;
  job.logit_l2 = targets.logit_l2;
  job.out = residual;
  job.row_out = loss;
  return job;
}

// The magnitude: all bits but the sign.
template <class T>
SKSOFTMAX_INLINE Vec<T> absolute(Vec<T> v) {
  using U = typename Simd<T>::U;
  return (Vec<T>)((U)v & (~U{} >> 1));
}

typedef float FourFloats __attribute__((vector_size(16)));
constexpr int kHalf = kWidth / 2;
typedef float HalfV __attribute__((vector_size(kVectorBytes / 2)));

// to = f(to, from) over n entries, at least the width of V. The last vector overlaps the one before
// it, and is read before anything is written: no partial access, which would stall what follows.
template <class V, class F>
SKSOFTMAX_INLINE void combine(float* to, const float* from, std::int64_t n, F f) {
  constexpr std::int64_t width = sizeof(V) / sizeof(float);
  const auto at = [=](std::int64_t k) SKSOFTMAX_INLINE_LAMBDA {
    V a, b;
    std::memcpy(&a, to + k, sizeof a);
    std::memcpy(&b, from + k, sizeof b);
    return f(a, b);
  };
  const V last = at(n - width);
  for (std::int64_t k = 0; k < n - width; k += width) {
    const V v = at(k);
    std::memcpy(to + k, &v, sizeof v);
  }
  std::memcpy(to + n - width, &last, sizeof last);
}

// f(V{}) with the widest V that rows of n entries fill.
template <class F>
SKSOFTMAX_INLINE void with_widest(std::int64_t n, F f) {
  if (n >= kWidth) f(FloatV{});
  else if (kHalf >= 4 && n >= kHalf) f(HalfV{});
  else if (n >= 4) f(FourFloats{});
  else f(0.0f);
}

// The curvature of a row, class by class: p = residual + q - logit_l2 z, q = target'.
struct RowCurvature {
  const float *residual = nullptr, *logits = nullptr;
  const float* proba = nullptr;  // the soft target, or null
  std::int64_t target = 0;       // else its class
  float keep, spread, logit_l2;

  RowCurvature(const Targets& targets, std::int64_t n_classes)
      : keep(1.0f - targets.label_smoothing),
        spread(targets.label_smoothing / static_cast<float>(n_classes)),
        logit_l2(targets.logit_l2) {}

  SKSOFTMAX_INLINE void point_at(const Targets& targets, std::int64_t n_classes, std::int64_t row,
                                 const float* row_residual, const float* row_logits) {
    residual = row_residual;
    logits = row_logits;
    proba = targets.proba != nullptr ? targets.proba + row * n_classes : nullptr;
    target = targets.index != nullptr ? targets.index[row] : 0;
  }

  // p and p (1 - q) + q (1 - p) of a class whose target, before smoothing, is share.
  SKSOFTMAX_INLINE float proba_of(std::int64_t k, float share) const {
    return residual[k] + (keep * share + spread) - logit_l2 * logits[k];
  }
  SKSOFTMAX_INLINE float of_class(std::int64_t k, float share) const {
    const float p = proba_of(k, share), q = keep * share + spread;
    return not_negative(p + q - 2.0f * p * q);
  }
  void of_classes(std::int64_t n_classes, float* out) const {
    for (std::int64_t k = 0; k < n_classes; ++k)
      out[k] = of_class(k, proba != nullptr ? proba[k] : 0.0f);
    if (proba == nullptr) out[target] = of_class(target, 1.0f);
  }

  // 1 - sum p q; of a hard label -residual, exactly.
  float half_sum(std::int64_t n_classes) const {
    if (proba == nullptr) {
      const float fixed = (1.0f - spread) - keep * (keep + spread);
      return not_negative(fixed + keep * (logit_l2 * logits[target] - residual[target]));
    }
    float sum[4] = {};  // of p times the target before smoothing
    for (std::int64_t k = 0; k < n_classes; ++k) sum[k & 3] += proba_of(k, proba[k]) * proba[k];
    return not_negative((1.0f - spread) - keep * ((sum[0] + sum[1]) + (sum[2] + sum[3])));
  }

  // What rounding makes of a zero may be less.
  static SKSOFTMAX_INLINE float not_negative(float h) { return h > 0.0f ? h : 0.0f; }
};

}  // namespace
}  // namespace sksoftmax
