// From the sums of a leaf to its values: a diagonal Newton step, centred.
//
//   v_k = -G_k / D_k,  D_k = H_k + logit_l2 W + l2      minimises  sum_k G_k v_k + 1/2 D_k v_k^2
//
// With |G_k| <= H_k no v_k is larger than 1, however sure and wrong the leaf is. Its mean over the
// classes, which changes no probability, is taken off, and learning_rate v is put on a power-of-two
// grid: steps of kFinestValue, or coarser ones where float32 could not hold a value else. Their sum
// is exactly zero: what rounding leaves over is given, a step each, to the classes of largest |v|
// (ties: the lowest class). Sums of values of the finest grid are exact in float32 up to 16, in any
// order.
#pragma once

#include <cstdint>

namespace sksoftmax {

constexpr int kFinestValue = -20;  // multiples of 2^-20; the baseline too (_baseline.py)

struct LeafRule {
  std::int64_t n_classes = 0;
  double logit_l2 = 0;
  double l2 = 0;
  double learning_rate = 1;
};

// sums: G, H and the weight W of the leaf, 2 K + 1 numbers; values, scratch and classes: K each.
// A class without curvature (D_k = 0) has no gradient either: v_k = 0.
void leaf_values_of(const LeafRule& rule, const double* sums, double* scratch,
                    std::int32_t* classes, float* values);

}  // namespace sksoftmax
