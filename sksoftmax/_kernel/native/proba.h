// The contract of a first look at rows of probabilities (proba.cpp, compiled once per ISA): where the
// largest entry of each row is and what it is, what the row sums to, and the smallest entry of all.
#pragma once

#include <cstdint>

namespace sksoftmax {

template <class T>
struct ProbaJob {
  std::int64_t n_rows = 0, n_classes = 0;
  const T* proba = nullptr;
  // The first of the largest entries, and its value; any class and value if a NaN is there.
  std::int64_t* argmax = nullptr;
  double* largest = nullptr;
  double* total = nullptr;         // NaN if a NaN is there
};

// Rows begin..end of the job; returns their smallest entry that is not NaN (+inf: there is none).
template <class T>
using ProbaFunction = double (*)(const ProbaJob<T>&, std::int64_t begin, std::int64_t end);

// One per ISA; defined in proba.cpp.
struct ProbaKernel {
  ProbaFunction<float> float32;
  ProbaFunction<double> float64;
};

extern const ProbaKernel proba_baseline, proba_avx2, proba_avx512;

}  // namespace sksoftmax
