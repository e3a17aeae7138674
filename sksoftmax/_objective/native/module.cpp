// The door of the linear passes: sizes are checked, the GIL is released, rows are dealt to threads.

#include "../../_kernel/native/door.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>

#include "choice_door.h"
#include "linear.h"
#include "parts.h"

using namespace sksoftmax;

namespace {

const LinearKernel* active = nullptr;

template <class T>
const LinearBody<T>& body() {
  if constexpr (sizeof(T) == 4) return active->float32;
  else return active->float64;
}

template <class T>
void check_sparse(const LinearJob<T>& job, std::int64_t n_entries) {
  require(job.row_ptr[0] == 0 && job.row_ptr[job.n_rows] == n_entries,
          "X: the row pointers of the CSR matrix do not span its entries");
  for (std::int64_t i = 0; i < job.n_rows; ++i)
    require(job.row_ptr[i] <= job.row_ptr[i + 1], "X: the CSR row pointers must not decrease");
  for (std::int64_t e = 0; e < n_entries; ++e) {
    const std::int64_t j = job.columns32 != nullptr ? job.columns32[e] : job.columns64[e];
    require(j >= 0 && j < job.n_features, "X: a CSR column index lies outside the matrix");
  }
}

template <class T>
void check_targets(const LinearJob<T>& job) {
  for (std::int64_t i = 0; job.target_index != nullptr && i < job.n_rows; ++i)
    require(job.target_index[i] >= 0 && job.target_index[i] < job.n_classes,
            "target: a class index lies outside 0..n_classes - 1");
}

template <class T>
void check_classes(const LinearJob<T>& job) {
  for (std::int64_t o = 0; job.classes != nullptr && o < job.n_outputs; ++o)
    require(job.classes[o] >= 0 && job.classes[o] < job.n_classes,
            "classes: an index lies outside 0..n_classes - 1");
}

template <class T>
double run_parts(const LinearJob<T>& job, double* sums, int n_threads, bool* good) {
  const std::int64_t size = sums_size(job);
  const std::int64_t block = body<T>().block_rows(job);
  const std::int64_t n_blocks = (job.n_rows + block - 1) / block;
  const std::int64_t n_parts = number_of_parts(n_blocks, size);
  n_threads = threads_for(job.n_rows * std::max(size, job.n_outputs * job.n_columns), n_threads);
  const std::int64_t scratch = body<T>().workspace_size(job);
  const std::int64_t workers = std::min<std::int64_t>(n_threads, n_parts);
  std::unique_ptr<T[]> memory(new T[workers * scratch]);
  return sum_parts(n_parts, n_threads, size, sums, good,
                   [&](std::int64_t part, int worker, PartSums& out) {
    const std::int64_t first = n_blocks * part / n_parts, last = n_blocks * (part + 1) / n_parts;
    return body<T>().run(job, first * block, std::min(last * block, job.n_rows),
                         memory.get() + worker * scratch, out);
  });
}

template <class T>
double run(int pass, bool sigmoid, std::int64_t n_rows, std::int64_t n_features, bool intercept,
           std::int64_t n_classes, std::int64_t n_outputs, In<T> X, In<T> values,
           In<std::int32_t> columns32, In<std::int64_t> columns64, In<std::int64_t> row_ptr,
           In<T> center, In<T> coef, In<T> direction, In<T> offset, In<std::uint8_t> mask,
           In<T> weight, In<std::int64_t> target_index, In<T> target_proba,
           double label_smoothing, double logit_l2, In<std::int64_t> classes,
           In<T> positive_weight, In<T> negative_weight, Out<double> sums, Out<T> rows_out,
           int n_threads) {
  require(pass >= 0 && pass <= static_cast<int>(Pass::pair_curvature), "pass: no such pass");
  require(n_rows > 0 && n_features > 0 && n_classes > 0, "X: must have rows and columns");
  // Every size below is a product of these and stays within 64 bits.
  constexpr std::int64_t kMost = std::int64_t{1} << 60;
  require(n_classes < (1 << 30) && n_features < (std::int64_t{1} << 28) &&
              n_features < kMost / n_classes / n_classes,
          "X: too many columns");
  require(n_rows < kMost / (n_features + 1) && n_rows < kMost / n_classes, "X: too many rows");
  require(sigmoid ? classes && n_outputs > 0 && n_outputs <= n_classes && n_classes < (1 << 24)
                  : n_outputs == n_classes || (n_outputs == 1 && n_classes == 2),
          "n_outputs: wrong");
  require(n_threads >= 1, "n_threads: must be at least 1");
  require(pass != static_cast<int>(Pass::pair_curvature) ||
              (!sigmoid && n_outputs > 1 && n_features < 20000),
          "pass: pairs need the softmax of more than one output, and few columns");
  LinearJob<T> job;
  job.pass = static_cast<Pass>(pass);
  job.head = sigmoid ? Head::sigmoid : Head::softmax;
  job.n_rows = n_rows;
  job.n_features = n_features;
  job.n_columns = n_features + (intercept ? 1 : 0);
  job.n_classes = n_classes;
  job.n_outputs = n_outputs;
  job.label_smoothing = static_cast<T>(label_smoothing);
  job.logit_l2 = static_cast<T>(logit_l2);
  const bool sparse = !X;
  job.X = data_of(X, "X", n_rows * n_features);
  if (sparse) {
    require(values && row_ptr && (columns32.has_value() != columns64.has_value()),
            "X: dense or CSR, one of them");
    const std::int64_t n_entries = static_cast<std::int64_t>(values->size());
    job.values = values->data();
    job.columns32 = data_of(columns32, "X.indices", n_entries);
    job.columns64 = data_of(columns64, "X.indices", n_entries);
    job.row_ptr = data_of(row_ptr, "X.indptr", n_rows + 1);
    require(job.pass == Pass::logits || job.pass == Pass::loss_gradient ||
                job.pass == Pass::hessian_product,
            "X: this pass needs dense rows");
  }
  const std::int64_t n_coef = n_outputs * job.n_columns;
  job.center = data_of(center, "center", n_features);
  job.coef = data_of(coef, "coef", n_coef);
  job.direction = data_of(direction, "direction", n_coef);
  job.offset = data_of(offset, "offset", n_rows * n_classes);
  job.mask = data_of(mask, "mask", n_rows * n_classes);
  job.weight = data_of(weight, "sample_weight", n_rows);
  job.target_index = data_of(target_index, "target", n_rows);
  job.target_proba = data_of(target_proba, "target", n_rows * n_classes);

  const bool coefless = job.pass == Pass::moments || job.pass == Pass::gram;
  require(coefless || job.coef != nullptr, "coef: is needed");
  require((job.pass == Pass::hessian_product) == (job.direction != nullptr),
          "direction: given where unused, or missing");
  require(job.pass != Pass::loss_gradient ||
              (job.target_index != nullptr) != (job.target_proba != nullptr),
          "target: exactly one kind is needed");
  job.classes = data_of(classes, "classes", n_outputs);
  job.positive_weight = data_of(positive_weight, "positive_weight", n_classes);
  job.negative_weight = data_of(negative_weight, "negative_weight", n_classes);
  if (job.pass != Pass::loss_gradient && !sigmoid)
    job.target_index = nullptr, job.target_proba = nullptr;
  require(job.pass == Pass::logits ? rows_out.has_value() : sums.has_value(), "out: is missing");
  job.rows_out = data_of(rows_out, "rows_out", n_rows * n_outputs);
  double* sums_data = data_of(sums, "sums", sums_size(job));

  nb::gil_scoped_release release;
  if (sparse) check_sparse(job, static_cast<std::int64_t>(values->size()));
  check_targets(job);
  check_classes(job);
  bool good = true;
  const double loss = run_parts(job, sums_data, n_threads, &good);
  return good ? loss : std::numeric_limits<double>::infinity();
}

template <class T>
void bind(nb::module_& m) {
  m.def("run", &run<T>, nb::kw_only(), nb::arg("pass_"), nb::arg("sigmoid"), nb::arg("n_rows"), nb::arg("n_features"),
        nb::arg("intercept"), nb::arg("n_classes"), nb::arg("n_outputs"), nb::arg("X").none().noconvert(),
        nb::arg("values").none().noconvert(), nb::arg("columns32").none().noconvert(), nb::arg("columns64").none().noconvert(),
        nb::arg("row_ptr").none().noconvert(), nb::arg("center").none().noconvert(), nb::arg("coef").none().noconvert(),
        nb::arg("direction").none().noconvert(), nb::arg("offset").none().noconvert(), nb::arg("mask").none().noconvert(),
        nb::arg("weight").none().noconvert(), nb::arg("target_index").none().noconvert(),
        nb::arg("target_proba").none().noconvert(), nb::arg("label_smoothing"), nb::arg("logit_l2"),
        nb::arg("classes").none().noconvert(), nb::arg("positive_weight").none().noconvert(),
        nb::arg("negative_weight").none().noconvert(),
        nb::arg("sums").none().noconvert(), nb::arg("rows_out").none().noconvert(), nb::arg("n_threads"));
}

}  // namespace

NB_MODULE(_core, m) {
  active = &SKSOFTMAX_TABLE_OF(linear, active_isa());
  bind<float>(m);
  bind<double>(m);
  bind_choice(m);
}
