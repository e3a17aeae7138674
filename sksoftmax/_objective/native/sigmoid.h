// The head of one-vs-rest: every output is a binary logit of its own, and no output sees another.
//
//   e = exp(-|z|), p = sigma(z)       p and 1 - p both relatively accurate, from the same e
//   q' = (1 - label_smoothing) q + label_smoothing / 2
//   v  = weight (c0 + q (c1 - c0))    c1, c0: weights of a class against its rest
//
//   loss      = v (log1p(e) + (z > 0 ? 1 - q' : q') |z| + logit_l2 z^2 / 4)
//   residual  = v ((1 - q') p - q' (1 - p) + logit_l2 z / 2)
//   curvature = v (p (1 - p) + logit_l2 / 2)
//
// These are the softmax of the logits (-z / 2, z / 2), as for a problem of two classes.
#pragma once

#include "../../_kernel/native/exp.h"
#include "linear.h"

namespace sksoftmax {
namespace {

// One output of a block: n entries of each pointer, padded to whole vectors.
template <class T>
struct SigmoidRows {
  const T* logits;
  const T* weight;      // 0 in the padding
  const T* target;      // q, negative where the class is unavailable; or null:
  const T* row_class;   // the class of each row, q is 1 where it is this one
  const T* direction;   // of the Hessian product
  T class_number, positive, negative, label_smoothing, logit_l2;
};

// Writes the residual, the curvature or its product with the direction; returns the loss, which is
// inf where a logit is not finite.
template <class T, Pass pass>
double sigmoid_head(const SigmoidRows<T>& in, std::int64_t n, T* out) {
  using V = Vec<T>;
  constexpr int width = Simd<T>::width;
  typedef double Wide __attribute__((vector_size(width * 8)));  // losses are summed in doubles
  const V zero = {}, one = splat(T(1));
  Wide losses = {};
  for (std::int64_t i = 0; i < n; i += width) {
    const V z = load<T>(in.logits + i);
    V q = zero;
    if (in.target != nullptr) q = load<T>(in.target + i);
    else if (in.row_class != nullptr) q = load<T>(in.row_class + i) == in.class_number ? one : zero;
    const V w = load<T>(in.weight + i) * (in.negative + q * (in.positive - in.negative));
    const V v = q < T(0) ? zero : w;
    const V size = z < T(0) ? -z : z;
    const V e = exp_nonpositive<T>(-size);
    const V larger = T(1) / (e + T(1)), smaller = e * larger;
    if constexpr (pass == Pass::loss_gradient) {
      const V hit = q * (T(1) - in.label_smoothing) + in.label_smoothing / 2, miss = T(1) - hit;
      const V loss = log1p_nonnegative<T>(e) + (z > T(0) ? miss : hit) * size +
                     in.logit_l2 / 4 * z * z;
      const V finite = z - z == T(0) ? loss : splat(kInfinity<T>);
      losses += __builtin_convertvector(v == T(0) ? zero : v * finite, Wide);
      const V p = z > T(0) ? larger : smaller, rest = z > T(0) ? smaller : larger;
      const V residual = miss * p - hit * rest + in.logit_l2 / 2 * z;
      store<T>(out + i, v == T(0) ? zero : v * residual);
    } else {
      const V curvature = larger * smaller + in.logit_l2 / 2;
      V value = v == T(0) ? zero : v * curvature;
      if constexpr (pass == Pass::hessian_product) value *= load<T>(in.direction + i);
      store<T>(out + i, value);
    }
  }
  double lanes[width], sum = 0;
  std::memcpy(lanes, &losses, sizeof lanes);
  for (int lane = 0; lane < width; ++lane) sum += lanes[lane];
  return sum;
}

}  // namespace
}  // namespace sksoftmax
