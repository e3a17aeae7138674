// The door of the choice passes: sizes are checked, the GIL is released, cases are dealt to threads.

#include "choice_door.h"

#include <limits>
#include <memory>

#include "../../_kernel/native/door.h"
#include "choice.h"
#include "parts.h"

namespace sksoftmax {
namespace {

const ChoiceBody* active = nullptr;

using Values = std::optional<nb::ndarray<const double, nb::ndim<2>, nb::device::cpu>>;

// The largest number of entries of a case.
std::int64_t check_cases(const ChoiceJob& job, std::int64_t n_cases) {
  require(job.row_ptr[0] == 0, "row_ptr: must begin with 0");
  std::int64_t most = 0;
  for (std::int64_t n = 0; n < n_cases; ++n) {
    const std::int64_t size = job.row_ptr[n + 1] - job.row_ptr[n];
    require(size > 0, "row_ptr: a case has no entries");
    require(job.chosen[n] >= 0 && job.chosen[n] < size, "chosen: outside the case");
    most = std::max(most, size);
  }
  return most;
}

void check_terms(const ChoiceJob& job, std::int64_t n_terms) {
  require(job.term_ptr[0] == 0 && job.term_ptr[job.n_alternatives] == n_terms,
          "term_ptr: must span the terms");
  for (std::int64_t j = 0; j < job.n_alternatives; ++j)
    require(job.term_ptr[j] <= job.term_ptr[j + 1], "term_ptr: must not decrease");
  for (std::int64_t t = 0; t < n_terms; ++t)
    require(job.term_parameter[t] >= 0 && job.term_parameter[t] < job.n_parameters &&
                job.term_column[t] >= -1 && job.term_column[t] < job.n_columns,
            "terms: a parameter or column outside the model");
}

// Wide data: the entries of a case are its available alternatives.
void check_available(const ChoiceJob& job, std::int64_t n_cases) {
  for (std::int64_t n = 0; n < n_cases; ++n) {
    std::int64_t open = job.n_alternatives;
    if (job.available != nullptr) {
      open = 0;
      for (std::int64_t j = 0; j < job.n_alternatives; ++j)
        open += job.available[n * job.n_alternatives + j] != 0;
    }
    require(job.row_ptr[n + 1] - job.row_ptr[n] == open, "row_ptr: disagrees with available");
  }
}

double run_parts(const ChoiceJob& job, double* sums, int n_threads, bool* good) {
  const std::int64_t first_entry = job.row_ptr[job.first_case];
  const std::int64_t n_entries = job.row_ptr[job.last_case] - first_entry;
  const std::int64_t size = sums_size(job), block = active->block_entries(job);
  const std::int64_t n_parts = number_of_parts((n_entries + block - 1) / block, size);
  n_threads = threads_for(n_entries * std::max(job.n_parameters, size), n_threads);
  const std::int64_t scratch = active->workspace_size(job);
  const std::int64_t workers = std::min<std::int64_t>(n_threads, n_parts);
  std::unique_ptr<double[]> memory(new double[workers * scratch]);
  // Cases whose first entry lies in the part's share of the entries.
  const auto first_case = [&](std::int64_t part) {
    const std::int64_t* const begin = job.row_ptr + job.first_case;
    const std::int64_t* const end = job.row_ptr + job.last_case;
    return job.first_case +
           (std::lower_bound(begin, end, first_entry + n_entries * part / n_parts) - begin);
  };
  return sum_parts(n_parts, n_threads, size, sums, good,
                   [&](std::int64_t part, int worker, PartSums& out) {
    const std::int64_t last = part + 1 == n_parts ? job.last_case : first_case(part + 1);
    return active->run(job, first_case(part), last, memory.get() + worker * scratch, out);
  });
}

double run(int pass, std::int64_t first_case, std::int64_t last_case, Values values,
           std::int64_t n_parameters, std::int64_t n_alternatives, In<std::int64_t> term_ptr,
           In<std::int64_t> term_parameter, In<std::int64_t> term_column, In<double> term_factor,
           In<std::uint8_t> available, In<double> scale, In<std::int64_t> row_ptr,
           In<std::int64_t> chosen, In<double> weight, In<double> theta, Out<double> sums,
           Out<double> rows_out, int n_threads) {
  require(pass >= 0 && pass <= static_cast<int>(ChoicePass::differences), "pass: no such pass");
  require(values && row_ptr && chosen && scale, "values, row_ptr, chosen, scale: are needed");
  require(n_threads >= 1, "n_threads: must be at least 1");
  const std::int64_t n_cases = static_cast<std::int64_t>(chosen->size());
  require(first_case >= 0 && first_case < last_case && last_case <= n_cases, "cases: no such range");
  require(n_parameters > 0 && n_parameters < (1 << 20), "n_parameters: out of range");
  ChoiceJob job;
  job.pass = static_cast<ChoicePass>(pass);
  job.first_case = first_case;
  job.last_case = last_case;
  job.n_parameters = n_parameters;
  job.n_columns = static_cast<std::int64_t>(values->shape(1));
  job.values = values->data();
  job.row_stride = values->stride(0);
  job.column_stride = job.n_columns > 1 ? values->stride(1) : 1;
  job.row_ptr = data_of(row_ptr, "row_ptr", n_cases + 1);
  job.chosen = chosen->data();
  job.weight = data_of(weight, "weight", n_cases);
  job.scale = data_of(scale, "scale", n_parameters);
  job.theta = data_of(theta, "theta", n_parameters);
  require(job.theta != nullptr || job.pass == ChoicePass::differences, "theta: is needed");
  const std::int64_t n_rows = static_cast<std::int64_t>(values->shape(0));
  if (term_ptr) {
    require(term_parameter && term_column && term_factor, "terms: are incomplete");
    require(n_alternatives > 0 && n_alternatives < (1 << 30) && n_rows == n_cases,
            "values: one row per case is needed");
    const std::int64_t n_terms = static_cast<std::int64_t>(term_parameter->size());
    job.n_alternatives = n_alternatives;
    job.term_ptr = data_of(term_ptr, "term_ptr", n_alternatives + 1);
    job.term_parameter = term_parameter->data();
    job.term_column = data_of(term_column, "term_column", n_terms);
    job.term_factor = data_of(term_factor, "term_factor", n_terms);
    job.available = data_of(available, "available", n_cases * n_alternatives);
    check_terms(job, n_terms);
  } else {
    require(job.n_columns == n_parameters && n_rows == job.row_ptr[n_cases] && !available,
            "values: one row per entry and one column per parameter are needed");
  }
  const std::int64_t size = sums_size(job);
  require(size == 0 ? rows_out.has_value() : sums.has_value(), "out: is missing");

  job.most_entries = check_cases(job, n_cases);
  if (job.term_ptr != nullptr) check_available(job, n_cases);
  const std::int64_t n_entries = job.row_ptr[last_case] - job.row_ptr[first_case];
  const std::int64_t per_case = (last_case - first_case) * n_parameters;
  job.rows_out = data_of(rows_out, "rows_out",
                         job.pass == ChoicePass::scores      ? per_case
                         : job.pass == ChoicePass::utilities ? n_entries
                                                             : n_entries * n_parameters);
  double* const sums_data = data_of(sums, "sums", size);
  bool good = true;
  nb::gil_scoped_release release;
  const double loss = run_parts(job, sums_data, n_threads, &good);
  return good ? loss : std::numeric_limits<double>::infinity();
}

}  // namespace

void bind_choice(nb::module_& m) {
  active = &SKSOFTMAX_TABLE_OF(choice, active_isa());
  m.def("run_choice", &run, nb::kw_only(), nb::arg("pass_"), nb::arg("first_case"),
        nb::arg("last_case"), nb::arg("values").none().noconvert(), nb::arg("n_parameters"),
        nb::arg("n_alternatives"), nb::arg("term_ptr").none().noconvert(),
        nb::arg("term_parameter").none().noconvert(), nb::arg("term_column").none().noconvert(),
        nb::arg("term_factor").none().noconvert(), nb::arg("available").none().noconvert(),
        nb::arg("scale").none().noconvert(), nb::arg("row_ptr").none().noconvert(),
        nb::arg("chosen").none().noconvert(), nb::arg("weight").none().noconvert(),
        nb::arg("theta").none().noconvert(), nb::arg("sums").none().noconvert(),
        nb::arg("rows_out").none().noconvert(), nb::arg("n_threads"));
}

}  // namespace sksoftmax
