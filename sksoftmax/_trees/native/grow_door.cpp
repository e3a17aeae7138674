// The door of the grower: every size and value is checked, the GIL is released.

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <nanobind/stl/tuple.h>

#include "../../_kernel/native/door.h"
#include "grow.h"

namespace sksoftmax {
namespace {

const Histograms* active = nullptr;

constexpr std::int64_t kMostLeaves = std::int64_t{1} << 30, kMostRows = (std::int64_t{1} << 31) - 1;

bool within(std::int64_t value, std::int64_t least, std::int64_t most) {
  return value >= least && value <= most;
}

template <class Array>
std::int64_t size_of(const Array& array) {
  return array ? static_cast<std::int64_t>(array->size()) : 0;
}

Bins features_of(const In<std::int32_t>& n_bins, const In<std::uint8_t>& is_categorical) {
  Bins bins;
  require(within(size_of(n_bins), 1, 1 << 30), "n_bins: must have one entry per feature");
  bins.n_features = static_cast<std::int32_t>(n_bins->size());
  bins.n_bins = n_bins->data();
  bins.is_categorical = data_of(is_categorical, "is_categorical", bins.n_features);
  for (std::int32_t f = 0; f < bins.n_features; ++f)
    require(bins.n_bins[f] >= 1 && bins.n_bins[f] <= kMostBins, "n_bins: must lie in 1..255");
  return bins;
}

void check_lanes(int lanes) {
  require(lanes == 4 || lanes == 8 || (lanes > 0 && lanes % 16 == 0 && lanes < (1 << 20)),
          "lanes: must be 4, 8 or a multiple of 16");
}

void check_scale(double scale, const char* message) {
  int exponent = 0;
  require(std::isfinite(scale) && scale > 0 && std::frexp(scale, &exponent) == 0.5, message);
}

void check_real(double value, const char* message) {
  require(std::isfinite(value) && value >= 0, message);
}

void check_sizes(std::int64_t max_leaf_nodes, std::int64_t n_rows, int n_threads) {
  require(within(max_leaf_nodes, 1, kMostLeaves), "max_leaf_nodes: must lie in 1..2^30");
  require(within(n_rows, 1, kMostRows), "rows: must be 1..2^31 - 1");
  require(n_threads >= 1, "n_threads: must be at least 1");
}

void check_groups(const GrowJob& job, std::int64_t n_listed) {
  if (job.group_ptr == nullptr) return;
  require(job.group_ptr[0] == 0 && job.group_ptr[job.n_groups] == n_listed,
          "group_ptr: does not span groups");
  for (std::int64_t g = 0; g < job.n_groups; ++g)
    require(job.group_ptr[g] <= job.group_ptr[g + 1], "group_ptr: must not decrease");
  for (std::int64_t i = 0; i < n_listed; ++i)
    require(job.groups[i] >= 0 && job.groups[i] < job.bins.n_features,
            "groups: a feature number lies outside 0..n_features - 1");
}

std::int64_t workspace_size(In<std::int32_t> n_bins, int lanes, bool wide,
                            std::int64_t max_leaf_nodes, std::int64_t n_rows, int n_threads,
                            std::int64_t histogram_budget_bytes) {
  const Bins bins = features_of(n_bins, std::nullopt);
  check_lanes(lanes);
  check_sizes(max_leaf_nodes, n_rows, n_threads);
  return grow_workspace_size(bins, lanes, wide, max_leaf_nodes, n_rows, n_threads,
                             histogram_budget_bytes);
}

void take_records(Records& to, const In<std::int32_t>& records, std::int64_t n_rows) {
  check_lanes(to.lanes);
  require(to.n_columns >= 1 && to.n_columns <= to.lanes - (to.has_curvature ? 2 : 1),
          "n_columns: columns, curvature and weight must fit in the lanes");
  to.data = data_of(records, "records", n_rows * to.lanes);
  check_scale(to.gradient_scale, "gradient_scale: must be a power of two");
  check_scale(to.curvature_scale, "curvature_scale: must be a power of two");
  check_scale(to.weight_scale, "weight_scale: must be a power of two");
}

void take_groups(GrowJob& job, const In<std::int64_t>& group_ptr, const In<std::int32_t>& groups) {
  require(group_ptr.has_value() == groups.has_value(),
          "groups: group_ptr and groups belong together");
  if (!group_ptr) return;
  require(group_ptr->size() >= 2, "group_ptr: must name at least one group");
  job.group_ptr = group_ptr->data();
  job.groups = groups->data();
  job.n_groups = size_of(group_ptr) - 1;
  check_groups(job, size_of(groups));
}

void take_memory(GrowJob& job, const Out<std::uint8_t>& workspace, const Out<std::uint8_t>& nodes,
                 const Out<std::uint32_t>& bitsets, const Out<std::int64_t>& leaf_ptr) {
  job.workspace = workspace->data();
  job.workspace_size = size_of(workspace);
  require(job.workspace_size >= grow_workspace_size(job.bins, job.records.lanes, job.records.wide,
                                                    job.max_leaf_nodes, job.n_rows, job.n_threads,
                                                    0),
          "workspace: smaller than grow_workspace_size of these arguments");
  const std::int64_t n_splits = job.max_leaf_nodes - 1;
  std::uint8_t* const bytes = data_of(nodes, "nodes", (2 * n_splits + 1) * sizeof(Node));
  require(reinterpret_cast<std::uintptr_t>(bytes) % alignof(Node) == 0, "nodes: not aligned");
  job.nodes = reinterpret_cast<Node*>(bytes);
  job.bitsets = data_of(bitsets, "bitsets", n_splits * kBitsetWords);
  job.leaf_ptr = data_of(leaf_ptr, "leaf_ptr", n_splits + 2);
}

std::tuple<std::int64_t, std::int64_t, std::int64_t> grow_tree(
    In<std::uint8_t> codes, std::int64_t n_features, In<std::int32_t> n_bins,
    In<std::uint8_t> is_categorical, In<std::int32_t> records, int lanes, int n_columns,
    bool has_curvature, bool wide, double gradient_scale, double curvature_scale,
    double weight_scale, Out<std::int32_t> rows, std::int64_t max_leaf_nodes,
    std::int64_t max_depth, double min_weight, double l2, double min_gain,
    std::int64_t max_features, std::uint64_t seed, In<std::int64_t> group_ptr,
    In<std::int32_t> groups, Out<std::uint8_t> workspace, int n_threads, Out<std::uint8_t> nodes,
    Out<std::uint32_t> bitsets, Out<std::int64_t> leaf_ptr) {
  require(codes && n_bins && is_categorical && records && rows && workspace && nodes && bitsets &&
              leaf_ptr,
          "codes, n_bins, is_categorical, records, rows, workspace, nodes, bitsets, leaf_ptr: "
          "none may be None");
  check_sizes(max_leaf_nodes, size_of(rows), n_threads);
  require(max_depth >= 0, "max_depth: must not be negative (0: any depth)");
  check_real(min_weight, "min_weight: must be finite and not negative");
  check_real(l2, "l2: must be finite and not negative");
  check_real(min_gain, "min_gain: must be finite and not negative");
  require(within(max_features, 1, n_features), "max_features: must lie in 1..n_features");
  GrowJob job;
  job.bins = features_of(n_bins, is_categorical);
  require(job.bins.n_features == n_features, "n_bins: must have one entry per feature");
  job.bins.codes = codes->data();
  job.bins.n_rows = size_of(codes) / n_features;
  require(size_of(codes) % n_features == 0, "codes: must be whole rows of n_features");
  require(within(job.bins.n_rows, 1, kMostRows), "codes: must have 1..2^31 - 1 rows");
  job.records = {nullptr, lanes,          n_columns,       has_curvature,
                 wide,    gradient_scale, curvature_scale, weight_scale};
  take_records(job.records, records, job.bins.n_rows);
  job.rows = rows->data();
  job.n_rows = size_of(rows);
  job.max_leaf_nodes = max_leaf_nodes;
  job.max_depth = max_depth;
  job.min_weight = min_weight;
  job.l2 = l2;
  job.min_gain = min_gain;
  job.max_features = static_cast<std::int32_t>(max_features);
  job.seed = seed;
  job.n_threads = n_threads;
  take_groups(job, group_ptr, groups);
  take_memory(job, workspace, nodes, bitsets, leaf_ptr);

  Tree tree;
  {
    nb::gil_scoped_release release;
    for (std::int64_t i = 0; i < job.n_rows; ++i)
      require(within(job.rows[i], 0, job.bins.n_rows - 1),
              "rows: a row number lies outside 0..n_rows - 1");
    tree = grow(job, *active);
  }
  return {tree.n_nodes, tree.n_leaves, tree.n_bitsets};
}

}  // namespace

void bind_grow(nb::module_& m) {
  active = &SKSOFTMAX_TABLE_OF(histogram, active_isa());
  m.def("grow", &grow_tree, nb::kw_only(), nb::arg("codes").noconvert(), nb::arg("n_features"),
        nb::arg("n_bins").noconvert(), nb::arg("is_categorical").noconvert(),
        nb::arg("records").noconvert(), nb::arg("lanes"), nb::arg("n_columns"),
        nb::arg("has_curvature"), nb::arg("wide"), nb::arg("gradient_scale"),
        nb::arg("curvature_scale"), nb::arg("weight_scale"), nb::arg("rows").noconvert(),
        nb::arg("max_leaf_nodes"), nb::arg("max_depth"), nb::arg("min_weight"), nb::arg("l2"),
        nb::arg("min_gain"), nb::arg("max_features"), nb::arg("seed"),
        nb::arg("group_ptr").none().noconvert(), nb::arg("groups").none().noconvert(),
        nb::arg("workspace").noconvert(), nb::arg("n_threads"), nb::arg("nodes").noconvert(),
        nb::arg("bitsets").noconvert(), nb::arg("leaf_ptr").noconvert());
  m.def("grow_workspace_size", &workspace_size, nb::kw_only(), nb::arg("n_bins").noconvert(),
        nb::arg("lanes"), nb::arg("wide"), nb::arg("max_leaf_nodes"), nb::arg("n_rows"),
        nb::arg("n_threads"), nb::arg("histogram_budget_bytes"));
}

}  // namespace sksoftmax
