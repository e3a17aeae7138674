// The mathematics of every verb, once, for both shapes (shapes.h) and any ISA (simd.h).
//
//   shift    m = max z                       over available classes
//   sum      y = (z - m) / temperature       0 at the maximum, -inf where unavailable
//            s = sum exp(y)                  kept as s - 1 where logarithms are wanted
//   finish   what depends on the whole row   log s, the loss, the scale of the output
//   write    what the verb keeps of a row    (kernel.h lists it)
//
// log s = log1p(s - 1), with the maximal terms counted instead of summed, is relatively accurate
// when one class dominates; likewise p - 1 = -(s - e) / s for the target class.
#pragma once

#include "exp.h"
#include "kernel.h"
#include "shapes.h"

namespace sksoftmax {
namespace {

// What a group of rows (one, or one per lane) reads and writes: pointers to its first entry.
template <class T>
struct Group {
  const T* logits = nullptr;
  const T* target_proba = nullptr;
  const T* direction = nullptr;
  T* kept = nullptr;  // scratch between steps, one entry per logit, padded to whole vectors
  T* out = nullptr;
  T* row_out = nullptr;
  const T* temperature = nullptr;
  const T* weight = nullptr;
  T label_smoothing = 0;
  T logit_l2 = 0;
};

// What all verbs share: the shift, and when a row is bad.
template <class T, bool general, class Shape>
struct Row {
  using V = Vec<T>;
  using I = typename Simd<T>::I;
  Shape shape;
  Group<T> group;
  V maximum_logit, temperature;

  static SKSOFTMAX_INLINE V zero() { return V{}; }
  static SKSOFTMAX_INLINE V one() { return splat(T(1)); }

  SKSOFTMAX_INLINE void shift() {
    V m[kStreams] = {splat(-kInfinity<T>), splat(-kInfinity<T>)};
    shape.sweep(
        [&, this](auto at, int stream) SKSOFTMAX_INLINE_LAMBDA {
          m[stream] = maximum<T>(m[stream], this->logits_at(at));
        },
        []() SKSOFTMAX_INLINE_LAMBDA {});
    maximum_logit = shape.rows_maximum(maximum<T>(m[0], m[1]));
    temperature = has_temperature() ? shape.load_row(group.temperature) : one();
  }

  SKSOFTMAX_INLINE bool has_temperature() const {
    return general && group.temperature != nullptr;
  }
  template <class At>
  SKSOFTMAX_INLINE V logits_at(At at) const {
    return shape.template logits_at<general>(group.logits, at);
  }
  // y = (z - m) / temperature: 0 at the maximum for any temperature, -inf where z is.
  SKSOFTMAX_INLINE V shifted(V z) const {
    const V y = z - maximum_logit;
    if (!has_temperature()) return y;
    const V scaled = (z == maximum_logit) | (temperature == kInfinity<T>) ? zero() : y / temperature;
    return z == -kInfinity<T> ? z : scaled;
  }
  SKSOFTMAX_INLINE V weight() const {
    return group.weight != nullptr ? shape.load_row(group.weight) : one();
  }
  // NaN, +inf and a row without an available class make the sum or the maximum not finite.
  SKSOFTMAX_INLINE I not_finite(V sum) const {
    return ~(((sum - sum) + (maximum_logit - maximum_logit)) == T(0));
  }
};

#define SKSOFTMAX_USE_ROW                                                                      \
  using Base = Row<T, general, Shape>;                                                         \
  using V = typename Base::V;                                                                  \
  using I = typename Base::I;                                                                  \
  using Base::group;                                                                           \
  using Base::logits_at;                                                                       \
  using Base::maximum_logit;                                                                   \
  using Base::not_finite;                                                                      \
  using Base::one;                                                                             \
  using Base::shape;                                                                           \
  using Base::shifted;                                                                         \
  using Base::temperature;                                                                     \
  using Base::weight;                                                                          \
  using Base::zero;

// softmax and hessian_product: what needs p, but no logarithm.
template <class T, Verb verb, bool general, class Shape>
struct Probabilities : Row<T, general, Shape> {
  SKSOFTMAX_USE_ROW
  static constexpr bool hessian = verb == Verb::hessian_product;
  V s, s_direction, scale, mean;

  SKSOFTMAX_INLINE void sum() {
    Sum<T> e_sum, e_direction;
    shape.sweep(
        [&, this](auto at, int stream) SKSOFTMAX_INLINE_LAMBDA {
          shape.ask_ahead(group.logits, at);
          const V e = exp_nonpositive<T>(this->shifted(this->logits_at(at)));
          e_sum.add(e, stream);
          if constexpr (hessian)
            e_direction.add_where(e != T(0), e * shape.load_at(group.direction, at, T(0)), stream);
          shape.keep_at(group.kept, at, e);
        },
        [&]() SKSOFTMAX_INLINE_LAMBDA {
          e_sum.fold();
          if constexpr (hessian) e_direction.fold();
        });
    s = shape.lanes_sum(e_sum);
    if constexpr (hessian) s_direction = shape.lanes_sum(e_direction);
  }

  SKSOFTMAX_INLINE I finish() {
    s = shape.rows_sum(s);
    scale = T(1) / s;
    if constexpr (hessian) {
      mean = shape.rows_sum(s_direction) * scale;
      scale *= weight();
      if constexpr (general) scale = scale / temperature / temperature;
    }
    return not_finite(s);
  }

  SKSOFTMAX_INLINE void write() const {
    shape.each(
        [&, this](auto at) SKSOFTMAX_INLINE_LAMBDA {
          shape.ask_ahead(group.out, at);
          const V e = shape.kept_at(group.kept, at);
          V value = e * scale;
          if constexpr (hessian)
            value = e == T(0) ? zero() : value * (shape.load_at(group.direction, at, T(0)) - mean);
          shape.store_at(group.out, at, value);
        });
  }
};

// log_softmax, logsumexp, entropy: what needs log s, but no target.
template <class T, Verb verb, bool general, class Shape>
struct Logarithms : Row<T, general, Shape> {
  SKSOFTMAX_USE_ROW
  V below, top, e_y;  // sums of exp(y) below the maximum, of ones at it, of exp(y) y
  V log_s;

  SKSOFTMAX_INLINE void sum() {
    Sum<T> below_sum, e_y_sum;
    Count<T> at_top;
    shape.sweep(
        [&, this](auto at, int stream) SKSOFTMAX_INLINE_LAMBDA {
          shape.ask_ahead(group.logits, at);
          const V y = this->shifted(this->logits_at(at));
          const V e = exp_nonpositive<T>(y);
          below_sum.add_where(y != T(0), e, stream);
          at_top.add_where(y == T(0), stream);
          if constexpr (verb == Verb::log_softmax) shape.keep_at(group.kept, at, y);
          if constexpr (verb == Verb::entropy) e_y_sum.add_where(e != T(0), e * y, stream);
        },
        [&]() SKSOFTMAX_INLINE_LAMBDA {
          below_sum.fold();
          if constexpr (verb == Verb::entropy) e_y_sum.fold();
        });
    below = shape.lanes_sum(below_sum);
    top = at_top.value();
    if constexpr (verb == Verb::entropy) e_y = shape.lanes_sum(e_y_sum);
  }

  SKSOFTMAX_INLINE I finish() {
    const V s_minus_1 = shape.rows_sum(below) + (shape.rows_sum(top) - T(1));
    log_s = log1p_nonnegative<T>(s_minus_1);
    if constexpr (verb == Verb::logsumexp) {
      const V m = general ? maximum_logit / temperature : maximum_logit;
      shape.store_row(group.row_out, m + log_s);
    }
    if constexpr (verb == Verb::entropy)
      shape.store_row(group.row_out, log_s - shape.rows_sum(e_y) / (s_minus_1 + T(1)));
    return not_finite(s_minus_1);
  }

  SKSOFTMAX_INLINE void write() const {
    if constexpr (verb == Verb::log_softmax)
      shape.each(
          [&, this](auto at) SKSOFTMAX_INLINE_LAMBDA {
            shape.ask_ahead(group.out, at);
            shape.store_at(group.out, at, shape.kept_at(group.kept, at) - log_s);
          });
  }
};

// loss and loss_gradient, with q' = (1 - label_smoothing) q + label_smoothing / n_available:
//   loss     = w (log s - sum q' y + logit_l2 / 2 sum z^2)
//   gradient = w ((p - q') / temperature + logit_l2 z)
template <class T, Verb verb, bool general, bool soft, class Shape>
struct Losses : Row<T, general, Shape> {
  SKSOFTMAX_USE_ROW
  static constexpr bool wants_gradient = verb == Verb::loss_gradient;
  V z_target, y_target, e_target;  // hard targets: of the target class; soft ones: y_target = sum q y
  V below, top, available, y_available, z_square;
  V s_minus_1, spread, per_logit, scale, ridge;  // spread: smoothed target of every class

  SKSOFTMAX_INLINE void sum() {
    z_target = y_target = e_target = zero();
    if constexpr (!soft && !Shape::selects_target) {
      z_target = shape.gather_logits(group.logits);
      y_target = shifted(z_target);
    }
    Sum<T> below_sum, q_y_sum, y_sum, z_square_sum;
    Count<T> at_top, opened;
    shape.sweep(
        [&, this](auto at, int stream) SKSOFTMAX_INLINE_LAMBDA {
          shape.ask_ahead(group.logits, at);
          const V z = this->logits_at(at);
          const V y = this->shifted(z);
          const V e = exp_nonpositive<T>(y);
          below_sum.add_where(y != T(0), e, stream);
          at_top.add_where(y == T(0), stream);
          if constexpr (soft) {
            const V q = shape.load_at(group.target_proba, at, T(0));
            q_y_sum.add_where(q != T(0), q * y, stream);
          }
          if constexpr (general) {
            const I open = z != -kInfinity<T>;
            opened.add_where(open, stream);
            y_sum.add_where(open, y, stream);
            z_square_sum.add_where(open, z * z, stream);
          }
          if constexpr (!soft && Shape::selects_target) {
            const I wanted = shape.is_target(at);
            z_target = wanted ? z : z_target;
            y_target = wanted ? y : y_target;
            e_target = wanted ? e : e_target;
          }
          if constexpr (wants_gradient) shape.keep_at(group.kept, at, e);
        },
        [&]() SKSOFTMAX_INLINE_LAMBDA {
          below_sum.fold();
          if constexpr (soft) q_y_sum.fold();
          if constexpr (general) {
            y_sum.fold();
            z_square_sum.fold();
          }
        });
    below = shape.lanes_sum(below_sum);
    top = at_top.value();
    if constexpr (soft) y_target = shape.lanes_sum(q_y_sum);
    if constexpr (general) {
      available = opened.value();
      y_available = shape.lanes_sum(y_sum);
      z_square = shape.lanes_sum(z_square_sum);
    }
  }

  SKSOFTMAX_INLINE I finish() {
    s_minus_1 = shape.rows_sum(below) + (shape.rows_sum(top) - T(1));
    if constexpr (soft) y_target = shape.rows_sum(y_target);
    const V log_s = log1p_nonnegative<T>(s_minus_1);
    V loss = log_s - y_target;
    spread = zero();
    if constexpr (general) {
      spread = group.label_smoothing / shape.rows_sum(available);
      if (group.label_smoothing > T(0)) {
        const V smoothed = log_s - (T(1) - group.label_smoothing) * y_target -
                           spread * shape.rows_sum(y_available);
        loss = loss < kInfinity<T> ? smoothed : loss;  // inf: the target is unavailable
      }
      if (group.logit_l2 > T(0)) loss += T(0.5) * group.logit_l2 * shape.rows_sum(z_square);
    }
    const V w = weight();
    shape.store_row(group.row_out, w == T(0) ? zero() : w * loss);  // 0 * inf: no row, no loss
    per_logit = general ? w / temperature : w;
    scale = per_logit / (s_minus_1 + T(1));
    ridge = w * group.logit_l2;
    return not_finite(s_minus_1) | ~(loss < kInfinity<T>);
  }

  SKSOFTMAX_INLINE void write() const {
    if constexpr (!wants_gradient) return;
    const V keep = per_logit * (T(1) - group.label_smoothing);
    V of_target = zero();
    if constexpr (!soft) of_target = gradient_of_target();
    shape.each(
        [&, this](auto at) SKSOFTMAX_INLINE_LAMBDA {
          shape.ask_ahead(group.out, at);
          V value = shape.kept_at(group.kept, at) * scale;
          if constexpr (soft) value -= keep * shape.load_at(group.target_proba, at, T(0));
          if constexpr (general) {
            const V z = this->logits_at(at);
            value = z != -kInfinity<T> ? value - per_logit * spread + ridge * z : zero();
          }
          if constexpr (!soft && Shape::selects_target)
            value = shape.is_target(at) ? of_target : value;
          shape.store_at(group.out, at, value);
        });
    if constexpr (!soft && !Shape::selects_target) shape.scatter(group.out, of_target);
  }

  SKSOFTMAX_INLINE V gradient_of_target() const {
    const V e = Shape::selects_target ? e_target : exp_nonpositive<T>(y_target);
    const V others = s_minus_1 + (T(1) - e);  // s - exp(y_target)
    V value = -(others * scale);
    if constexpr (general)
      value += per_logit * (group.label_smoothing - spread) + ridge * z_target;
    return value;
  }
};

template <class T, Verb verb, bool general, bool soft, class Shape>
struct VerbOf {
  using type = Logarithms<T, verb, general, Shape>;
};
template <class T, bool general, bool soft, class Shape>
struct VerbOf<T, Verb::softmax, general, soft, Shape> {
  using type = Probabilities<T, Verb::softmax, general, Shape>;
};
template <class T, bool general, bool soft, class Shape>
struct VerbOf<T, Verb::hessian_product, general, soft, Shape> {
  using type = Probabilities<T, Verb::hessian_product, general, Shape>;
};
template <class T, bool general, bool soft, class Shape>
struct VerbOf<T, Verb::loss, general, soft, Shape> {
  using type = Losses<T, Verb::loss, general, soft, Shape>;
};
template <class T, bool general, bool soft, class Shape>
struct VerbOf<T, Verb::loss_gradient, general, soft, Shape> {
  using type = Losses<T, Verb::loss_gradient, general, soft, Shape>;
};

}  // namespace
}  // namespace sksoftmax
