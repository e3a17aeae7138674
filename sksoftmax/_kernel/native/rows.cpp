// One body of the kernel: every verb over row-major (or ragged) rows. Compiled once per ISA.

#include "rows_driver.h"

namespace sksoftmax {
namespace {

template <class T, class Function>
SKSOFTMAX_INLINE void elementwise(const T* x, T* out, std::int64_t n, Function f) {
  constexpr int width = Simd<T>::width;
  std::int64_t i = 0;
  for (; i + width <= n; i += width) store<T>(out + i, f(load<T>(x + i)));
  if (i < n) {
    const int rest = static_cast<int>(n - i);
    store_partial<T>(out + i, f(load_partial<T>(x + i, rest, T(0))), rest);
  }
}

template <class T>
void elements_exp(const T* x, T* out, std::int64_t n) {
  elementwise(x, out, n, [](Vec<T> v) { return exp_nonpositive<T>(v); });
}
template <class T>
void elements_log(const T* x, T* out, std::int64_t n) {
  elementwise(x, out, n, [](Vec<T> v) { return log_positive<T>(v); });
}
template <class T>
void elements_log1p(const T* x, T* out, std::int64_t n) {
  elementwise(x, out, n, [](Vec<T> v) { return log1p_nonnegative<T>(v); });
}

template <class T>
constexpr Body<T> body() {
  return {{rows<T, Verb::softmax>, rows<T, Verb::log_softmax>, rows<T, Verb::logsumexp>,
           rows<T, Verb::entropy>, rows<T, Verb::loss>, rows<T, Verb::loss_gradient>,
           rows<T, Verb::hessian_product>},
          elements_exp<T>,
          elements_log<T>,
          elements_log1p<T>};
}

}  // namespace

extern const Kernel SKSOFTMAX_PASTE(kernel_, SKSOFTMAX_ISA) = {
    SKSOFTMAX_TEXT(SKSOFTMAX_ISA), body<float>(), body<double>()};

}  // namespace sksoftmax
