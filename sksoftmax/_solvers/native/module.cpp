// The door of the temperature passes: sizes are checked, the GIL is released, blocks of rows are
// dealt to threads and their sums added in order.

#include "../../_kernel/native/door.h"

#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "../../_kernel/native/parallel.h"
#include "temperature.h"

using namespace sksoftmax;

namespace {

const TemperatureKernel* active = nullptr;

constexpr std::int64_t kEntriesPerBlock = 1 << 15, kEntriesPerThread = 1 << 16;

// Blocks depend on the shape only, and so do the sums: the same bits for any number of threads.
std::tuple<double, double, double, double> run_blocks(TemperatureFunction function,
                                                      const TemperatureJob& job, int n_threads) {
  const std::int64_t rows =
      std::max<std::int64_t>(64, kEntriesPerBlock / job.n_classes / 64 * 64);
  const std::int64_t n_blocks = (job.n_rows + rows - 1) / rows;
  const std::int64_t most = 1 + job.n_rows * job.n_classes / kEntriesPerThread;
  std::vector<double> block_sums(n_blocks * kTemperatureSums, 0.0);
  for_each_block(n_blocks, static_cast<int>(std::min<std::int64_t>(n_threads, most)),
                 [&](std::int64_t block, int) {
                   function(job, block * rows, std::min((block + 1) * rows, job.n_rows),
                            block_sums.data() + block * kTemperatureSums);
                 });
  double sums[kTemperatureSums] = {};
  for (std::int64_t i = 0; i < n_blocks * kTemperatureSums; ++i)
    sums[i % kTemperatureSums] += block_sums[i];
  return {sums[0], sums[1], sums[2], sums[3]};
}

void check_targets(const TemperatureJob& job) {
  for (std::int64_t i = 0; i < job.n_rows; ++i)
    if (job.target[i] < 0 || job.target[i] >= job.n_classes)
      throw nb::value_error(("target: row " + std::to_string(i) + " has class index " +
                             std::to_string(job.target[i]) + ", accepted are 0.." +
                             std::to_string(job.n_classes - 1))
                                .c_str());
}

template <class T>
TemperatureJob job_of(const In<T>& logits, std::int64_t n_classes, const In<double>& weight,
                      double factor, int n_threads) {
  require(logits && logits->size() > 0, "logits: must have at least one entry");
  const std::int64_t size = static_cast<std::int64_t>(logits->size());
  require(n_classes > 0 && size % n_classes == 0, "logits: not a whole number of rows");
  require(n_threads >= 1, "n_threads: must be at least 1");
  TemperatureJob job;
  job.n_rows = size / n_classes;
  job.n_classes = n_classes;
  if constexpr (sizeof(T) == 4) job.logits32 = logits->data();
  else job.logits64 = logits->data();
  job.weight = data_of(weight, "sample_weight", job.n_rows);
  job.factor = factor;
  return job;
}

template <class T>
std::tuple<double, double, double, double> survey(In<T> logits, std::int64_t n_classes,
                                                  In<std::int64_t> target, In<double> weight,
                                                  double factor, Out<double> row_maximum,
                                                  Out<double> row_target, int n_threads) {
  TemperatureJob job = job_of(logits, n_classes, weight, factor, n_threads);
  require(target && row_maximum && row_target, "target, row_maximum, row_target: are needed");
  job.target = data_of(target, "target", job.n_rows);
  job.row_maximum = data_of(row_maximum, "row_maximum", job.n_rows);
  job.row_target = data_of(row_target, "row_target", job.n_rows);
  nb::gil_scoped_release release;
  check_targets(job);
  return run_blocks(active->survey, job, n_threads);
}

template <class T>
std::tuple<double, double, double, double> pass(In<T> logits, std::int64_t n_classes,
                                                In<double> weight, double factor,
                                                double inverse_temperature, Out<double> row_maximum,
                                                Out<double> row_target, int n_threads) {
  TemperatureJob job = job_of(logits, n_classes, weight, factor, n_threads);
  require(row_maximum && row_target, "row_maximum, row_target: are needed");
  require(inverse_temperature > 0, "inverse_temperature: must be positive");
  job.inverse_temperature = inverse_temperature;
  job.row_maximum = data_of(row_maximum, "row_maximum", job.n_rows);
  job.row_target = data_of(row_target, "row_target", job.n_rows);
  nb::gil_scoped_release release;
  return run_blocks(active->pass, job, n_threads);
}

template <class T>
void bind(nb::module_& m) {
  m.def("temperature_survey", &survey<T>, nb::kw_only(), nb::arg("logits").noconvert(),
        nb::arg("n_classes"), nb::arg("target").noconvert(),
        nb::arg("weight").none().noconvert(), nb::arg("factor"),
        nb::arg("row_maximum").noconvert(), nb::arg("row_target").noconvert(),
        nb::arg("n_threads"));
  m.def("temperature_pass", &pass<T>, nb::kw_only(), nb::arg("logits").noconvert(),
        nb::arg("n_classes"), nb::arg("weight").none().noconvert(), nb::arg("factor"),
        nb::arg("inverse_temperature"), nb::arg("row_maximum").noconvert(),
        nb::arg("row_target").noconvert(), nb::arg("n_threads"));
}

}  // namespace

NB_MODULE(_core, m) {
  active = &SKSOFTMAX_TABLE_OF(temperature, active_isa());
  bind<float>(m);
  bind<double>(m);
}
