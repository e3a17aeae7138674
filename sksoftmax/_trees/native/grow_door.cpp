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

constexpr std::int64_t kMostLeaves = std::int64_t{1} << 30;

Bins features_of(const In<std::int32_t>& n_bins, const In<std::uint8_t>& is_categorical) {
  Bins bins;
  require(n_bins->size() > 0 && n_bins->size() < (1u << 30), "n_bins: must have one entry per feature");
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
  require(max_leaf_nodes >= 1 && max_leaf_nodes < kMostLeaves, "max_leaf_nodes: must lie in 1..2^30");
  require(n_rows >= 1 && n_rows < (std::int64_t{1} << 31), "n_rows: must lie in 1..2^31 - 1");
  require(n_threads >= 1, "n_threads: must be at least 1");
  return grow_workspace_size(bins, lanes, wide, max_leaf_nodes, n_rows, n_threads,
                             histogram_budget_bytes);
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
  GrowJob job;
  job.bins = features_of(n_bins, is_categorical);
  require(job.bins.n_features == n_features, "n_bins: must have one entry per feature");
  require(codes->size() % n_features == 0, "codes: must be whole rows of n_features");
  job.bins.codes = codes->data();
  job.bins.n_rows = static_cast<std::int64_t>(codes->size()) / n_features;
  require(job.bins.n_rows >= 1 && job.bins.n_rows < (std::int64_t{1} << 31),
          "codes: must have 1..2^31 - 1 rows");
  check_lanes(lanes);
  require(n_columns >= 1 && n_columns + (has_curvature ? 2 : 1) <= lanes,
          "n_columns: columns, curvature and weight must fit in the lanes");
  job.records.data = data_of(records, "records", job.bins.n_rows * lanes);
  job.records.lanes = lanes;
  job.records.n_columns = n_columns;
  job.records.has_curvature = has_curvature;
  job.records.wide = wide;
  check_scale(gradient_scale, "gradient_scale: must be a power of two");
  check_scale(curvature_scale, "curvature_scale: must be a power of two");
  check_scale(weight_scale, "weight_scale: must be a power of two");
  job.records.gradient_scale = gradient_scale;
  job.records.curvature_scale = curvature_scale;
  job.records.weight_scale = weight_scale;

  job.rows = rows->data();
  job.n_rows = static_cast<std::int64_t>(rows->size());
  require(job.n_rows >= 1 && job.n_rows < (std::int64_t{1} << 31), "rows: must have 1..2^31 - 1 entries");
  require(max_leaf_nodes >= 1 && max_leaf_nodes < kMostLeaves, "max_leaf_nodes: must lie in 1..2^30");
  require(max_depth >= 0, "max_depth: must not be negative (0: any depth)");
  require(min_weight >= 0 && std::isfinite(min_weight), "min_weight: must be finite and not negative");
  require(l2 >= 0 && std::isfinite(l2), "l2: must be finite and not negative");
  require(min_gain >= 0 && std::isfinite(min_gain), "min_gain: must be finite and not negative");
  require(max_features >= 1 && max_features <= n_features, "max_features: must lie in 1..n_features");
  require(n_threads >= 1, "n_threads: must be at least 1");
  job.max_leaf_nodes = max_leaf_nodes;
  job.max_depth = max_depth;
  job.min_weight = min_weight;
  job.l2 = l2;
  job.min_gain = min_gain;
  job.max_features = static_cast<std::int32_t>(max_features);
  job.seed = seed;
  job.n_threads = n_threads;

  require(group_ptr.has_value() == groups.has_value(), "groups: group_ptr and groups belong together");
  require(!group_ptr || group_ptr->size() >= 2, "group_ptr: must name at least one group");
  job.group_ptr = group_ptr ? group_ptr->data() : nullptr;
  job.groups = groups ? groups->data() : nullptr;
  job.n_groups = group_ptr ? static_cast<std::int64_t>(group_ptr->size()) - 1 : 0;
  check_groups(job, groups ? static_cast<std::int64_t>(groups->size()) : 0);

  job.workspace = workspace->data();
  job.workspace_size = static_cast<std::int64_t>(workspace->size());
  require(job.workspace_size >= grow_workspace_size(job.bins, lanes, wide, max_leaf_nodes,
                                                    job.n_rows, n_threads, 0),
          "workspace: smaller than grow_workspace_size of these arguments");
  const std::int64_t most_nodes = 2 * max_leaf_nodes - 1;
  std::uint8_t* node_bytes = data_of(nodes, "nodes", most_nodes * std::int64_t{sizeof(Node)});
  require(reinterpret_cast<std::uintptr_t>(node_bytes) % alignof(Node) == 0, "nodes: not aligned");
  job.nodes = reinterpret_cast<Node*>(node_bytes);
  job.bitsets = data_of(bitsets, "bitsets", (max_leaf_nodes - 1) * kBitsetWords);
  job.leaf_ptr = data_of(leaf_ptr, "leaf_ptr", max_leaf_nodes + 1);

  Tree tree;
  {
    nb::gil_scoped_release release;
    for (std::int64_t i = 0; i < job.n_rows; ++i)
      require(job.rows[i] >= 0 && job.rows[i] < job.bins.n_rows,
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
