#include "leaf_values.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace sksoftmax {
namespace {

// v, before it is rounded.
void newton_step(const LeafRule& rule, const double* sums, double* v) {
  const std::int64_t K = rule.n_classes;
  const double* G = sums;
  const double* H = sums + K;
  const double ridge = rule.logit_l2 * sums[2 * K] + rule.l2;
  const auto inverse = [&](std::int64_t k) {
    const double D = rule.curvature_factor * H[k] + ridge;
    return D > 0 ? 1 / D : 0.0;
  };
  double shift_sum = 0, inverse_sum = 0;
  for (std::int64_t k = 0; k < K; ++k) {
    v[k] = inverse(k);
    shift_sum += G[k] * v[k];
    inverse_sum += v[k];
  }
  const bool constrained = rule.centering == Centering::constrained;
  const double mu = constrained && inverse_sum > 0 ? shift_sum / inverse_sum : 0.0;
  const double mean = constrained ? 0.0 : shift_sum / static_cast<double>(K);
  for (std::int64_t k = 0; k < K; ++k)
    v[k] = rule.learning_rate * (mean - (G[k] - mu) * v[k]);
}

}  // namespace

void leaf_values_of(const LeafRule& rule, const double* sums, double* scratch,
                    std::int32_t* classes, float* values) {
  const std::int64_t K = rule.n_classes;
  newton_step(rule, sums, scratch);
  double largest = 0;
  for (std::int64_t k = 0; k < K; ++k) largest = std::max(largest, std::abs(scratch[k]));
  if (!(largest > 0)) {
    std::fill(values, values + K, 0.0f);
    return;
  }
  // At most 2^22 steps of the grid, so that one more is still a float32.
  const int exponent = std::max(std::ilogb(largest) - 21, kFinestValue);
  std::int64_t excess = 0;
  for (std::int64_t k = 0; k < K; ++k) {
    scratch[k] = std::rint(std::ldexp(scratch[k], -exponent));
    excess += static_cast<std::int64_t>(scratch[k]);
    classes[k] = static_cast<std::int32_t>(k);
  }
  const std::int64_t n_moved = std::abs(excess);  // at most K / 2, and a little
  const auto before = [&](std::int32_t a, std::int32_t b) {
    const double x = std::abs(scratch[a]), y = std::abs(scratch[b]);
    return x != y ? x > y : a < b;
  };
  if (n_moved < K) std::nth_element(classes, classes + n_moved, classes + K, before);
  for (std::int64_t i = 0; i < n_moved; ++i) scratch[classes[i % K]] -= excess > 0 ? 1 : -1;
  for (std::int64_t k = 0; k < K; ++k)
    values[k] = static_cast<float>(std::ldexp(scratch[k], exponent));
}

}  // namespace sksoftmax
