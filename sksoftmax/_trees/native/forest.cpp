// One body of binning and of trees over rows. Compiled once per ISA.

#include "forest.h"

#include "../../_kernel/native/simd.h"
#include "bin_search.h"
#include "reach.h"

namespace sksoftmax {
namespace {

constexpr std::int64_t kColumnBytes = 1 << 18;  // transposed codes of a block: they stay in L2
constexpr std::int64_t kMostBlockRows = 1024;
constexpr std::int64_t kValueBytes = 1 << 15;   // leaf vectors of a run of trees: they stay in L1
constexpr int kMostRun = 32, kLeastRun = 4;     // trees whose leaves are known before any is added

std::int64_t block_rows(const ForestJob& job) {
  const std::int64_t per_row = std::int64_t{kColumnGroup} * job.n_column_groups;
  std::int64_t rows = per_row > 0 ? kColumnBytes / per_row : kMostBlockRows;
  if (rows > kMostBlockRows) rows = kMostBlockRows;
  return rows > kGroupRows ? rows / kGroupRows * kGroupRows : kGroupRows;
}

// The scratch of one worker.
struct Workspace {
  Reach* reach;           // per split, and one more
  std::int32_t* numbers;  // (kMostRun, kGroupRows)
  std::uint8_t* rows;     // 16 rows of a column group, for those that end too early to be read
  std::uint8_t* columns;  // (groups of rows, columns, kGroupRows)

  template <class Take>
  static void lay_out(const ForestJob& job, Take take) {
    take(0, kMostGroupLeaves * kVectors * sizeof(Reach));
    take(1, kMostRun * kGroupRows * sizeof(std::int32_t));
    take(2, 16 * kColumnGroup);
    take(3, block_rows(job) * kColumnGroup * job.n_column_groups);
  }
  Workspace(const ForestJob& job, void* memory) {
    char* next = static_cast<char*>(memory);
    char* parts[4];
    lay_out(job, [&](int part, std::int64_t bytes) {
      parts[part] = next;
      next += bytes;
    });
    reach = reinterpret_cast<Reach*>(parts[0]);
    numbers = reinterpret_cast<std::int32_t*>(parts[1]);
    rows = reinterpret_cast<std::uint8_t*>(parts[2]);
    columns = reinterpret_cast<std::uint8_t*>(parts[3]);
  }
};

std::int64_t workspace_bytes(const ForestJob& job) {
  std::int64_t total = 0;
  Workspace::lay_out(job, [&](int, std::int64_t bytes) { total += bytes; });
  return total;
}

// logits += the leaf vectors of a run of trees, in their order, n_vectors of them at once. The sum
// of each logit is one chain of float32 additions, whatever the run: stages and batches agree bit
// for bit.
template <int n_vectors>
SKSOFTMAX_INLINE void add_tile(const float* const* leaves, int n_leaves, int n_floats,
                               std::int64_t offset, float* logits) {
  constexpr int width = Simd<float>::width, whole = n_vectors - 1;
  const int rest = n_floats - whole * width;
  Vec<float> sum[n_vectors];
#pragma GCC unroll 4
  for (int v = 0; v < whole; ++v) sum[v] = load<float>(logits + offset + v * width);
  const bool full = rest == width;
  float* tail = logits + offset + whole * width;
  sum[whole] = full ? load<float>(tail) : load_partial<float>(tail, rest, 0);
  for (int t = 0; t < n_leaves; ++t) {
    const float* value = leaves[t] + offset;
#pragma GCC unroll 4
    for (int v = 0; v < whole; ++v) sum[v] += load<float>(value + v * width);
    value += whole * width;
    sum[whole] += full ? load<float>(value) : load_partial<float>(value, rest, 0);
  }
#pragma GCC unroll 4
  for (int v = 0; v < whole; ++v) store<float>(logits + offset + v * width, sum[v]);
  if (full) store<float>(tail, sum[whole]);
  else store_partial<float>(tail, sum[whole], rest);
}

void add_leaves(const float* const* leaves, int n_leaves, std::int64_t n_classes, float* logits) {
  constexpr int width = Simd<float>::width, tile = 4 * width;
  std::int64_t k = 0;
  for (; n_classes - k > tile; k += tile) add_tile<4>(leaves, n_leaves, tile, k, logits);
  const int rest = static_cast<int>(n_classes - k);
  if (rest > 3 * width) add_tile<4>(leaves, n_leaves, rest, k, logits);
  else if (rest > 2 * width) add_tile<3>(leaves, n_leaves, rest, k, logits);
  else if (rest > width) add_tile<2>(leaves, n_leaves, rest, k, logits);
  else add_tile<1>(leaves, n_leaves, rest, k, logits);
}

// The leaf of one row, node by node.
std::int32_t walk_row(const Tree& tree, const std::int32_t* n_bins, const std::uint8_t* codes) {
  const Node* node = tree.nodes;
  while (node->left != 0) {
    const int code = codes[node->feature];
    const bool left = node->is_categorical
                          ? bit_is_set(tree.bitsets + node->index * kBitsetWords, code)
                          : (code <= node->bin) |
                                ((code == n_bins[node->feature]) & (node->missing_left != 0));
    node = tree.nodes + node->left + !left;
  }
  return node->index;
}

// A block of the wanted rows.
struct ForestBlock {
  const ForestJob& job;
  const Workspace& space;
  std::int64_t begin, end;

  std::int64_t row(std::int64_t i) const {
    if (i >= end) i = end - 1;  // the last row fills its group
    return job.rows != nullptr ? job.rows[i] : i;
  }
  std::uint8_t* columns_of(std::int64_t group) const {
    return space.columns + group * kGroupRows * kColumnGroup * job.n_column_groups;
  }

  // Pointers to the codes of 16 rows from feature `first` on, of which 64 may be read.
  void rows_from(std::int64_t i, std::int64_t first, const std::uint8_t** from) const {
    const std::int64_t d = job.n_features, size = job.n_rows * d;
    for (int r = 0; r < 16; ++r) {
      const std::int64_t at = row(i + r) * d + first;
      from[r] = job.codes + at;
      if (at + kColumnGroup <= size) continue;
      std::memcpy(space.rows + r * kColumnGroup, from[r], d - first);
      from[r] = space.rows + r * kColumnGroup;
    }
  }

  void transpose(std::int64_t group) const {
    for (int i = 0; i < kGroupRows; i += 16)
      for (int c = 0; c < job.n_column_groups; ++c) {
        const std::uint8_t* from[16];
        rows_from(begin + group * kGroupRows + i, std::int64_t{job.column_groups[c]} * kColumnGroup,
                  from);
        transpose_sixteen(from, columns_of(group) + c * kColumnGroup * kGroupRows + i,
                          kGroupRows);
      }
  }

  // Leaf numbers of a group in one tree.
  void find_leaves(const Tree& tree, std::int64_t group, std::int32_t* numbers) const {
    if (tree.row_by_row) {
      for (int i = 0; i < kGroupRows; ++i)
        numbers[i] = walk_row(tree, job.n_bins,
                              job.codes + row(begin + group * kGroupRows + i) * job.n_features);
      return;
    }
    for (int i = 0; i < kGroupRows; i += kReachRows) {
      leaf_numbers(tree, columns_of(group) + i, space.reach, numbers + i);
    }
  }

  void use_leaves(std::int64_t group, std::int32_t first_tree, int n_trees) const {
    const std::int64_t start = begin + group * kGroupRows;
    const int n = static_cast<int>(end - start < kGroupRows ? end - start : kGroupRows);
    for (int i = 0; i < n; ++i) {
      const std::int64_t r = row(start + i);
      const float* values[kMostRun];
      for (int t = 0; t < n_trees; ++t) {
        const std::int32_t number = space.numbers[t * kGroupRows + i];
        if (job.leaves != nullptr) job.leaves[r * job.n_trees + first_tree + t] = number;
        else values[t] = job.trees[first_tree + t].values + number * job.n_classes;
      }
      if (job.leaves == nullptr)
        add_leaves(values, n_trees, job.n_classes, job.logits + r * job.n_classes);
    }
  }

  // How many trees from this one on go through the rows together.
  int run_length(std::int32_t first_tree) const {
    std::int64_t bytes = 0;
    int n = 0;
    while (n < kMostRun && first_tree + n < job.n_trees &&
           (n < kLeastRun || bytes < kValueBytes)) {
      bytes += job.trees[first_tree + n].n_leaves * job.n_classes * sizeof(float);
      ++n;
    }
    return n;
  }

  void run() const {
    const std::int64_t n_groups = (end - begin + kGroupRows - 1) / kGroupRows;
    for (std::int64_t group = 0; group < n_groups; ++group) transpose(group);
    for (std::int32_t t = 0; t < job.n_trees;) {
      const int length = run_length(t);
      for (std::int64_t group = 0; group < n_groups; ++group) {
        for (int i = 0; i < length; ++i)
          find_leaves(job.trees[t + i], group, space.numbers + i * kGroupRows);
        use_leaves(group, t, length);
      }
      t += length;
    }
  }
};

void run(const ForestJob& job, std::int64_t begin, std::int64_t end, void* memory) {
  const Workspace space(job, memory);
  ForestBlock{job, space, begin, end}.run();
}

}  // namespace

extern const ForestBody SKSOFTMAX_PASTE(forest_, SKSOFTMAX_ISA) = {
    bin_rows<float>, bin_rows<double>, block_rows, workspace_bytes, run};

}  // namespace sksoftmax
