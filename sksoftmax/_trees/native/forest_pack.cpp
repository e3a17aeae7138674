#include "forest_pack.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace sksoftmax {
namespace {

[[noreturn]] void fail(const std::string& message) { throw std::invalid_argument(message); }

void check_pointer(const std::int64_t* pointer, std::int64_t n, std::int64_t last,
                   const char* name) {
  if (pointer[0] != 0 || pointer[n] != last)
    fail(std::string(name) + ": must run from 0 to " + std::to_string(last));
  for (std::int64_t t = 0; t < n; ++t)
    if (pointer[t] > pointer[t + 1] || pointer[t + 1] > last)
      fail(std::string(name) + ": must not decrease");
}

// One tree: children behind their parents, every node but the root the child of one.
struct TreeCheck {
  const ForestArrays& forest;
  std::int64_t tree;
  const Node* nodes;
  std::int64_t n_nodes, n_leaves, n_bitsets;
  std::vector<char>& seen;

  [[noreturn]] void fail_at(std::int64_t i, const char* what) const {
    fail("nodes: node " + std::to_string(i) + " of tree " + std::to_string(tree) + ": " + what);
  }

  void check_split(std::int64_t i, const Node& node) const {
    if (node.feature < 0 || node.feature >= forest.n_features)
      fail_at(i, "its feature is not one of n_features");
    if (node.left <= i || node.left + std::int64_t{1} >= n_nodes)
      fail_at(i, "its children lie outside the tree or before it");
    if (seen[node.left] || seen[node.left + 1]) fail_at(i, "its children have another parent");
    seen[node.left] = seen[node.left + 1] = 1;
    if (node.is_categorical != 0 && (node.index < 0 || node.index >= n_bitsets))
      fail_at(i, "its row of bitsets does not exist");
    if (node.is_categorical == 0 && node.bin >= forest.n_bins[node.feature])
      fail_at(i, "its bin is not one of the feature's n_bins");
  }

  void check() const {
    if (n_nodes < 1 || n_nodes % 2 == 0 || n_nodes >= std::int64_t{1} << 31)
      fail("nodes: tree " + std::to_string(tree) + " must have an odd number of nodes");
    std::fill(seen.begin(), seen.begin() + n_nodes, 0);
    for (std::int64_t i = 0; i < n_nodes; ++i) {
      const Node& node = nodes[i];
      if (i > 0 && !seen[i]) fail_at(i, "it is no child of a node before it");
      if (node.left != 0) check_split(i, node);
      else if (node.index < 0 || node.index >= n_leaves)
        fail_at(i, "its leaf number is not below the number of leaves");
    }
  }
};

// A tree from left to right: how many leaves lie under each node, and how many on its left.
struct Places {
  std::vector<std::int32_t> leaves, before, mask;

  void count(const Node* nodes, std::int32_t n_nodes) {
    leaves.assign(n_nodes, 1);
    before.assign(n_nodes, 0);
    mask.assign(n_nodes, n_nodes / 2);  // of leaves: the one that nobody reads
    for (std::int32_t i = n_nodes - 1; i >= 0; --i)
      if (nodes[i].left != 0) leaves[i] = leaves[nodes[i].left] + leaves[nodes[i].left + 1];
    for (std::int32_t i = 0, split = 0; i < n_nodes; ++i) {
      if (nodes[i].left == 0) continue;
      mask[i] = split++;
      before[nodes[i].left] = before[i];
      before[nodes[i].left + 1] = before[i] + leaves[nodes[i].left];
    }
  }
};

Split pack_split(const ForestArrays& forest, const Node& node, const Places& places,
                 const std::vector<std::int32_t>& column_of_group) {
  constexpr std::uint32_t kFourTimes = 0x01010101u;
  Split split{};
  split.bitset = node.is_categorical != 0 ? node.index : -1;
  if (node.is_categorical == 0) {
    const int first_right = node.bin + 1;
    const int end_right = node.missing_left ? forest.n_bins[node.feature] : 256;
    split.lowest = first_right * kFourTimes;
    split.span = (end_right - first_right) * kFourTimes;
  }
  split.passed = (places.leaves[node.left] & 255) * kFourTimes;
  split.column = column_of_group[node.feature / kColumnGroup] + node.feature % kColumnGroup;
  split.column *= kGroupRows;
  split.left = places.mask[node.left];
  split.right = places.mask[node.left + 1];
  return split;
}

// The groups of columns in which the trees split, and where each begins among those chosen.
std::vector<std::int32_t> choose_columns(const ForestArrays& forest, PackedForest& packed) {
  std::vector<std::int32_t> column_of_group(forest.n_features / kColumnGroup + 1, -1);
  for (std::int64_t i = 0; i < forest.n_nodes; ++i)
    if (forest.nodes[i].left != 0) column_of_group[forest.nodes[i].feature / kColumnGroup] = 0;
  for (std::size_t g = 0; g < column_of_group.size(); ++g)
    if (column_of_group[g] == 0) {
      column_of_group[g] = static_cast<std::int32_t>(packed.column_groups.size()) * kColumnGroup;
      packed.column_groups.push_back(static_cast<std::int32_t>(g));
    }
  return column_of_group;
}

// Appends the splits and leaf numbers of a tree.
void pack_tree(const ForestArrays& forest, const std::vector<std::int32_t>& columns,
               Places& places, Tree& tree, PackedForest& packed) {
  const std::int32_t n_nodes = tree.n_splits + tree.n_leaves;
  tree.splits = packed.splits.data() + packed.splits.size();
  tree.numbers = packed.numbers.data() + packed.numbers.size();
  places.count(tree.nodes, n_nodes);
  packed.numbers.resize(packed.numbers.size() + tree.n_leaves);
  std::int32_t* numbers = packed.numbers.data() + packed.numbers.size() - tree.n_leaves;
  for (std::int32_t i = 0; i < n_nodes; ++i) {
    const Node& node = tree.nodes[i];
    if (node.left != 0) packed.splits.push_back(pack_split(forest, node, places, columns));
    else numbers[places.before[i]] = node.index;
    tree.has_categories |= node.left != 0 && node.is_categorical != 0;
  }
}

// Transposing a column group costs a row about 8 ns in the time of a walk's 5 steps: few trees on
// many features are better walked.
constexpr std::int64_t kMostGroupsPerTree = 4;

void check_forest(const ForestArrays& forest) {
  for (std::int32_t f = 0; f < forest.n_features; ++f)
    if (forest.n_bins[f] < 1 || forest.n_bins[f] > kMostBins)
      fail("n_bins: must be between 1 and 255");
  check_pointer(forest.tree_ptr, forest.n_trees, forest.n_nodes, "tree_ptr");
  check_pointer(forest.bitset_ptr, forest.n_trees, forest.n_bitsets, "bitset_ptr");
  if (forest.value_ptr != nullptr)
    check_pointer(forest.value_ptr, forest.n_trees, forest.n_leaves, "value_ptr");
  std::int64_t most = 0;
  for (std::int64_t t = 0; t < forest.n_trees; ++t)
    most = std::max(most, forest.tree_ptr[t + 1] - forest.tree_ptr[t]);
  std::vector<char> seen(most);
  for (std::int64_t t = 0; t < forest.n_trees; ++t) {
    const std::int64_t n_nodes = forest.tree_ptr[t + 1] - forest.tree_ptr[t];
    const std::int64_t n_leaves = (n_nodes + 1) / 2;
    if (forest.value_ptr != nullptr && forest.value_ptr[t + 1] - forest.value_ptr[t] != n_leaves)
      fail("value_ptr: tree " + std::to_string(t) + " needs one row of values per leaf");
    TreeCheck{forest, t, forest.nodes + forest.tree_ptr[t], n_nodes, n_leaves,
              forest.bitset_ptr[t + 1] - forest.bitset_ptr[t], seen}
        .check();
  }
}

}  // namespace

PackedForest pack(const ForestArrays& forest) {
  check_forest(forest);
  PackedForest packed;
  packed.n_bins.assign(forest.n_bins, forest.n_bins + forest.n_features);
  packed.bitsets.assign(forest.bitsets, forest.bitsets + forest.n_bitsets * kBitsetWords);
  const std::vector<std::int32_t> columns = choose_columns(forest, packed);
  const std::int64_t n_groups = static_cast<std::int64_t>(packed.column_groups.size());
  const bool wide = n_groups > kMostGroupsPerTree * forest.n_trees;
  if (wide) packed.column_groups.clear();
  // Reserved in full: the trees point into them.
  packed.splits.reserve(forest.n_nodes / 2);
  packed.numbers.reserve(forest.n_nodes / 2 + forest.n_trees);
  Places places;
  for (std::int64_t t = 0; t < forest.n_trees; ++t) {
    const std::int64_t size = forest.tree_ptr[t + 1] - forest.tree_ptr[t];
    Tree tree{};
    tree.n_splits = static_cast<std::int32_t>(size / 2);
    tree.n_leaves = static_cast<std::int32_t>((size + 1) / 2);
    tree.nodes = forest.nodes + forest.tree_ptr[t];
    tree.bitsets = packed.bitsets.data() + forest.bitset_ptr[t] * kBitsetWords;
    if (forest.values != nullptr)
      tree.values = forest.values + forest.value_ptr[t] * forest.n_classes;
    tree.row_by_row = wide || tree.n_leaves > kMostGroupLeaves;
    if (tree.row_by_row) packed.nodes.insert(packed.nodes.end(), tree.nodes, tree.nodes + size);
    else pack_tree(forest, columns, places, tree, packed);
    packed.trees.push_back(tree);
  }
  const Node* nodes = packed.nodes.data();
  for (Tree& tree : packed.trees) {
    tree.nodes = nodes;  // the array has stopped moving
    if (tree.row_by_row) nodes += tree.n_splits + tree.n_leaves;
  }
  return packed;
}

}  // namespace sksoftmax
