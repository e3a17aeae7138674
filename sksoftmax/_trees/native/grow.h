// The contract of the grower: one tree from bins and records, best leaf first.
//
//   score = |G|^2 / (D + l2)       G the sum of a node's columns, D of its curvature, or of its
//                                  weight where records have no curvature
//   gain  = score(left) + score(right) - score(node)
//
// The leaf with the highest gain is split next, until there are max_leaf_nodes. Among equal gains
// the lowest feature, then the lowest bin, then missing right, then the lowest node wins.
#pragma once

#include "histogram.h"

namespace sksoftmax {

struct GrowJob {
  Bins bins;
  Records records;
  std::int32_t* rows = nullptr;  // in the bag, any order, repeats allowed; reordered by leaf
  std::int64_t n_rows = 0;
  std::int64_t max_leaf_nodes = 31;
  std::int64_t max_depth = 0;  // 0: any
  double min_weight = 0;       // of a child, in real units; a child always has some weight
  double l2 = 0;               // in real units of D
  double min_gain = 0;         // a split gains more than this
  std::int32_t max_features = 0;  // considered at a split: a fresh draw for every node
  std::uint64_t seed = 0;
  // Interaction constraints: a node may use the features of the groups that hold all features used
  // above it. Group g holds groups[group_ptr[g]] .. groups[group_ptr[g + 1] - 1].
  const std::int64_t* group_ptr = nullptr;
  const std::int32_t* groups = nullptr;
  std::int64_t n_groups = 0;
  std::uint8_t* workspace = nullptr;
  std::int64_t workspace_size = 0;
  int n_threads = 1;
  Node* nodes = nullptr;             // 2 max_leaf_nodes - 1
  std::uint32_t* bitsets = nullptr;  // (max_leaf_nodes - 1) kBitsetWords
  std::int64_t* leaf_ptr = nullptr;  // max_leaf_nodes + 1: the rows of each leaf
};

struct Tree {
  std::int64_t n_nodes = 0, n_leaves = 0, n_bitsets = 0;
};

// Bytes for trees from n_rows rows. Histograms take up to the budget, but never less than two
// histograms; a leaf that had to give its histogram up is summed again when it is split.
std::int64_t grow_workspace_size(const Bins& bins, int lanes, bool wide,
                                 std::int64_t max_leaf_nodes, std::int64_t n_rows, int n_threads,
                                 std::int64_t histogram_budget);

// Throws std::invalid_argument where records or codes break their contract.
Tree grow(const GrowJob& job, const Histograms& body);

}  // namespace sksoftmax
