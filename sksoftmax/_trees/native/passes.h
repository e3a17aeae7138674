// The contract of the passes over the logits, between the door (passes_door.cpp), the bodies
// (passes.cpp, compiled once per ISA) and the leaf values (leaf_values.cpp).
//
//   advance      logits += leaf_values[leaf_of_row]; gradient = residual projection, with
//                residual = softmax(logits) - target' + logit_l2 logits, never stored; loss
//   records      fixed point: rint(w rint(gradient S))
//   leaf sums    G_k = sum w residual_k and H_k = sum w (p_k (1 - q_k) + q_k (1 - p_k)) over the
//                rows of a leaf, with p = softmax(logits) and q = target'
//
// The curvature of a row, p (1 - q) + q (1 - p), is the |p - y| to be expected of a label y drawn
// from q: |residual| for a hard label, linear in q, and not zero before q is hard. Splits add up its
// half sum over the classes, 1 - sum_k p_k q_k.
//
// Blocks of rows are fixed by the shape of the data alone, and what is summed over blocks is added
// in their order (advance) or is exact (leaf sums): the same bits for any number of threads.
#pragma once

#include <cstdint>

#include "../../_kernel/native/kernel.h"

namespace sksoftmax {

// One kind or none; target' = (1 - label_smoothing) target + label_smoothing / K.
struct Targets {
  const std::int64_t* index = nullptr;  // (n_rows)
  const float* proba = nullptr;         // (n_rows, n_classes)
  float label_smoothing = 0;
  float logit_l2 = 0;
  bool given() const { return index != nullptr || proba != nullptr; }
  // Then the curvature is |residual|.
  bool hard() const { return index != nullptr && label_smoothing == 0.0f && logit_l2 == 0.0f; }
};

constexpr std::int64_t kPadding = 16;  // floats in the widest vector
constexpr std::int64_t padded_size(std::int64_t n) {
  return (n + kPadding - 1) / kPadding * kPadding;
}

// Many classes onto few columns: lanes run along the classes, and the projection is transposed.
constexpr bool projects_along_classes(std::int64_t n_classes, std::int64_t n_columns) {
  return n_classes >= 64 && n_columns <= 8;
}

struct AdvanceJob {
  std::int64_t n_rows = 0, n_classes = 0;
  float* logits = nullptr;                    // (n_rows, n_classes)
  const std::int32_t* leaf_of_row = nullptr;  // or null: no update
  const float* leaf_values = nullptr;         // (n_leaves, n_classes)
  Targets targets;                            // none: update only
  const double* weight = nullptr;             // of the loss; null: 1
  // Columns padded with zeros, (n_classes, padded n_columns); where projects_along_classes, its
  // transpose (n_columns, padded n_classes). Null: no gradient.
  const float* projection = nullptr;
  std::int64_t n_columns = 0;
  bool has_curvature = false;                 // one more: 1 - sum_k p_k q_k
  float* gradient = nullptr;                  // (n_rows, n_columns [+ 1])
  float* loss = nullptr;                      // (n_rows), or null
  std::int64_t stride() const { return n_columns + (has_curvature ? 1 : 0); }
};

// What a block of rows adds up to.
struct Advanced {
  double loss = 0;         // sum of weight * loss
  float largest = 0;       // |gradient|, without the curvature
  Fault fault;
};

struct RecordsJob {
  std::int64_t n_rows = 0, n_columns = 0, lanes = 0;
  bool has_curvature = false;
  const float* gradient = nullptr;  // (n_rows, n_columns [+ 1])
  const double* weight = nullptr;
  double gradient_scale = 1, curvature_scale = 1, weight_scale = 1;
  std::int32_t* records = nullptr;  // (n_rows, lanes)
};

// Leaf sums are exact. Residuals are rounded to the grid 2^-24, the terms w residual to the grid
// `unit`, a power of two so large that every sum stays below 2^52 of it: additions of doubles then
// round nothing. As long as unit <= 2^-24, a term of integer weight w is w times that of weight 1.
struct LeafJob {
  std::int64_t n_classes = 0;
  const float* logits = nullptr;       // (n_rows, n_classes)
  Targets targets;                     // one kind
  const double* weight = nullptr;      // per row, or null
  const std::int32_t* rows = nullptr;  // in the order of the leaves
  std::int64_t n_listed = 0;           // how many
  double unit = 0, weight_unit = 0;
};

struct PassesBody {
  // Bytes of scratch (64-byte aligned) that one worker needs.
  std::int64_t (*advance_workspace)(const AdvanceJob&);
  Advanced (*advance)(const AdvanceJob&, std::int64_t begin, std::int64_t end, char* workspace);
  void (*records)(const RecordsJob&, std::int64_t begin, std::int64_t end);
  std::int64_t (*leaf_workspace)(const LeafJob&);
  // sums[0 .. K) += G, sums[K .. 2K) += H, sums[2K] += weight, for rows[begin .. end) of one leaf.
  Fault (*leaf_sums)(const LeafJob&, std::int64_t begin, std::int64_t end, char* workspace,
                     double* sums);
};

extern const PassesBody passes_baseline, passes_avx2, passes_avx512;

}  // namespace sksoftmax
