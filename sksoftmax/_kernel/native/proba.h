// The contract of the verbs over rows of probabilities (proba.cpp, compiled once per ISA).
#pragma once

#include <cstdint>

namespace sksoftmax {

// A first look: where the largest entry of each row is and what it is, and what the row sums to.
template <class T>
struct ProbaJob {
  std::int64_t n_rows = 0, n_classes = 0;
  const T* proba = nullptr;
  // The first of the largest entries, and its value; any class and value if a NaN is there.
  std::int64_t* argmax = nullptr;
  double* largest = nullptr;
  double* total = nullptr;         // NaN if a NaN is there
};

// How far a row is spread over the classes.
template <class T>
struct SpreadJob {
  std::int64_t n_rows = 0, n_classes = 0;
  const T* proba = nullptr;
  double* entropy = nullptr;       // -sum p log p, where 0 log 0 = 0
  double* square = nullptr;        // sum p^2
};

// The sums of a cell, which is a bin of a class: of w, w^2, w p, and of w where the row's hit is the
// class.
constexpr int kBinSums = 4;

// Bin b of class k holds edge[b] <= p < edge[b + 1]. There are n_bins + 1 edges, ascending from -inf
// to inf; those of class k begin at edges + k edges_stride.
template <class T>
struct BinJob {
  std::int64_t n_rows = 0, n_classes = 0, n_bins = 0, edges_stride = 0;
  const T* proba = nullptr;
  const std::int64_t* hit = nullptr;  // a class, or -1
  const double* weight = nullptr;     // null: 1
  const double* edges = nullptr;
  double* sums = nullptr;             // (n_classes, n_bins, kBinSums)
};

// Rows begin..end of the job; returns their smallest entry that is not NaN (+inf: there is none).
template <class T>
using ProbaFunction = double (*)(const ProbaJob<T>&, std::int64_t begin, std::int64_t end);
// Rows begin..end of the job.
template <class T>
using SpreadFunction = void (*)(const SpreadJob<T>&, std::int64_t begin, std::int64_t end);
// Classes begin..end of the job, in all rows.
template <class T>
using BinFunction = void (*)(const BinJob<T>&, std::int64_t begin, std::int64_t end);

template <class T>
struct ProbaBody {
  ProbaFunction<T> look;
  SpreadFunction<T> spread;
  BinFunction<T> bins;
};

// One per ISA; defined in proba.cpp.
struct ProbaKernel {
  ProbaBody<float> float32;
  ProbaBody<double> float64;
};

extern const ProbaKernel proba_baseline, proba_avx2, proba_avx512;

}  // namespace sksoftmax
