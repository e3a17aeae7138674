// The contract between the door (module.cpp) and the bodies (temperature.cpp, compiled once per
// ISA): the log-loss as a function of one inverse temperature b, and its derivatives.
//
//   z  logits of a row, -inf: not available      m = max z       u = factor (z - m) <= 0
//   t  u of the label
//   s = sum exp(b u)      p = exp(b u) / s       over available classes, also at b = 0
//
//   loss = log s - b t      slope = d loss / db = E_p u - t      curvature = Var_p u >= 0
//
// The survey takes b = 0, where p is uniform, and keeps m and t of each row; a pass at b > 0 reads
// them, so that it sweeps over a row once.
#pragma once

#include <cstdint>

namespace sksoftmax {

// Sums over rows of w loss, w slope, w curvature and (w slope)^2.
constexpr int kTemperatureSums = 4;

struct TemperatureJob {
  std::int64_t n_rows = 0, n_classes = 0;
  const float* logits32 = nullptr;   // one of the two
  const double* logits64 = nullptr;
  const std::int64_t* target = nullptr;  // read by the survey only
  const double* weight = nullptr;        // null: 1
  double factor = 1;
  double inverse_temperature = 0;
  // m and t, one per row. Where a row holds NaN or +inf, or has no available class, m is not
  // finite; where its label is not available, t is not.
  double *row_maximum = nullptr, *row_target = nullptr;
};

// Rows begin..end of the job, added to sums.
using TemperatureFunction = void (*)(const TemperatureJob&, std::int64_t begin, std::int64_t end,
                                     double* sums);

// One per ISA; defined in temperature.cpp.
struct TemperatureKernel {
  TemperatureFunction survey, pass;
};

extern const TemperatureKernel temperature_baseline, temperature_avx2, temperature_avx512;

}  // namespace sksoftmax
