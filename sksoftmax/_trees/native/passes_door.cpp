// The door of the passes: sizes are checked, the GIL is released, blocks are dealt to threads.

#include "../../_kernel/native/door.h"

#include <nanobind/stl/pair.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <vector>

#include "../../_kernel/native/parallel.h"
#include "leaf_values.h"
#include "passes.h"
#include "tree.h"

namespace sksoftmax {
namespace {

const PassesBody* active = nullptr;

// Blocks that threads share, and the least work that is worth a thread.
constexpr std::int64_t kEntriesPerBlock = 1 << 15, kEntriesPerThread = 1 << 16;

std::int64_t block_rows(std::int64_t n_classes) {
  return (std::max<std::int64_t>(1, kEntriesPerBlock / n_classes) + 63) / 64 * 64;
}

int threads_for(std::int64_t entries, int n_threads) {
  return static_cast<int>(std::min<std::int64_t>(n_threads, 1 + entries / kEntriesPerThread));
}

// Scratch for each worker, in cache lines of its own.
struct Workspaces {
  std::int64_t size;
  char* memory;
  Workspaces(std::int64_t size, std::int64_t workers)
      : size((size + 127) / 64 * 64),
        memory(static_cast<char*>(::operator new(this->size * workers, std::align_val_t{64}))) {}
  ~Workspaces() { ::operator delete(memory, std::align_val_t{64}); }
  Workspaces(const Workspaces&) = delete;
  Workspaces& operator=(const Workspaces&) = delete;
  char* of(int worker) const { return memory + worker * size; }
};

[[noreturn]] void refuse(const char* name, std::int64_t at, const std::string& what) {
  throw nb::value_error((std::string(name) + ": entry " + std::to_string(at) + " " + what).c_str());
}

// Every entry in 0 .. n - 1.
template <class T>
void check_range(const T* values, std::int64_t size, std::int64_t n, const char* name) {
  using U = std::make_unsigned_t<T>;
  U largest = 0;
  for (std::int64_t i = 0; i < size; ++i) largest = std::max(largest, static_cast<U>(values[i]));
  if (size == 0 || largest < static_cast<std::uint64_t>(n)) return;
  for (std::int64_t i = 0; i < size; ++i)
    if (values[i] < 0 || values[i] >= n)
      refuse(name, i, "is " + std::to_string(values[i]) + ", accepted are 0.." +
                          std::to_string(n - 1));
}

void check_weights(const double* weight, std::int64_t size) {
  for (std::int64_t i = 0; weight != nullptr && i < size; ++i)
    if (!(weight[i] >= 0 && weight[i] <= std::numeric_limits<double>::max()))
      refuse("sample_weight", i, "is not a finite number >= 0");
}

void check_finite(const float* values, std::int64_t size, const char* name) {
  float zero = 0;  // NaN as soon as one is not finite
  for (std::int64_t i = 0; i < size; ++i) zero += values[i] * 0.0f;
  if (zero == 0.0f) return;
  for (std::int64_t i = 0; i < size; ++i)
    if (!std::isfinite(values[i])) refuse(name, i, "is not finite");
}

constexpr double kMost = std::numeric_limits<float>::max();

void check_number(double value, double most, const char* message) {
  require(value >= 0 && value <= most, message);
}

[[noreturn]] void report(const Fault& fault) {
  const char* what = fault.reason == Reason::not_a_number    ? "holds NaN"
                     : fault.reason == Reason::plus_infinity ? "holds +inf"
                     : fault.reason == Reason::target_masked ? "holds -inf at its target"
                                                             : "holds nothing but -inf";
  throw std::runtime_error("logits: row " + std::to_string(fault.row) + " " + what);
}

std::int64_t rows_of(std::int64_t size, std::int64_t n_classes) {
  require(n_classes >= 2 && n_classes < (1 << 28), "n_classes: must be at least 2, below 2^28");
  require(size > 0 && size % n_classes == 0, "logits: not a whole number of rows");
  return size / n_classes;
}

Targets targets_of(const In<std::int64_t>& index, const In<float>& proba, double label_smoothing,
                   double logit_l2, std::int64_t n_rows, std::int64_t n_classes) {
  require(!index || !proba, "target: at most one of target_index and target_proba");
  check_number(label_smoothing, 1, "label_smoothing: must be in [0, 1]");
  check_number(logit_l2, kMost, "logit_l2: must be a finite number >= 0");
  Targets targets;
  targets.index = data_of(index, "target_index", n_rows);
  targets.proba = data_of(proba, "target_proba", n_rows * n_classes);
  targets.label_smoothing = static_cast<float>(label_smoothing);
  targets.logit_l2 = static_cast<float>(logit_l2);
  return targets;
}

void check_targets(const Targets& targets, std::int64_t n_rows, std::int64_t n_classes) {
  if (targets.index != nullptr) check_range(targets.index, n_rows, n_classes, "target_index");
}

// --- advance ------------------------------------------------------------------------------------

// The projection (n_classes, n_columns) as AdvanceJob wants it.
std::vector<float> packed_projection(const float* projection, std::int64_t K,
                                     std::int64_t columns) {
  const bool along = projects_along_classes(K, columns);
  const std::int64_t padded = padded_size(along ? K : columns);
  std::vector<float> packed((along ? columns : K) * padded, 0.0f);
  for (std::int64_t k = 0; k < K; ++k)
    for (std::int64_t j = 0; j < columns; ++j)
      packed[along ? j * padded + k : k * padded + j] = projection[k * columns + j];
  return packed;
}

std::pair<double, float> run_advance(const AdvanceJob& job, int n_threads) {
  const std::int64_t rows = block_rows(job.n_classes), n_blocks = (job.n_rows + rows - 1) / rows;
  n_threads = threads_for(job.n_rows * job.n_classes, n_threads);
  const Workspaces workspaces(active->advance_workspace(job),
                              std::min<std::int64_t>(n_threads, n_blocks));
  std::vector<Advanced> blocks(n_blocks);
  for_each_block(n_blocks, n_threads, [&](std::int64_t block, int worker) {
    blocks[block] = active->advance(job, block * rows, std::min((block + 1) * rows, job.n_rows),
                                    workspaces.of(worker));
  });
  Advanced sum;
  for (const Advanced& block : blocks) {
    if (block.fault.reason != Reason::none) report(block.fault);
    sum.loss += block.loss;
    sum.largest = std::max(sum.largest, block.largest);
  }
  return {sum.loss, sum.largest};
}

std::pair<double, float> advance(std::int64_t n_classes, Out<float> logits,
                                 In<std::int32_t> leaf_of_row, In<float> leaf_values,
                                 In<std::int64_t> target_index, In<float> target_proba,
                                 In<double> sample_weight, double label_smoothing, double logit_l2,
                                 In<float> projection, std::int64_t n_columns, bool has_curvature,
                                 Out<float> gradient, Out<float> loss, int n_threads) {
  require(logits.has_value(), "logits: is needed");
  require(n_threads >= 1, "n_threads: must be at least 1");
  AdvanceJob job;
  job.n_classes = n_classes;
  job.n_rows = rows_of(static_cast<std::int64_t>(logits->size()), n_classes);
  job.logits = logits->data();
  job.targets =
      targets_of(target_index, target_proba, label_smoothing, logit_l2, job.n_rows, n_classes);
  job.weight = data_of(sample_weight, "sample_weight", job.n_rows);
  require(leaf_of_row.has_value() == leaf_values.has_value(),
          "leaf_values: needed with leaf_of_row, and only then");
  job.leaf_of_row = data_of(leaf_of_row, "leaf_of_row", job.n_rows);
  std::int64_t n_leaves = 0;
  if (leaf_values) {
    job.leaf_values = leaf_values->data();
    n_leaves = static_cast<std::int64_t>(leaf_values->size()) / n_classes;
    require(n_leaves > 0 && n_leaves * n_classes == static_cast<std::int64_t>(leaf_values->size()),
            "leaf_values: not a whole number of leaves");
  }
  require(projection.has_value() == gradient.has_value(),
          "gradient: needed with projection, and only then");
  require(!projection || job.targets.given(), "target: is needed for a gradient");
  require(!loss || job.targets.given(), "target: is needed for a loss");
  std::vector<float> packed;
  if (projection) {
    require(n_columns >= 1 && n_columns <= n_classes, "n_columns: must be in 1..n_classes");
    data_of(projection, "projection", n_classes * n_columns);
    job.n_columns = n_columns;
    job.has_curvature = has_curvature;
    job.gradient = data_of(gradient, "gradient", job.n_rows * job.stride());
    packed = packed_projection(projection->data(), n_classes, n_columns);
    job.projection = packed.data();
  }
  job.loss = data_of(loss, "loss", job.n_rows);

  nb::gil_scoped_release release;
  if (leaf_values) {
    check_range(job.leaf_of_row, job.n_rows, n_leaves, "leaf_of_row");
    check_finite(job.leaf_values, n_leaves * n_classes, "leaf_values");
  }
  check_targets(job.targets, job.n_rows, n_classes);
  check_weights(job.weight, job.n_rows);
  return run_advance(job, n_threads);
}

// --- records ------------------------------------------------------------------------------------

void records(In<float> gradient, std::int64_t n_columns, bool has_curvature,
             In<double> sample_weight, std::int64_t lanes, double gradient_scale,
             double curvature_scale, double weight_scale, Out<std::int32_t> records,
             int n_threads) {
  require(gradient && records, "gradient, records: are needed");
  require(n_threads >= 1, "n_threads: must be at least 1");
  require(lanes == 4 || lanes == 8 || (lanes > 0 && lanes < (1 << 28) && lanes % 16 == 0),
          "lanes: must be 4, 8 or a multiple of 16");
  const std::int64_t stride = std::min(n_columns, lanes) + (has_curvature ? 1 : 0);
  require(n_columns >= 1 && stride < lanes, "n_columns: the lanes cannot hold them and the weight");
  check_number(gradient_scale, kMost, "gradient_scale: must be a finite number >= 0");
  check_number(curvature_scale, kMost, "curvature_scale: must be a finite number >= 0");
  check_number(weight_scale, kMost, "weight_scale: must be a finite number >= 0");
  RecordsJob job;
  job.n_rows = static_cast<std::int64_t>(gradient->size()) / stride;
  job.gradient = data_of(gradient, "gradient", job.n_rows * stride);
  job.records = data_of(records, "records", job.n_rows * lanes);
  job.weight = data_of(sample_weight, "sample_weight", job.n_rows);
  job.n_columns = n_columns;
  job.has_curvature = has_curvature;
  job.lanes = lanes;
  job.gradient_scale = gradient_scale;
  job.curvature_scale = curvature_scale;
  job.weight_scale = weight_scale;

  nb::gil_scoped_release release;
  check_weights(job.weight, job.n_rows);
  const std::int64_t rows = block_rows(lanes), n_blocks = (job.n_rows + rows - 1) / rows;
  for_each_block(n_blocks, threads_for(job.n_rows * lanes / 4, n_threads),
                 [&](std::int64_t block, int) {
                   active->records(job, block * rows, std::min((block + 1) * rows, job.n_rows));
                 });
}

// --- leaf values --------------------------------------------------------------------------------

// A chunk of the rows of one leaf.
struct LeafChunk {
  std::int64_t leaf, begin, end;
};

std::vector<LeafChunk> chunks_of(const std::int64_t* leaf_ptr, std::int64_t n_leaves,
                                 std::int64_t rows) {
  std::vector<LeafChunk> chunks;
  for (std::int64_t leaf = 0; leaf < n_leaves; ++leaf)
    for (std::int64_t at = leaf_ptr[leaf]; at < leaf_ptr[leaf + 1]; at += rows)
      chunks.push_back({leaf, at, std::min(at + rows, leaf_ptr[leaf + 1])});
  return chunks;
}

// Powers of two so large that no sum reaches 2^52 of them: |residual| <= 1 + logit_l2 max |z|, and
// the weights of all rows bound those of a leaf (in the order of the rows: whatever the leaves).
void choose_units(LeafJob& job, std::int64_t n_rows) {
  double total = job.weight == nullptr ? static_cast<double>(n_rows) : 0.0;
  for (std::int64_t i = 0; job.weight != nullptr && i < n_rows; ++i) total += job.weight[i];
  require(total > 0 && total < 0x1p500, "sample_weight: the sum must be positive and finite");
  float largest = 0;
  for (std::int64_t i = 0; job.targets.logit_l2 > 0 && i < n_rows * job.n_classes; ++i)
    largest = std::max(largest, std::abs(job.logits[i]));
  const double bound = 1.0 + static_cast<double>(job.targets.logit_l2) * largest;
  job.unit = std::ldexp(1.0, std::ilogb(total * bound) + 1 - 52);
  job.weight_unit = std::ldexp(1.0, std::ilogb(total) + 1 - 52);
}

// The sums of every leaf, 2 K + 1 numbers each: K * (leaves + workers) * 16 bytes of memory.
std::vector<double> leaf_sums(const LeafJob& job, const std::int64_t* leaf_ptr,
                              std::int64_t n_leaves, int n_threads) {
  const std::int64_t size = 2 * job.n_classes + 1;
  const std::vector<LeafChunk> chunks = chunks_of(leaf_ptr, n_leaves, block_rows(job.n_classes));
  const std::int64_t n_chunks = static_cast<std::int64_t>(chunks.size());
  n_threads = threads_for((leaf_ptr[n_leaves] - leaf_ptr[0]) * job.n_classes, n_threads);
  const std::int64_t workers =
      std::max<std::int64_t>(1, std::min<std::int64_t>(n_threads, n_chunks));
  const Workspaces workspaces(active->leaf_workspace(job), workers);
  std::vector<double> sums(n_leaves * size, 0.0), own(workers * size);
  std::vector<Fault> faults(n_chunks);
  constexpr std::int64_t kLocks = 64;
  std::unique_ptr<std::mutex[]> locks(new std::mutex[kLocks]);
  for_each_block(n_chunks, n_threads, [&](std::int64_t c, int worker) {
    const LeafChunk& chunk = chunks[c];
    double* part = own.data() + worker * size;
    std::fill(part, part + size, 0.0);
    faults[c] = active->leaf_sums(job, chunk.begin, chunk.end, workspaces.of(worker), part);
    const std::lock_guard<std::mutex> lock(locks[chunk.leaf % kLocks]);  // exact: in any order
    double* sum = sums.data() + chunk.leaf * size;
    for (std::int64_t i = 0; i < size; ++i) sum[i] += part[i];
  });
  for (const Fault& fault : faults)
    if (fault.reason != Reason::none) report(fault);
  return sums;
}

void check_leaf_ptr(const In<std::int64_t>& leaf_ptr, std::int64_t n_rows) {
  const std::int64_t n = static_cast<std::int64_t>(leaf_ptr->size());
  const std::int64_t* p = leaf_ptr->data();
  require(n >= 2 && p[0] == 0 && p[n - 1] == n_rows,
          "leaf_ptr: must begin with 0 and end with the number of rows");
  for (std::int64_t i = 0; i + 1 < n; ++i)
    require(p[i] <= p[i + 1], "leaf_ptr: must not decrease");
}

void leaf_values(std::int64_t n_classes, In<float> logits, In<std::int64_t> target_index,
                 In<float> target_proba, In<double> sample_weight, double label_smoothing,
                 double logit_l2, In<std::int32_t> rows, In<std::int64_t> leaf_ptr, double l2,
                 double learning_rate, int n_threads, Out<float> values) {
  require(logits && rows && leaf_ptr && values, "logits, rows, leaf_ptr, values: are needed");
  require(n_threads >= 1, "n_threads: must be at least 1");
  check_number(l2, kMost, "l2: must be a finite number >= 0");
  check_number(learning_rate, 0x1p64, "learning_rate: must be in [0, 2^64]");
  const std::int64_t n_rows = rows_of(static_cast<std::int64_t>(logits->size()), n_classes);
  const std::int64_t n_leaves = static_cast<std::int64_t>(leaf_ptr->size()) - 1;
  LeafJob job;
  job.n_classes = n_classes;
  job.logits = logits->data();
  job.targets =
      targets_of(target_index, target_proba, label_smoothing, logit_l2, n_rows, n_classes);
  require(job.targets.given(), "target: is needed");
  job.weight = data_of(sample_weight, "sample_weight", n_rows);
  job.rows = rows->data();
  job.n_listed = static_cast<std::int64_t>(rows->size());
  check_leaf_ptr(leaf_ptr, static_cast<std::int64_t>(rows->size()));
  float* to = data_of(values, "values", n_leaves * n_classes);
  const LeafRule rule = {n_classes, logit_l2, l2, learning_rate};

  nb::gil_scoped_release release;
  check_range(job.rows, static_cast<std::int64_t>(rows->size()), n_rows, "rows");
  check_targets(job.targets, n_rows, n_classes);
  check_weights(job.weight, n_rows);
  choose_units(job, n_rows);
  const std::vector<double> sums = leaf_sums(job, leaf_ptr->data(), n_leaves, n_threads);
  std::vector<double> scratch(n_classes);
  std::vector<std::int32_t> classes(n_classes);
  for (std::int64_t leaf = 0; leaf < n_leaves; ++leaf)
    leaf_values_of(rule, sums.data() + leaf * (2 * n_classes + 1), scratch.data(), classes.data(),
                   to + leaf * n_classes);
}

}  // namespace

void bind_passes(nb::module_& m) {
  active = &SKSOFTMAX_TABLE_OF(passes, active_isa());
  const auto optional = [](const char* name) { return nb::arg(name).none().noconvert(); };
  m.def("advance", &advance, nb::kw_only(), nb::arg("n_classes"), optional("logits"),
        optional("leaf_of_row"), optional("leaf_values"), optional("target_index"),
        optional("target_proba"), optional("sample_weight"), nb::arg("label_smoothing"),
        nb::arg("logit_l2"), optional("projection"), nb::arg("n_columns"), nb::arg("has_curvature"),
        optional("gradient"), optional("loss"), nb::arg("n_threads"));
  m.def("records", &records, nb::kw_only(), optional("gradient"), nb::arg("n_columns"),
        nb::arg("has_curvature"), optional("sample_weight"), nb::arg("lanes"),
        nb::arg("gradient_scale"), nb::arg("curvature_scale"), nb::arg("weight_scale"),
        optional("records"), nb::arg("n_threads"));
  m.def("leaf_values", &leaf_values, nb::kw_only(), nb::arg("n_classes"), optional("logits"),
        optional("target_index"), optional("target_proba"), optional("sample_weight"),
        nb::arg("label_smoothing"), nb::arg("logit_l2"), optional("rows"), optional("leaf_ptr"),
        nb::arg("l2"), nb::arg("learning_rate"), nb::arg("n_threads"),
        optional("values"));
}

}  // namespace sksoftmax
