// The contract of the linear objective's native half: one read of X per pass.
//
//   logits Z = X~ W'      X~ = (X - center, 1), W the coefficients with the intercept last
//   gradient  = R' X~     R the residual of the kernel's head, block by block
//
// Everything is summed per part (a fixed range of rows, whatever the number of threads) into
// doubles, and the parts are added in order: the same bits for any number of threads.
#pragma once

#include <cstdint>

#include "sums.h"

namespace sksoftmax {

enum class Pass : int {
  logits,            // rows_out = Z, row-major, n_outputs per row
  loss_gradient,     // loss, sums = R' X~                                (n_outputs, n_columns)
  hessian_product,   // sums = (d R / d Z . direction logits)' X~         (n_outputs, n_columns)
  moments,           // sums = w' X~                                              (1, n_columns)
  gram,              // sums = X~' diag(w) X~                             (n_columns, n_columns)
  class_curvature,   // X~' diag(w (p_k (1 - p_k) + logit_l2)) X~, class by class
                     //                                     (n_outputs * n_columns, n_columns)
  pair_curvature,    // for n_outputs > 1: products of columns times w p_k p_l for k < l, and, when
                     // logit_l2 > 0, by w logit_l2 where class k is available:
                     //                                  (n_pairs [+ n_classes], n_packed)
};

// What makes losses of logits. For the sigmoids an output is any class: `classes` says which, so
// that classes which have converged need not be looked at.
enum class Head : int {
  softmax,  // over the classes of a row: one loss
  sigmoid,  // class k against the rest (sigmoid.h): a loss for each output
};

// n_packed: products x~_i x~_j for i <= j, row by row of the upper triangle.
// gram and class_curvature fill the upper triangles only (and some of what lies below).
// n_outputs == 1 with n_classes == 2: one score s stands for the logits (-s / 2, s / 2).
template <class T>
struct LinearJob {
  Pass pass = Pass::logits;
  Head head = Head::softmax;
  std::int64_t n_rows = 0, n_features = 0, n_columns = 0, n_classes = 0, n_outputs = 0;
  const T* X = nullptr;                    // dense: row-major, n_features per row
  const T* values = nullptr;               // CSR instead: values, their columns, and row pointers
  const std::int32_t* columns32 = nullptr;
  const std::int64_t* columns64 = nullptr;
  const std::int64_t* row_ptr = nullptr;
  const T* center = nullptr;               // per feature, or null
  const T* coef = nullptr;                 // (n_outputs, n_columns)
  const T* direction = nullptr;            // (n_outputs, n_columns)
  const T* offset = nullptr;               // (n_rows, n_classes) or null
  const std::uint8_t* mask = nullptr;      // (n_rows, n_classes) or null
  const T* weight = nullptr;               // per row, or null
  const std::int64_t* target_index = nullptr;
  const T* target_proba = nullptr;         // (n_rows, n_classes) instead
  T label_smoothing = 0, logit_l2 = 0;
  const std::int64_t* classes = nullptr;   // sigmoid: the class of each output
  const T* positive_weight = nullptr;      // sigmoid: weights of a class, and of its rest, per class
  const T* negative_weight = nullptr;
  T* rows_out = nullptr;
};

// Logits per row after the head's own arrangement: a score of two classes becomes a pair.
template <class T>
std::int64_t n_logits(const LinearJob<T>& job) {
  return job.head == Head::sigmoid ? job.n_outputs : job.n_classes;
}

std::int64_t constexpr packed_size(std::int64_t columns) { return columns * (columns + 1) / 2; }

template <class T>
std::int64_t sums_rows(const LinearJob<T>& job) {
  switch (job.pass) {
    case Pass::logits:
      return 0;
    case Pass::moments:
      return 1;
    case Pass::gram:
      return job.n_columns;
    case Pass::class_curvature:
      return job.n_outputs * job.n_columns;
    case Pass::pair_curvature:
      return job.n_classes * (job.n_classes - 1) / 2 + (job.logit_l2 > 0 ? job.n_classes : 0);
    default:
      return job.n_outputs;
  }
}

template <class T>
std::int64_t sums_columns(const LinearJob<T>& job) {
  return job.pass == Pass::pair_curvature ? packed_size(job.n_columns) : job.n_columns;
}

// The losses of the sigmoids, one per output, follow the sums.
template <class T>
std::int64_t n_own_losses(const LinearJob<T>& job) {
  return job.head == Head::sigmoid && job.pass == Pass::loss_gradient ? job.n_outputs : 0;
}

template <class T>
std::int64_t sums_size(const LinearJob<T>& job) {
  return sums_rows(job) * sums_columns(job) + n_own_losses(job);
}

template <class T>
struct LinearBody {
  // Rows that a block holds, a multiple of the ISA's tile.
  std::int64_t (*block_rows)(const LinearJob<T>&);
  // Entries of T of scratch that one worker needs.
  std::int64_t (*workspace_size)(const LinearJob<T>&);
  // Rows begin..end, block by block. false: some logit was not finite (the loss is then inf).
  bool (*run)(const LinearJob<T>&, std::int64_t begin, std::int64_t end, T* workspace,
              PartSums& out);
};

struct LinearKernel {
  LinearBody<float> float32;
  LinearBody<double> float64;
};

extern const LinearKernel linear_baseline, linear_avx2, linear_avx512;

}  // namespace sksoftmax
