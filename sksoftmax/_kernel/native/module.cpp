// The door: types and sizes are checked here, the GIL is released, nothing is computed.

#include "door.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <vector>

#include "parallel.h"
#include "proba_door.h"

using namespace sksoftmax;

namespace {

const Kernel* active = nullptr;

template <class T>
const Body<T>& body();
template <>
const Body<float>& body<float>() {
  return active->float32;
}
template <>
const Body<double>& body<double>() {
  return active->float64;
}

template <class T>
void check_rows(const Job<T>& job, std::int64_t size) {
  if (job.row_ptr != nullptr) {
    require(job.row_ptr[0] == 0 && job.row_ptr[job.n_rows] == size,
            "row_ptr: must begin with 0 and end with the number of stacked entries");
    for (std::int64_t i = 0; i < job.n_rows; ++i)
      require(job.row_ptr[i] < job.row_ptr[i + 1], "row_ptr: must increase (no row is empty)");
  }
  if (job.target_index == nullptr) return;
  for (std::int64_t i = 0; i < job.n_rows; ++i) {
    const std::int64_t n =
        job.row_ptr != nullptr ? job.row_ptr[i + 1] - job.row_ptr[i] : job.n_classes;
    if (job.target_index[i] < 0 || job.target_index[i] >= n)
      throw nb::value_error(("target: row " + std::to_string(i) + " has class index " +
                             std::to_string(job.target_index[i]) + ", accepted are 0.." +
                             std::to_string(n - 1))
                                .c_str());
  }
}

template <class T>
Fault run_blocks(Verb verb, const Job<T>& job, std::int64_t size, int n_threads) {
  constexpr std::int64_t kEntriesPerBlock = 1 << 15, kEntriesPerThread = 1 << 16;
  const RowsFunction<T> function = body<T>().verbs[static_cast<int>(verb)];
  const std::int64_t row_entries = std::max<std::int64_t>(1, size / job.n_rows);
  // Whole tiles of short rows; a few long ones, so that no thread waits for another's last block.
  const std::int64_t at_least = std::max<std::int64_t>(1, kEntriesPerBlock / row_entries);
  const std::int64_t rows = at_least > 64 ? (at_least + 63) / 64 * 64 : at_least;
  const std::int64_t n_blocks = (job.n_rows + rows - 1) / rows;
  const int threads =
      static_cast<int>(std::min<std::int64_t>(n_threads, 1 + size / kEntriesPerThread));
  std::vector<Fault> faults(n_blocks);
  for_each_block(n_blocks, threads, [&](std::int64_t block, int) {
    const std::int64_t begin = block * rows;
    faults[block] = function(job, begin, std::min(begin + rows, job.n_rows));
  });
  for (const Fault& fault : faults)
    if (fault.reason != Reason::none) return fault;
  return {};
}

template <class T>
std::pair<std::int64_t, int> run(int verb_number, In<T> logits, std::int64_t n_classes,
                                 In<std::int64_t> row_ptr, In<std::uint8_t> mask, In<T> temperature,
                                 In<std::int64_t> target_index, In<T> target_proba, In<T> weight,
                                 double label_smoothing, double logit_l2, In<T> direction,
                                 Out<T> out, Out<T> row_out, int n_threads) {
  require(verb_number >= 0 && verb_number < kVerbs, "verb: no such verb");
  require(logits && logits->size() > 0, "logits: must have at least one entry");
  const Verb verb = static_cast<Verb>(verb_number);
  const std::int64_t size = static_cast<std::int64_t>(logits->size());
  Job<T> job;
  if (row_ptr) {
    require(row_ptr->size() >= 2, "row_ptr: must have at least two entries");
    job.n_rows = static_cast<std::int64_t>(row_ptr->size()) - 1;
    job.row_ptr = row_ptr->data();
  } else {
    require(n_classes > 0 && size % n_classes == 0, "logits: not a whole number of rows");
    job.n_classes = n_classes;
    job.n_rows = size / n_classes;
  }
  job.logits = logits->data();
  job.mask = data_of(mask, "mask", size);
  job.temperature_stride = temperature && temperature->size() > 1 ? 1 : 0;
  job.temperature =
      data_of(temperature, "temperature", job.temperature_stride != 0 ? job.n_rows : 1);
  job.target_index = data_of(target_index, "target", job.n_rows);
  job.target_proba = data_of(target_proba, "target", size);
  job.weight = data_of(weight, "sample_weight", job.n_rows);
  job.label_smoothing = static_cast<T>(label_smoothing);
  job.logit_l2 = static_cast<T>(logit_l2);
  job.direction = data_of(direction, "direction", size);
  job.out = data_of(out, "out", size);
  job.row_out = data_of(row_out, "row_out", job.n_rows);

  const bool losses = verb == Verb::loss || verb == Verb::loss_gradient;
  require(!losses || (job.target_index != nullptr) != (job.target_proba != nullptr),
          "target: exactly one kind is needed");
  require(verb != Verb::hessian_product || job.direction != nullptr, "direction: is needed");
  const bool wants_out = verb == Verb::softmax || verb == Verb::log_softmax ||
                         verb == Verb::loss_gradient || verb == Verb::hessian_product;
  const bool wants_row_out = verb == Verb::logsumexp || verb == Verb::entropy || losses;
  require(wants_out == (job.out != nullptr), "out: given where unused, or missing");
  require(wants_row_out == (job.row_out != nullptr), "row_out: given where unused, or missing");
  require(n_threads >= 1, "n_threads: must be at least 1");

  nb::gil_scoped_release release;
  check_rows(job, size);
  const Fault fault = run_blocks(verb, job, size, n_threads);
  return {fault.row, static_cast<int>(fault.reason)};
}

template <class T>
void bind_run(nb::module_& m) {
  m.def("run", &run<T>, nb::arg("verb"), nb::arg("logits").noconvert(), nb::arg("n_classes"),
        nb::arg("row_ptr").none().noconvert(), nb::arg("mask").none().noconvert(), nb::arg("temperature").none().noconvert(),
        nb::arg("target_index").none().noconvert(), nb::arg("target_proba").none().noconvert(), nb::arg("weight").none().noconvert(),
        nb::arg("label_smoothing"), nb::arg("logit_l2"), nb::arg("direction").none().noconvert(),
        nb::arg("out").none().noconvert(), nb::arg("row_out").none().noconvert(), nb::arg("n_threads"));
}

template <class T>
void bind_elementwise(nb::module_& m, const char* name, ElementFunction<T> Body<T>::*member) {
  m.def(name, [member](nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu> x) {
    auto* out = new std::vector<T>(x.size());
    nb::capsule owner(out, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    (body<T>().*member)(x.data(), out->data(), static_cast<std::int64_t>(x.size()));
    return nb::ndarray<nb::numpy, T, nb::ndim<1>>(out->data(), {out->size()}, owner);
  }, nb::arg("x").noconvert());
}

template <class T>
void bind(nb::module_& m) {
  bind_run<T>(m);
  bind_elementwise<T>(m, "exp_", &Body<T>::exp_nonpositive);
  bind_elementwise<T>(m, "log_", &Body<T>::log_positive);
  bind_elementwise<T>(m, "log1p_", &Body<T>::log1p_nonnegative);
}

}  // namespace

NB_MODULE(_core, m) {
  active = &SKSOFTMAX_TABLE_OF(kernel, active_isa());
  bind<float>(m);
  bind<double>(m);
  bind_proba(m);
  m.def("active_body", [] { return std::string(active->name); });
  m.def("runnable_bodies", [] {
    int count = 0;
    const Isa* list = isa_list(&count);
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i)
      if (list[i].supported) names.emplace_back(list[i].name);
    return names;
  });
  m.def("max_threads", &max_threads);
}
