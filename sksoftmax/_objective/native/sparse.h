// The two products of a pass for one row of a CSR matrix. The rows stay uncentred (centring would
// make them dense); the intercept's column of ones is implied.
#pragma once

#include "linear.h"

namespace sksoftmax {
namespace {

template <class T, class F>
inline void for_each_entry(const LinearJob<T>& job, std::int64_t row, F f) {
  const std::int64_t first = job.row_ptr[row], last = job.row_ptr[row + 1];
  if (job.columns32 != nullptr)
    for (std::int64_t e = first; e < last; ++e) f(std::int64_t{job.columns32[e]}, job.values[e]);
  else
    for (std::int64_t e = first; e < last; ++e) f(job.columns64[e], job.values[e]);
}

// z[k * stride] = x~ . w_k for the outputs k; coef is feature-major (n_columns, n_outputs) here.
template <class T>
inline void sparse_scores(const LinearJob<T>& job, std::int64_t row, const T* coef, T* scores,
                          T* z, std::int64_t stride) {
  const std::int64_t K = job.n_outputs;
  const bool intercept = job.n_columns > job.n_features;
  for (std::int64_t k = 0; k < K; ++k) scores[k] = intercept ? coef[job.n_features * K + k] : T(0);
  for_each_entry(job, row, [&](std::int64_t column, T x) {
    const T* w = coef + column * K;
    for (std::int64_t k = 0; k < K; ++k) scores[k] += x * w[k];
  });
  for (std::int64_t k = 0; k < K; ++k) z[k * stride] = scores[k];
}

// sums[column, k] += x r[k * stride], feature-major, in doubles.
template <class T>
inline void sparse_accumulate(const LinearJob<T>& job, std::int64_t row, const T* r,
                              std::int64_t stride, double* sums) {
  const std::int64_t K = job.n_outputs;
  for_each_entry(job, row, [&](std::int64_t column, T x) {
    double* sum = sums + column * K;
    for (std::int64_t k = 0; k < K; ++k) sum[k] += static_cast<double>(x * r[k * stride]);
  });
  if (job.n_columns > job.n_features) {
    double* sum = sums + job.n_features * K;
    for (std::int64_t k = 0; k < K; ++k) sum[k] += static_cast<double>(r[k * stride]);
  }
}

}  // namespace
}  // namespace sksoftmax
