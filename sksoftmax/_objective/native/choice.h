// The contract of the choice objective's native half: one read of the attributes per pass.
//
//   case n chooses alternative c among the entries j (its available alternatives)
//   d_j = x_j - x_c            only differences to the chosen alternative matter
//   p   = softmax(d theta)     the kernel's ragged head
//   m_n = sum_j p_j d_j        minus the score of the case: the gradient of log p_c is -m_n
//   H_n = sum_j p_j (d_j - m_n)(d_j - m_n)'
//
// x_j is a row of a matrix (long data), or made from the columns of the case's row by the terms of
// the alternative (wide data), block by block, so that no design is ever held as a whole.
#pragma once

#include <cstdint>

#include "sums.h"

namespace sksoftmax {

enum class ChoicePass : int {
  loss_gradient,   // loss = -sum w log p_c, sums = sum w m_n                  (1, n_parameters)
  curvature,       // the same, and below it sum w H_n                     (1 + n_parameters, ..)
  score_products,  // sums = sum w m_n m_n'                        (n_parameters, n_parameters)
  scores,          // rows_out = -m_n                                   n_parameters per case
  utilities,       // rows_out = d_j theta                                       1 per entry
  differences,     // rows_out = d_j                                   n_parameters per entry
};
// Square sums have their upper triangle filled only.

struct ChoiceJob {
  ChoicePass pass = ChoicePass::loss_gradient;
  std::int64_t first_case = 0, last_case = 0;  // the pass runs over these; rows_out begins there
  std::int64_t n_parameters = 0, n_columns = 0, n_alternatives = 0;
  std::int64_t most_entries = 0;               // of any case
  const double* values = nullptr;              // rows (cases; long data: entries) of n_columns
  std::int64_t row_stride = 0, column_stride = 0;
  // Wide data, else null: terms of alternative j are term_ptr[j]..term_ptr[j + 1]:
  // x[parameter] = factor * column, or the factor alone where the column is -1.
  const std::int64_t *term_ptr = nullptr, *term_parameter = nullptr, *term_column = nullptr;
  const double* term_factor = nullptr;
  const std::uint8_t* available = nullptr;     // (n_cases, n_alternatives), or null: all
  const double* scale = nullptr;               // long data: x is multiplied by it, per parameter
  const std::int64_t* row_ptr = nullptr;       // entries of case n: row_ptr[n]..row_ptr[n + 1]
  const std::int64_t* chosen = nullptr;        // position among the entries of the case
  const double* weight = nullptr;              // per case, or null
  const double* theta = nullptr;
  double* rows_out = nullptr;
};

inline std::int64_t sums_size(const ChoiceJob& job) {
  const std::int64_t P = job.n_parameters;
  switch (job.pass) {
    case ChoicePass::loss_gradient:
      return P;
    case ChoicePass::curvature:
      return P + P * P;
    case ChoicePass::score_products:
      return P * P;
    default:
      return 0;
  }
}

struct ChoiceBody {
  // Entries that a block holds: as many whole cases as fit, at least one.
  std::int64_t (*block_entries)(const ChoiceJob&);
  std::int64_t (*workspace_size)(const ChoiceJob&);  // doubles that one worker needs
  // Cases begin..end, block by block. false: a utility was not finite (the loss is then inf).
  bool (*run)(const ChoiceJob&, std::int64_t begin, std::int64_t end, double* workspace,
              PartSums& out);
};

extern const ChoiceBody choice_baseline, choice_avx2, choice_avx512;

}  // namespace sksoftmax
