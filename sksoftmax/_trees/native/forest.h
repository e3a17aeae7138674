// From bins to leaves and logits: what the door, the packing of trees and the bodies agree on.
//
// Rows go through a tree by groups, all at once: the set of rows that reach a node is a mask, and a
// split divides it into the masks of its children. That takes one comparison per node for a whole
// vector of rows, however deep the tree is, and no pointer is chased.
#pragma once

#include <cstdint>

#include "bins.h"
#include "tree.h"

namespace sksoftmax {

constexpr int kGroupRows = 128;        // rows whose codes are kept side by side, by feature
constexpr int kColumnGroup = 64;       // features that are transposed together
constexpr int kMostGroupLeaves = 256;  // a byte per row tells them apart

// A split, as a group of rows wants it: a code goes right if code - lowest (mod 256) < span.
// With missing on the right these are the codes bin + 1 .. 255, else bin + 1 .. n_bins - 1.
//
// Leaves are told apart by their place from left to right, the sum over a row's right turns of the
// leaves that it leaves on its left. Masks are kept of splits only: split s of the tree is mask s,
// children that are leaves share one more mask, which nobody reads.
struct Split {
  std::uint32_t lowest, span;    // the byte, four times
  std::uint32_t passed;          // leaves on the left, the byte four times
  std::int32_t left, right;      // masks
  std::int32_t bitset;           // of a categorical split, the row of bitsets; else -1
  std::int64_t column;           // where the codes of its feature begin, in bytes
};

struct Tree {
  const Split* splits;           // parents first
  const std::int32_t* numbers;   // of the leaves from left to right
  std::int32_t n_splits, n_leaves;
  const Node* nodes;             // for trees that are walked row by row
  const std::uint32_t* bitsets;  // a categorical split's codes that go left
  const float* values;           // (n_leaves, n_classes), or null
  bool has_categories;
  bool row_by_row;               // too large for groups, or not worth their transposed columns
};

// The trees first .. last - 1 over some rows: their leaf vectors are added to the logits, or their
// leaf numbers written.
struct ForestJob {
  const Tree* trees = nullptr;
  std::int32_t n_trees = 0;
  const std::uint8_t* codes = nullptr;  // (n_rows, n_features)
  std::int64_t n_rows = 0;
  std::int32_t n_features = 0;
  const std::int32_t* n_bins = nullptr;
  const std::int32_t* rows = nullptr;   // which rows, or null: all
  std::int64_t n_wanted = 0;            // how many of them
  const std::int32_t* column_groups = nullptr;  // the groups of kColumnGroup features that occur
  std::int32_t n_column_groups = 0;
  std::int64_t n_classes = 0;
  float* logits = nullptr;              // (n_rows, n_classes), or null
  std::int32_t* leaves = nullptr;       // (n_rows, n_trees), or null
};

struct ForestBody {
  void (*bin_float32)(const BinJob<float>&, std::int64_t begin, std::int64_t end);
  void (*bin_float64)(const BinJob<double>&, std::int64_t begin, std::int64_t end);
  std::int64_t (*block_rows)(const ForestJob&);       // wanted rows per call of run, at most
  std::int64_t (*workspace_bytes)(const ForestJob&);  // aligned to 64
  void (*run)(const ForestJob&, std::int64_t begin, std::int64_t end, void* workspace);
};

extern const ForestBody forest_baseline, forest_avx2, forest_avx512;

}  // namespace sksoftmax
