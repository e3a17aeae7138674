// Trees, as arrays from anywhere, checked and laid out for the bodies.
#pragma once

#include <vector>

#include "forest.h"

namespace sksoftmax {

struct ForestArrays {
  const Node* nodes = nullptr;
  const std::int64_t* tree_ptr = nullptr;      // the nodes of tree t begin at tree_ptr[t]
  const std::uint32_t* bitsets = nullptr;
  const std::int64_t* bitset_ptr = nullptr;    // in rows of kBitsetWords words
  const float* values = nullptr;               // or null
  const std::int64_t* value_ptr = nullptr;     // in leaves
  std::int64_t n_trees = 0, n_nodes = 0, n_bitsets = 0, n_leaves = 0;
  std::int64_t n_classes = 0;
  const std::int32_t* n_bins = nullptr;
  std::int32_t n_features = 0;
};

// Trees that can be followed without a check. Owns all that Tree points to, apart from the values.
struct PackedForest {
  std::vector<Tree> trees;
  std::vector<Split> splits;
  std::vector<Node> nodes;              // of the trees that are walked row by row
  std::vector<std::uint32_t> bitsets;
  std::vector<std::int32_t> n_bins;
  std::vector<std::int32_t> numbers;
  std::vector<std::int32_t> column_groups;
};

// Packs all trees; std::invalid_argument where following the arrays would lead outside them.
PackedForest pack(const ForestArrays& forest);

}  // namespace sksoftmax
