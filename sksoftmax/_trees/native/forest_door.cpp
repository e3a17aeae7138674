// The door of bins and forests: sizes and trees are checked, the GIL is released, blocks of rows
// are dealt to threads.

#include "../../_kernel/native/door.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <new>
#include <vector>

#include "../../_kernel/native/parallel.h"
#include "forest_pack.h"

namespace sksoftmax {
namespace {

const ForestBody* active = nullptr;

int workers(int n_threads, std::int64_t work, std::int64_t work_per_thread) {
  return static_cast<int>(std::min<std::int64_t>(n_threads, 1 + work / work_per_thread));
}

// --- values to bins ------------------------------------------------------------------------------

template <class T>
using Matrix = nb::ndarray<const T, nb::ndim<2>, nb::device::cpu>;

constexpr std::int64_t kBinRows = 2048;                       // a block of one thread
constexpr std::int64_t kValuesPerThread = std::int64_t{1} << 17;  // some 200 microseconds

// The largest T that is not above c: a value of type T lies above both or neither.
template <class T>
T round_down(double c) {
  const T rounded = static_cast<T>(c);
  if (static_cast<double>(rounded) <= c) return rounded;
  return std::nextafter(rounded, -std::numeric_limits<T>::infinity());
}

void check_cuts(const double* cuts, const std::int64_t* cut_ptr, const std::uint8_t* is_categorical,
                std::int64_t n_features, std::int64_t n_cuts) {
  require(cut_ptr[0] == 0 && cut_ptr[n_features] == n_cuts, "cut_ptr: must span the cuts");
  for (std::int64_t f = 0; f < n_features; ++f) {
    const std::int64_t n = cut_ptr[f + 1] - cut_ptr[f];
    require(n >= 0 && cut_ptr[f + 1] <= n_cuts, "cut_ptr: must not decrease");
    require(n < kMostBins + (is_categorical[f] != 0), "cuts: a feature has too many");
    for (std::int64_t i = cut_ptr[f]; i < cut_ptr[f + 1]; ++i)
      require(i == cut_ptr[f] ? cuts[i] == cuts[i] : cuts[i - 1] < cuts[i],
              "cuts: must ascend within a feature");
  }
}

template <class T>
std::vector<T> search_table(const BinJob<T>& job) {
  std::vector<T> table(std::int64_t{job.n_features} * kTableSize,
                       std::numeric_limits<T>::infinity());
  for (std::int32_t f = 0; f < job.n_features; ++f) {
    T* cuts = table.data() + std::int64_t{f} * kTableSize;
    for (std::int64_t i = job.cut_ptr[f]; !job.is_categorical[f] && i < job.cut_ptr[f + 1]; ++i)
      cuts[i - job.cut_ptr[f]] = round_down<T>(job.cuts[i]);
    for (int i = 0; i < kTableCuts / kTableStep; ++i)
      cuts[kTableCuts + i] = cuts[i * kTableStep + kTableStep - 1];
  }
  return table;
}

template <class T>
void bin_columns(Matrix<T> X, In<double> cuts, In<std::int64_t> cut_ptr,
                 In<std::uint8_t> is_categorical, Out<std::uint8_t> codes, int n_threads) {
  require(cuts && cut_ptr && is_categorical && codes, "cuts, codes: are needed");
  require(n_threads >= 1, "n_threads: must be at least 1");
  const std::int64_t n = X.shape(0), d = X.shape(1);
  require(d > 0 && d < std::int64_t{1} << 28 && n < (std::int64_t{1} << 60) / d,
          "X: must have columns, and not too many");
  BinJob<T> job;
  job.X = X.data();
  job.row_stride = X.stride(0);
  job.column_stride = X.stride(1);
  job.n_features = static_cast<std::int32_t>(d);
  job.cuts = cuts->data();
  job.cut_ptr = data_of(cut_ptr, "cut_ptr", d + 1);
  job.is_categorical = data_of(is_categorical, "is_categorical", d);
  job.codes = data_of(codes, "codes", n * d);
  nb::gil_scoped_release release;
  check_cuts(job.cuts, job.cut_ptr, job.is_categorical, d, static_cast<std::int64_t>(cuts->size()));
  const std::vector<T> table = search_table(job);
  job.table = table.data();
  for_each_block((n + kBinRows - 1) / kBinRows, workers(n_threads, n * d, kValuesPerThread),
                 [&](std::int64_t block, int) {
                   const std::int64_t end = std::min((block + 1) * kBinRows, n);
                   if constexpr (sizeof(T) == 4)
                     active->bin_float32(job, block * kBinRows, end);
                   else
                     active->bin_float64(job, block * kBinRows, end);
                 });
}

// Cuts of a numerical feature, from its sorted values; the number of them.
template <class T>
int cut_column(In<T> values, In<std::int64_t> weight, int max_bins, Out<double> cuts) {
  require(values && cuts, "values, cuts: are needed");
  require(max_bins >= 2 && max_bins <= kMostBins, "max_bins: must be between 2 and 255");
  const std::int64_t n = values->size();
  const T* data = values->data();
  const std::int64_t* weights = data_of(weight, "weight", n);
  double* out = data_of(cuts, "cuts", max_bins - 1);
  nb::gil_scoped_release release;
  require(n < std::int64_t{1} << 31, "values: too many");
  bool sorted = true;
  for (std::int64_t i = 1; i < n; ++i) sorted &= (data[i - 1] <= data[i]) | (data[i] != data[i]);
  require(sorted, "values: must be sorted, NaN last");
  for (std::int64_t i = 0, sum = 0; weights != nullptr && i < n; ++i) {
    constexpr std::int64_t kMost = std::int64_t{1} << 53;
    require(weights[i] >= 0 && weights[i] < kMost - sum, "weight: must be in 0 .. 2^53 in all");
    sum += weights[i];
  }
  return find_cuts(data, weights, n, max_bins, out);
}

// --- bins to leaves and logits -------------------------------------------------------------------

std::int64_t trees_of(const In<std::int64_t>& pointer, const char* message) {
  require(pointer && pointer->size() > 0 && pointer->size() < std::size_t{1} << 31, message);
  return static_cast<std::int64_t>(pointer->size()) - 1;
}

ForestArrays arrays_of(const In<std::uint8_t>& nodes, const In<std::uint32_t>& bitsets,
                       const In<std::int32_t>& n_bins, std::int64_t n_features) {
  require(nodes && bitsets && n_bins, "nodes, bitsets, n_bins: are needed");
  require(n_features > 0 && n_features < std::int64_t{1} << 28,
          "n_features: must be positive, and not too large");
  require(nodes->size() % sizeof(Node) == 0 &&
              reinterpret_cast<std::uintptr_t>(nodes->data()) % alignof(Node) == 0,
          "nodes: expected whole, aligned nodes");
  require(bitsets->size() % kBitsetWords == 0, "bitsets: expected rows of 8 words");
  ForestArrays forest;
  forest.nodes = reinterpret_cast<const Node*>(nodes->data());
  forest.n_nodes = static_cast<std::int64_t>(nodes->size() / sizeof(Node));
  forest.bitsets = bitsets->data();
  forest.n_bitsets = static_cast<std::int64_t>(bitsets->size() / kBitsetWords);
  forest.n_features = static_cast<std::int32_t>(n_features);
  forest.n_bins = data_of(n_bins, "n_bins", n_features);
  return forest;
}

// Checked trees, ready to be followed; the values stay where they are.
struct Trees {
  PackedForest packed;
  In<float> values;
  std::int64_t n_classes;

  Trees(In<std::uint8_t> nodes, In<std::int64_t> tree_ptr, In<std::uint32_t> bitsets,
        In<std::int64_t> bitset_ptr, In<float> values_, In<std::int64_t> value_ptr,
        std::int64_t n_classes_, In<std::int32_t> n_bins, std::int64_t n_features)
      : values(std::move(values_)), n_classes(n_classes_) {
    ForestArrays forest = arrays_of(nodes, bitsets, n_bins, n_features);
    forest.n_trees = trees_of(tree_ptr, "tree_ptr: must have an entry per tree, and one more");
    forest.tree_ptr = tree_ptr->data();
    forest.bitset_ptr = data_of(bitset_ptr, "bitset_ptr", forest.n_trees + 1);
    forest.value_ptr = data_of(value_ptr, "value_ptr", forest.n_trees + 1);
    require(values && bitset_ptr && value_ptr, "values, bitset_ptr, value_ptr: are needed");
    require(n_classes > 0 && n_classes < 1 << 30 && values->size() % n_classes == 0,
            "values: expected rows of n_classes");
    forest.values = values->data();
    forest.n_leaves = static_cast<std::int64_t>(values->size()) / n_classes;
    forest.n_classes = n_classes;
    nb::gil_scoped_release release;
    packed = pack(forest);
  }
};

// What all that follow trees read.
ForestJob job_of(const PackedForest& packed, const In<std::uint8_t>& codes) {
  const std::int64_t n_features = static_cast<std::int64_t>(packed.n_bins.size());
  require(codes && codes->size() % n_features == 0, "codes: expected rows of n_features codes");
  ForestJob job;
  job.trees = packed.trees.data();
  job.n_trees = static_cast<std::int32_t>(packed.trees.size());
  job.codes = codes->data();
  job.n_rows = job.n_wanted = static_cast<std::int64_t>(codes->size()) / n_features;
  job.n_features = static_cast<std::int32_t>(n_features);
  job.n_bins = packed.n_bins.data();
  job.column_groups = packed.column_groups.data();
  job.n_column_groups = static_cast<std::int32_t>(packed.column_groups.size());
  return job;
}

constexpr std::int64_t kNodesPerThread = std::int64_t{1} << 22;  // some 200 microseconds

void run_forest(const ForestJob& job, int n_threads) {
  if (job.n_wanted == 0 || job.n_trees == 0) return;
  std::int64_t per_row = job.n_trees * (job.n_classes + 1);
  for (std::int32_t t = 0; t < job.n_trees; ++t) per_row += 2 * job.trees[t].n_leaves;
  const std::int64_t block = active->block_rows(job);
  const std::int64_t n_blocks = (job.n_wanted + block - 1) / block;
  n_threads = workers(n_threads, job.n_wanted * per_row, kNodesPerThread);
  struct Free {
    void operator()(void* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  const std::int64_t bytes = (active->workspace_bytes(job) + 63) / 64 * 64;
  const std::int64_t n_workers = std::min<std::int64_t>(n_threads, n_blocks);
  const std::unique_ptr<void, Free> memory(
      ::operator new(bytes * n_workers, std::align_val_t{64}));
  for_each_block(n_blocks, n_threads, [&](std::int64_t b, int worker) {
    active->run(job, b * block, std::min((b + 1) * block, job.n_wanted),
                static_cast<char*>(memory.get()) + worker * bytes);
  });
}

void predict(const Trees& trees, In<std::uint8_t> codes, std::int64_t first_tree,
             std::int64_t last_tree, Out<float> logits, int n_threads) {
  ForestJob job = job_of(trees.packed, codes);
  require(logits.has_value(), "logits: is needed");
  require(n_threads >= 1, "n_threads: must be at least 1");
  require(0 <= first_tree && first_tree <= last_tree && last_tree <= job.n_trees,
          "first_tree, last_tree: must be a range of trees");
  require(job.n_rows < (std::int64_t{1} << 60) / trees.n_classes, "codes: too many rows");
  job.trees += first_tree;
  job.n_trees = static_cast<std::int32_t>(last_tree - first_tree);
  job.n_classes = trees.n_classes;
  job.logits = data_of(logits, "logits", job.n_rows * job.n_classes);
  nb::gil_scoped_release release;
  run_forest(job, n_threads);
}

void apply(const Trees& trees, In<std::uint8_t> codes, Out<std::int32_t> leaves, int n_threads) {
  ForestJob job = job_of(trees.packed, codes);
  require(leaves.has_value(), "leaves: is needed");
  require(n_threads >= 1, "n_threads: must be at least 1");
  require(job.n_rows < (std::int64_t{1} << 60) / (job.n_trees + 1), "codes: too many rows");
  job.leaves = data_of(leaves, "leaves", job.n_rows * job.n_trees);
  nb::gil_scoped_release release;
  run_forest(job, n_threads);
}

void walk(In<std::uint8_t> nodes, In<std::uint32_t> bitsets, In<std::uint8_t> codes,
          std::int64_t n_features, In<std::int32_t> n_bins, In<std::int32_t> rows,
          Out<std::int32_t> leaf_of_row, int n_threads) {
  ForestArrays forest = arrays_of(nodes, bitsets, n_bins, n_features);
  const std::int64_t tree_ptr[] = {0, forest.n_nodes}, bitset_ptr[] = {0, forest.n_bitsets};
  forest.n_trees = 1;
  forest.tree_ptr = tree_ptr;
  forest.bitset_ptr = bitset_ptr;
  const PackedForest packed = pack(forest);
  ForestJob job = job_of(packed, codes);
  require(leaf_of_row.has_value(), "leaf_of_row: is needed");
  require(n_threads >= 1, "n_threads: must be at least 1");
  job.leaves = data_of(leaf_of_row, "leaf_of_row", job.n_rows);
  if (rows) {
    job.rows = rows->data();
    job.n_wanted = static_cast<std::int64_t>(rows->size());
  }
  nb::gil_scoped_release release;
  for (std::int64_t i = 0; rows && i < job.n_wanted; ++i)
    require(job.rows[i] >= 0 && job.rows[i] < job.n_rows,
            "rows: a number is not one of a row of codes");
  run_forest(job, n_threads);
}

template <class T>
void bind_bins(nb::module_& m) {
  m.def("bin_columns", &bin_columns<T>, nb::kw_only(), nb::arg("X").noconvert(),
        nb::arg("cuts").noconvert(), nb::arg("cut_ptr").noconvert(),
        nb::arg("is_categorical").noconvert(), nb::arg("codes").noconvert(), nb::arg("n_threads"));
  m.def("cut_column", &cut_column<T>, nb::kw_only(), nb::arg("values").noconvert(),
        nb::arg("weight").none().noconvert(), nb::arg("max_bins"), nb::arg("cuts").noconvert());
}

}  // namespace

void bind_forest(nb::module_& m) {
  active = &SKSOFTMAX_TABLE_OF(forest, active_isa());
  bind_bins<float>(m);
  bind_bins<double>(m);
  m.def("walk", &walk, nb::kw_only(), nb::arg("nodes").noconvert(),
        nb::arg("bitsets").noconvert(), nb::arg("codes").noconvert(), nb::arg("n_features"),
        nb::arg("n_bins").noconvert(), nb::arg("rows").none().noconvert(),
        nb::arg("leaf_of_row").noconvert(), nb::arg("n_threads"));
  nb::class_<Trees>(m, "Trees")
      .def(nb::init<In<std::uint8_t>, In<std::int64_t>, In<std::uint32_t>, In<std::int64_t>,
                    In<float>, In<std::int64_t>, std::int64_t, In<std::int32_t>, std::int64_t>(),
           nb::kw_only(), nb::arg("nodes").noconvert(), nb::arg("tree_ptr").noconvert(),
           nb::arg("bitsets").noconvert(), nb::arg("bitset_ptr").noconvert(),
           nb::arg("values").noconvert(), nb::arg("value_ptr").noconvert(),
           nb::arg("n_classes"), nb::arg("n_bins").noconvert(), nb::arg("n_features"));
  m.def("predict", &predict, nb::kw_only(), nb::arg("trees"), nb::arg("codes").noconvert(),
        nb::arg("first_tree"), nb::arg("last_tree"), nb::arg("logits").noconvert(),
        nb::arg("n_threads"));
  m.def("apply", &apply, nb::kw_only(), nb::arg("trees"), nb::arg("codes").noconvert(),
        nb::arg("leaves").noconvert(), nb::arg("n_threads"));
}

}  // namespace sksoftmax
