// One body of the choice passes: blocks of whole cases that fit in L2. Compiled once per ISA.

#include "choice.h"

#include "../../_kernel/native/product.h"
#include "../../_kernel/native/rows_driver.h"

namespace sksoftmax {
namespace {

using V = Vec<double>;
constexpr std::int64_t kWidth = Simd<double>::width;
constexpr std::int64_t kBlockBytes = 1 << 17;

constexpr std::int64_t padded(std::int64_t n) { return (n + kWidth - 1) / kWidth * kWidth; }

std::int64_t block_entries(const ChoiceJob& job) {
  const std::int64_t bytes = (padded(job.n_parameters) + 4) * 8;
  const std::int64_t fitting = kBlockBytes / bytes;
  return fitting > job.most_entries ? fitting : job.most_entries;
}

// The scratch of one worker, carved out of one allocation. A case has an entry at least, so what
// there is one of per case needs no more room than one per entry.
struct Workspace {
  double *rows, *staged, *utilities, *residual, *loss;  // per entry
  double *chosen_row, *theta, *mean, *gradient;         // per parameter, padded
  double *sums;                                         // (n_parameters, padded)
  std::int64_t *row_ptr, *target;
  std::int64_t stride;

  template <class Take>
  static void lay_out(const ChoiceJob& job, Take take) {
    const std::int64_t entries = block_entries(job), stride = padded(job.n_parameters);
    const bool square = sums_size(job) > job.n_parameters;
    take(0, entries * stride);
    take(1, job.column_stride == 1 ? 0 : entries * job.n_columns);
    for (int part = 2; part < 5; ++part) take(part, entries);
    for (int part = 5; part < 9; ++part) take(part, stride);
    take(9, square ? job.n_parameters * stride : 0);
    take(10, entries + 1);
    take(11, entries);
  }

  static std::int64_t size(const ChoiceJob& job) {
    std::int64_t total = kSlack;
    lay_out(job, [&](int, std::int64_t n) { total += padded(n) + kSlack; });
    return total;
  }

  Workspace(const ChoiceJob& job, double* memory) {
    double *row_ptr_memory, *target_memory;
    double** const parts[] = {&rows,       &staged, &utilities, &residual, &loss,           &chosen_row,
                              &theta,      &mean,   &gradient,  &sums,     &row_ptr_memory, &target_memory};
    memory += (64 - reinterpret_cast<std::uintptr_t>(memory) % 64) % 64 / sizeof(double);
    lay_out(job, [&](int part, std::int64_t n) {
      *parts[part] = memory;
      memory += padded(n) + kSlack;
    });
    static_assert(sizeof(double) == sizeof(std::int64_t));
    row_ptr = reinterpret_cast<std::int64_t*>(row_ptr_memory);
    target = reinterpret_cast<std::int64_t*>(target_memory);
    stride = padded(job.n_parameters);
    for (std::int64_t k = 0; k < stride; ++k)
      theta[k] = k < job.n_parameters && job.theta != nullptr ? job.theta[k] : 0.0;
  }

  static constexpr std::int64_t kSlack = 8;  // a cache line: parts stay aligned to it
};

// Cases begin..end of the job, and the entries that they have.
struct Block {
  const ChoiceJob& job;
  const Workspace& space;
  std::int64_t begin, end, first_entry, n_entries;

  double* row(std::int64_t entry) const { return space.rows + entry * space.stride; }

  // The first entry of a case, within the block.
  std::int64_t first(std::int64_t n) const { return job.row_ptr[n] - first_entry; }

  template <class F>
  SKSOFTMAX_INLINE void each_vector(F f) const {
    for (std::int64_t k = 0; k < space.stride; k += kWidth) f(k);
  }

  // --- attributes ---

  // Where row i of the values is, and the step to its next column. Columns that are not adjacent
  // are first copied, piece by piece: hundreds of streams with one entry each miss every cache.
  struct Source {
    const double* first;
    std::int64_t row_stride, column_stride, first_row;
    const double* row(std::int64_t i) const { return first + (i - first_row) * row_stride; }
  };

  Source source() const {
    const bool wide = job.term_ptr != nullptr;
    const std::int64_t first = wide ? begin : first_entry, n = wide ? end - begin : n_entries;
    const double* values = job.values + first * job.row_stride;
    if (job.column_stride == 1) return {values, job.row_stride, 1, first};
    for (std::int64_t c = 0; c < job.n_columns; ++c)
      for (std::int64_t i = 0; i < n; ++i)
        space.staged[c * n + i] = values[i * job.row_stride + c * job.column_stride];
    return {space.staged, 1, n, first};
  }

  void make_row(const double* values, std::int64_t step, std::int64_t alternative,
                double* out) const {
    if (job.term_ptr == nullptr) {
      for (std::int64_t k = 0; k < job.n_parameters; ++k) out[k] = job.scale[k] * values[k * step];
      return;
    }
    each_vector([&](std::int64_t k) { store<double>(out + k, V{}); });
    for (std::int64_t t = job.term_ptr[alternative]; t < job.term_ptr[alternative + 1]; ++t) {
      const std::int64_t k = job.term_parameter[t], c = job.term_column[t];
      out[k] = job.term_factor[t] * (c < 0 ? 1.0 : values[c * step]);
    }
  }

  // x_j of every entry; wide data skip the unavailable alternatives.
  void make_rows() const {
    const Source from = source();
    const bool wide = job.term_ptr != nullptr;
    for (std::int64_t n = begin; n < end; ++n) {
      const std::uint8_t* open =
          job.available != nullptr ? job.available + n * job.n_alternatives : nullptr;
      std::int64_t alternative = 0;
      for (std::int64_t entry = first(n); entry < first(n + 1); ++entry, ++alternative) {
        while (open != nullptr && open[alternative] == 0) ++alternative;
        double* x = row(entry);
        for (std::int64_t k = job.n_parameters; k < space.stride; ++k) x[k] = 0.0;
        make_row(from.row(wide ? n : first_entry + entry), from.column_stride, alternative, x);
      }
    }
  }

  // d_j = x_j - x_c and the utilities d_j theta. A sweep of its own: a vector load of what scalars
  // have just stored stalls.
  void load() const {
    make_rows();
    for (std::int64_t n = begin; n < end; ++n) {
      const double* chosen = row(first(n) + job.chosen[n]);
      each_vector([&](std::int64_t k) { store<double>(space.chosen_row + k, load_at(chosen, k)); });
      for (std::int64_t entry = first(n); entry < first(n + 1); ++entry) {
        double* x = row(entry);
        V sum = {};
        each_vector([&](std::int64_t k) {
          const V d = load_at(x, k) - load_at(space.chosen_row, k);
          store<double>(x + k, d);
          sum += d * load_at(space.theta, k);
        });
        space.utilities[entry] = sum_lanes<double>(sum)[0];
      }
    }
  }

  static SKSOFTMAX_INLINE V load_at(const double* p, std::int64_t k) {
    return sksoftmax::load<double>(p + k);
  }

  // --- the kernel's head: losses and residuals p - q, not weighted ---

  bool head() const {
    const std::int64_t n_cases = end - begin;
    const std::int64_t size = job.row_ptr[begin + 1] - job.row_ptr[begin];
    bool equal = true;
    for (std::int64_t n = begin; n <= end; ++n) {
      space.row_ptr[n - begin] = first(n);
      if (n < end) {
        space.target[n - begin] = job.chosen[n];
        equal = equal && job.row_ptr[n + 1] - job.row_ptr[n] == size;
      }
    }
    Job<double> head;
    head.n_rows = n_cases;
    head.n_classes = equal ? size : 0;
    head.row_ptr = equal ? nullptr : space.row_ptr;
    head.logits = space.utilities;
    head.target_index = space.target;
    head.out = space.residual;
    head.row_out = space.loss;
    const Fault fault = rows_in_shape<double, Verb::loss_gradient, false, false>(head, 0, n_cases);
    return fault.reason == Reason::none;
  }

  double weight(std::int64_t n) const { return job.weight != nullptr ? job.weight[n] : 1.0; }

  // m_n = sum_j p_j d_j, where d_c = 0.
  void case_mean(std::int64_t n) const {
    each_vector([&](std::int64_t k) {
      V mean = {};
      for (std::int64_t entry = first(n); entry < first(n + 1); ++entry)
        mean += space.residual[entry] * load_at(row(entry), k);
      store<double>(space.mean + k, mean);
    });
  }

  // --- what a pass keeps ---

  void add_gradient(std::int64_t n) const {
    const double w = weight(n);
    each_vector([&](std::int64_t k) {
      store<double>(space.gradient + k, load_at(space.gradient, k) + w * load_at(space.mean, k));
    });
  }

  // Rows become sqrt(w p_j) (d_j - m_n): the Hessian is their product with themselves.
  void centre(std::int64_t n) const {
    const double w = weight(n);
    space.residual[first(n) + job.chosen[n]] += 1.0;
    for (std::int64_t entry = first(n); entry < first(n + 1); ++entry) {
      const double p = space.residual[entry];  // 1 + residual may round to just below zero
      const double root = __builtin_sqrt(p > 0.0 ? w * p : 0.0);
      double* x = row(entry);
      each_vector([&](std::int64_t k) {
        store<double>(x + k, root * (load_at(x, k) - load_at(space.mean, k)));
      });
    }
  }

  // sums (n_parameters, n_parameters) += rows' rows over the first n rows, the upper triangle.
  void accumulate_gram(std::int64_t n_rows, double* sums) const {
    const std::int64_t P = job.n_parameters, stride = space.stride;
    product<double>(P, stride / kWidth, n_rows, space.rows, space.rows, space.sums,
                    {stride, 1, stride, stride}, true);
    for (std::int64_t k = 0; k < P; ++k)
      for (std::int64_t l = k; l < P; ++l) sums[k * P + l] += space.sums[k * stride + l];
  }

  void run_derivatives(PartSums& out) const {
    const bool curvature = job.pass == ChoicePass::curvature;
    std::memset(space.gradient, 0, space.stride * sizeof(double));
    for (std::int64_t n = begin; n < end; ++n) {
      const double w = weight(n);
      out.loss += w == 0.0 ? 0.0 : w * space.loss[n - begin];
      case_mean(n);
      add_gradient(n);
      if (curvature) centre(n);
    }
    for (std::int64_t k = 0; k < job.n_parameters; ++k) out.sums[k] += space.gradient[k];
    if (curvature) accumulate_gram(n_entries, out.sums + job.n_parameters);
  }

  // Rows of cases replace rows of entries, which come no earlier.
  void run_score_products(PartSums& out) const {
    for (std::int64_t n = begin; n < end; ++n) {
      case_mean(n);
      const double root = __builtin_sqrt(weight(n));
      each_vector([&](std::int64_t k) {
        store<double>(row(n - begin) + k, root * load_at(space.mean, k));
      });
    }
    accumulate_gram(end - begin, out.sums);
  }

  void write_scores() const {
    const std::int64_t P = job.n_parameters;
    for (std::int64_t n = begin; n < end; ++n) {
      case_mean(n);
      double* out = job.rows_out + (n - job.first_case) * P;
      for (std::int64_t k = 0; k < P; ++k) out[k] = 0.0 - space.mean[k];
    }
  }

  void write_entries() const {
    const std::int64_t P = job.n_parameters;
    const std::int64_t before = first_entry - job.row_ptr[job.first_case];
    for (std::int64_t entry = 0; entry < n_entries; ++entry)
      if (job.pass == ChoicePass::utilities)
        job.rows_out[before + entry] = space.utilities[entry];
      else
        std::memcpy(job.rows_out + (before + entry) * P, row(entry), P * sizeof(double));
  }

  bool run(PartSums& out) const {
    load();
    if (job.pass == ChoicePass::utilities || job.pass == ChoicePass::differences) {
      write_entries();
      return true;
    }
    const bool good = head();
    if (job.pass == ChoicePass::scores) write_scores();
    else if (job.pass == ChoicePass::score_products) run_score_products(out);
    else run_derivatives(out);
    return good;
  }
};

bool run(const ChoiceJob& job, std::int64_t begin, std::int64_t end, double* memory,
         PartSums& out) {
  const Workspace space(job, memory);
  const std::int64_t most = block_entries(job);
  bool good = true;
  for (std::int64_t n = begin; n < end;) {
    std::int64_t stop = n + 1;
    while (stop < end && job.row_ptr[stop + 1] - job.row_ptr[n] <= most) ++stop;
    const Block block = {job, space, n, stop, job.row_ptr[n], job.row_ptr[stop] - job.row_ptr[n]};
    good &= block.run(out);
    n = stop;
  }
  return good;
}

std::int64_t workspace_size(const ChoiceJob& job) { return Workspace::size(job); }

}  // namespace

extern const ChoiceBody SKSOFTMAX_PASTE(choice_, SKSOFTMAX_ISA) = {block_entries, workspace_size,
                                                                   run};

}  // namespace sksoftmax
