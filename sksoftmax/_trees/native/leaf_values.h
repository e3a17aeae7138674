// From the sums of a leaf to its values: a diagonal Newton step on the sum-zero space.
//
//   minimise  sum_k G_k v_k + 1/2 D_k v_k^2   subject to  sum_k v_k = 0,      D_k = H_k + l2
//   v_k = -(G_k - mu) / D_k,                  mu = sum_k (G_k / D_k) / sum_k (1 / D_k)
//
// The values are learning_rate v, put on a power-of-two grid that float32 holds, and their sum is
// exactly zero: what rounding leaves over is given, a grid step each, to the classes of largest |v|
// (ties: the lowest class). No grid is finer than 2^-20, so that float32 sums of values are exact
// up to 16, in any order: an exported model, which adds in float64, predicts the same.
#pragma once

#include <cstdint>

namespace sksoftmax {

constexpr int kFinestValue = -20;  // values are multiples of 2^-20; the baseline too (_baseline.py)

enum class Centering : int {
  constrained,  // the minimiser above
  mean,         // v_k = -G_k / D_k less its mean: the same probabilities as without
};

struct LeafRule {
  std::int64_t n_classes = 0;
  double curvature_factor = 1;  // of H
  double logit_l2 = 0;          // its curvature: logit_l2 times the weight of the leaf
  double l2 = 0;
  double learning_rate = 1;
  Centering centering = Centering::constrained;
};

// sums: G, H and the weight of the leaf, 2 K + 1 numbers; values: K. scratch: K doubles, K classes.
// A class without curvature (D_k = 0) has no gradient either: its value is 0.
void leaf_values_of(const LeafRule& rule, const double* sums, double* scratch,
                    std::int32_t* classes, float* values);

}  // namespace sksoftmax
