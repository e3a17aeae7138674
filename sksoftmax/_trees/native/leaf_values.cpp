#include "leaf_values.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace sksoftmax {
namespace {

// learning_rate v less its mean; returns the largest magnitude.
double newton_step(const LeafRule& rule, const double* sums, double* v) {
  const std::int64_t K = rule.n_classes;
  const double* G = sums;
  const double* H = sums + K;
  const double ridge = rule.logit_l2 * sums[2 * K] + rule.l2;
  double sum = 0, largest = 0;
  for (std::int64_t k = 0; k < K; ++k) {
    const double D = H[k] + ridge;
    v[k] = D > 0 ? -G[k] / D : 0.0;
    sum += v[k];
  }
  const double mean = sum / static_cast<double>(K);
  for (std::int64_t k = 0; k < K; ++k) {
    v[k] = rule.learning_rate * (v[k] - mean);
    largest = std::max(largest, std::abs(v[k]));
  }
  return largest;
}

// v in steps of the grid, integers that sum to zero.
void round_to_zero_sum(std::int64_t K, double steps_per_unit, double* v, std::int32_t* classes) {
  constexpr double magic = 0x1.8p52;  // rounds to integers
  double sum = 0;
  for (std::int64_t k = 0; k < K; ++k) {
    v[k] = (v[k] * steps_per_unit + magic) - magic;
    sum += v[k];
    classes[k] = static_cast<std::int32_t>(k);
  }
  const std::int64_t n_moved = static_cast<std::int64_t>(std::abs(sum));  // about K / 2 at most
  const auto before = [v](std::int32_t a, std::int32_t b) {
    const double x = std::abs(v[a]), y = std::abs(v[b]);
    return x != y ? x > y : a < b;
  };
  if (n_moved < K) std::nth_element(classes, classes + n_moved, classes + K, before);
  for (std::int64_t i = 0; i < n_moved; ++i) v[classes[i % K]] -= sum > 0 ? 1 : -1;
}

}  // namespace

void leaf_values_of(const LeafRule& rule, const double* sums, double* scratch,
                    std::int32_t* classes, float* values) {
  const std::int64_t K = rule.n_classes;
  const double largest = newton_step(rule, sums, scratch);
  // At most 2^22 steps, so that one more is still a float32.
  const int exponent =
      largest > 0 ? std::max(std::ilogb(largest) - 21, kFinestValue) : kFinestValue;
  const double step = std::ldexp(1.0, exponent);
  round_to_zero_sum(K, 1 / step, scratch, classes);
  for (std::int64_t k = 0; k < K; ++k) values[k] = static_cast<float>(scratch[k] * step);
}

}  // namespace sksoftmax
