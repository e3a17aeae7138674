// The contract between the door (module.cpp), the chooser (select.cpp) and the bodies (rows.cpp,
// compiled once per ISA): what a verb reads and writes, and a table of functions per body.
//
//   z  logits of a row            m = max z over available classes
//   y  = (z - m) / temperature    s = sum exp(y)           p = exp(y) / s
//   q  target                     residual = p - q         log p = y - log s
#pragma once

#include <cstdint>

namespace sksoftmax {

enum class Verb : int {
  softmax,          // out = p
  log_softmax,      // out = log p
  logsumexp,        // row_out = m / temperature + log s
  entropy,          // row_out = -sum p log p
  loss,             // row_out = w (-sum q log p + logit_l2 / 2 sum z^2)
  loss_gradient,    // the same, and out = w ((p - q) / temperature + logit_l2 z)
  hessian_product,  // out = w / temperature^2 (diag(p) - p p') direction
};
constexpr int kVerbs = 7;

// n_rows rows of n_classes entries each; with row_ptr, row i is entries row_ptr[i]..row_ptr[i+1].
// A null pointer means: no mask, temperature 1, no target of that kind, weight 1.
// out may be logits for softmax and log_softmax, nothing else may alias.
template <class T>
struct Job {
  std::int64_t n_rows = 0;
  std::int64_t n_classes = 0;
  const std::int64_t* row_ptr = nullptr;
  const T* logits = nullptr;
  const std::uint8_t* mask = nullptr;
  const T* temperature = nullptr;
  std::int64_t temperature_stride = 0;  // 0: one for all rows, 1: one per row
  const std::int64_t* target_index = nullptr;
  const T* target_proba = nullptr;
  const T* weight = nullptr;
  T label_smoothing = 0;
  T logit_l2 = 0;
  const T* direction = nullptr;
  T* out = nullptr;
  T* row_out = nullptr;
};

// The first row that breaks a law, and which.
enum class Reason : int { none, not_a_number, plus_infinity, no_class_available, target_masked };

struct Fault {
  std::int64_t row = -1;
  Reason reason = Reason::none;
};

// Does rows begin..end of the job; returns the first fault among them (the others are done).
template <class T>
using RowsFunction = Fault (*)(const Job<T>&, std::int64_t begin, std::int64_t end);
template <class T>
using ElementFunction = void (*)(const T* x, T* out, std::int64_t n);

template <class T>
struct Body {
  RowsFunction<T> verbs[kVerbs];
  ElementFunction<T> exp_nonpositive, log_positive, log1p_nonnegative;
};

// One per ISA; defined in rows.cpp.
struct Kernel {
  const char* name;
  Body<float> float32;
  Body<double> float64;
};

extern const Kernel kernel_baseline, kernel_avx2, kernel_avx512;

// select.cpp: the bodies in this build, best first, and whether this CPU can run them.
struct Isa {
  const char* name;
  bool supported;
};
const Isa* isa_list(int* count);
// The index in isa_list of the active body: the best one, or what SKSOFTMAX_KERNEL names.
// -1 when that names no body or one that this CPU lacks: *error (static storage) says which.
int choose_isa(const char** error);
// What OpenMP would use (OMP_NUM_THREADS, threadpool_limits, joblib's workers set it); without
// OpenMP a large number: the other limits decide.
int max_threads();

}  // namespace sksoftmax
