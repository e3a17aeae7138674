// One body of the passes over the logits: blocks of rows whose residuals never leave the caches.
// Compiled once per ISA; the residual is the kernel's.

#include "passes.h"

#include "../../_kernel/native/product.h"
#include "leaf_block.h"
#include "pass_rows.h"

namespace sksoftmax {
namespace {

// --- advance ------------------------------------------------------------------------------------

// products (rows, columns) = residual projection, lanes along the classes, the projection's columns
// in rows.
template <int rows, int columns>
SKSOFTMAX_INLINE void dot_tile(const float* residual, const float* projection, std::int64_t K,
                               std::int64_t stride, float* products, std::int64_t to_stride) {
  FloatV sum[rows][columns] = {};
  const auto step = [&](auto residual_at, std::int64_t k) SKSOFTMAX_INLINE_LAMBDA {
    FloatV p[columns];
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) p[j] = load<float>(projection + j * stride + k);
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) {
      const FloatV v = residual_at(residual + r * K + k);
#pragma GCC unroll 4
      for (int j = 0; j < columns; ++j) sum[r][j] += v * p[j];
    }
  };
  std::int64_t k = 0;
  for (; k + kWidth <= K; k += kWidth)
    step([](const float* p) SKSOFTMAX_INLINE_LAMBDA { return load<float>(p); }, k);
  const int rest = static_cast<int>(K - k);
  if (rest > 0)
    step([rest](const float* p) SKSOFTMAX_INLINE_LAMBDA {
           return load_partial<float>(p, rest, 0.0f); }, k);
#pragma GCC unroll 4
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j)
      products[r * to_stride + j] = sum_lanes<float>(sum[r][j])[0];
}

template <int columns>
void dot_rows(const AdvanceJob& job, const float* residual, std::int64_t n_rows,
              const float* projection, float* products, std::int64_t to_stride) {
  const std::int64_t K = job.n_classes, stride = padded_size(K);
  std::int64_t i = 0;
  for (; i + 4 <= n_rows; i += 4)
    dot_tile<4, columns>(residual + i * K, projection, K, stride, products + i * to_stride,
                         to_stride);
  for (; i < n_rows; ++i)
    dot_tile<1, columns>(residual + i * K, projection, K, stride, products + i * to_stride,
                         to_stride);
}

void project_along(const AdvanceJob& job, const float* residual, std::int64_t n_rows,
                   float* products, std::int64_t to_stride) {
  const std::int64_t stride = padded_size(job.n_classes);
  balanced_groups(job.n_columns, 4, [&](std::int64_t first, int columns) {
    const float* projection = job.projection + first * stride;
    float* to = products + first;
    if (columns == 4) dot_rows<4>(job, residual, n_rows, projection, to, to_stride);
    else if (columns == 3) dot_rows<3>(job, residual, n_rows, projection, to, to_stride);
    else if (columns == 2) dot_rows<2>(job, residual, n_rows, projection, to, to_stride);
    else dot_rows<1>(job, residual, n_rows, projection, to, to_stride);
  });
}

// One block of rows: begin .. begin + n_rows.
struct AdvanceBlock {
  const AdvanceJob& job;
  float *residual, *loss, *products;
  std::int64_t begin, n_rows;

  float* logits() const { return job.logits + begin * job.n_classes; }

  void update() const {
    if (job.leaf_of_row == nullptr) return;
    const std::int64_t K = job.n_classes;
    with_widest(K, [&, this](auto v) SKSOFTMAX_INLINE_LAMBDA {
      for (std::int64_t i = 0; i < n_rows; ++i)
        combine<decltype(v)>(logits() + i * K, job.leaf_values + job.leaf_of_row[begin + i] * K, K,
                             [](auto a, auto b) SKSOFTMAX_INLINE_LAMBDA { return a + b; });
    });
  }

  Fault differentiate() const {
    const bool wanted = job.projection != nullptr;
    const Job<float> kernel_job =
        residual_job(job.n_classes, job.targets, begin, logits(), n_rows,
                     wanted ? residual : nullptr, loss);
    Fault fault = wanted ? rows<float, Verb::loss_gradient>(kernel_job, 0, n_rows)
                         : rows<float, Verb::loss>(kernel_job, 0, n_rows);
    fault.row += begin;
    return fault;
  }

  double weighted_loss() const {
    double sum = 0;
    for (std::int64_t i = 0; i < n_rows; ++i)
      sum += (job.weight != nullptr ? job.weight[begin + i] : 1.0) * static_cast<double>(loss[i]);
    if (job.loss != nullptr) std::memcpy(job.loss + begin, loss, n_rows * sizeof(float));
    return sum;
  }

  // gradient = residual projection, and the curvature; returns the largest |gradient|.
  float project() const {
    const std::int64_t K = job.n_classes, padded = padded_size(job.n_columns);
    if (projects_along_classes(K, job.n_columns))
      project_along(job, residual, n_rows, products, padded);
    else
      product<float>(n_rows, padded / kWidth, K, residual, job.projection, products,
                     {1, K, padded, padded});
    FloatV largest = {};
    for (std::int64_t i = 0; i < n_rows; ++i) largest = keep_row(i, padded, largest);
    if (job.has_curvature) keep_curvatures();
    return maximum_lanes<float>(largest)[0];
  }

  void keep_curvatures() const {
    const std::int64_t K = job.n_classes;
    RowCurvature row(job.targets, K);
    for (std::int64_t i = 0; i < n_rows; ++i) {
      row.point_at(job.targets, K, begin + i, residual + i * K, logits() + i * K);
      job.gradient[(begin + i) * job.stride() + job.n_columns] = row.half_sum(K);
    }
  }

  // A whole vector is written where the rows that follow in this block overwrite what is too much.
  SKSOFTMAX_INLINE FloatV keep_row(std::int64_t i, std::int64_t padded, FloatV largest) const {
    const float* from = products + i * padded;
    const std::int64_t stride = job.stride(), room = (n_rows - i) * stride;
    float* to = job.gradient + (begin + i) * stride;
    for (std::int64_t j = 0; j < job.n_columns; j += kWidth) {
      const int rest = job.n_columns - j < kWidth ? static_cast<int>(job.n_columns - j) : kWidth;
      const FloatV v =
          rest < kWidth ? load_partial<float>(from + j, rest, 0.0f) : load<float>(from + j);
      if (j + kWidth <= room) store<float>(to + j, v);
      else store_partial<float>(to + j, v, rest);
      largest = maximum<float>(largest, absolute<float>(v));
    }
    return largest;
  }
};

template <class Take>
void lay_out_advance(const AdvanceJob& job, Take& take, float*& residual, float*& loss,
                     float*& products) {
  const std::int64_t n = rows_at_once(job.n_classes);
  residual = take.template take<float>(job.projection != nullptr ? n * job.n_classes : 0);
  loss = take.template take<float>(n);
  products = take.template take<float>(n * padded_size(job.n_columns));
}

std::int64_t advance_workspace(const AdvanceJob& job) {
  Carver carver{nullptr};
  float* unused;
  lay_out_advance(job, carver, unused, unused, unused);
  return carver.size;
}

Advanced advance(const AdvanceJob& job, std::int64_t begin, std::int64_t end, char* workspace) {
  Carver carver{workspace};
  float *residual, *loss, *products;
  lay_out_advance(job, carver, residual, loss, products);
  Advanced done;
  const std::int64_t step = rows_at_once(job.n_classes);
  for (std::int64_t row = begin; row < end; row += step) {
    const std::int64_t n_rows = end - row < step ? end - row : step;
    const AdvanceBlock block{job, residual, loss, products, row, n_rows};
    block.update();
    if (!job.targets.given()) continue;
    const Fault fault = block.differentiate();
    if (done.fault.reason == Reason::none && fault.reason != Reason::none) done.fault = fault;
    done.loss += block.weighted_loss();
    if (job.projection == nullptr) continue;
    const float largest = block.project();
    done.largest = largest > done.largest ? largest : done.largest;
  }
  return done;
}

// --- records ------------------------------------------------------------------------------------

// Lanes of a record taken together, in float64: a record of 4 in one vector where the ISA has it.
constexpr int kLanes = kVectorBytes >= 32 ? 4 : 2;
typedef float LanesF __attribute__((vector_size(kLanes * 4)));
typedef double LanesD __attribute__((vector_size(kLanes * 8)));
typedef std::int32_t LanesI __attribute__((vector_size(kLanes * 4)));

// The nearest integers (ties to even) that an int32 holds.
SKSOFTMAX_INLINE LanesD rounded(LanesD v) {
  constexpr double most = 0x1.fffffffcp30, magic = 0x1.8p52;  // 2^31 - 1
  v = v < most ? v : LanesD{} + most;
  v = v > -most ? v : LanesD{} - most;
  return (v + magic) - magic;
}

// What some lanes of every record hold: a scaled entry of the gradient, or the weight, or 0.
struct Lanes {
  LanesD scale, weight_scale;

  Lanes(const RecordsJob& job, std::int64_t first) {
    const std::int64_t weight_lane = job.n_columns + (job.has_curvature ? 1 : 0);
    for (int i = 0; i < kLanes; ++i) {
      const std::int64_t lane = first + i;
      scale[i] = lane < job.n_columns ? job.gradient_scale
                 : lane < weight_lane ? job.curvature_scale
                                      : 0.0;
      weight_scale[i] = lane == weight_lane ? job.weight_scale : 0.0;
    }
  }

  SKSOFTMAX_INLINE void fill(const float* gradient, double weight, std::int32_t* record) const {
    LanesF g;
    std::memcpy(&g, gradient, sizeof g);
    const LanesD scaled = rounded(__builtin_convertvector(g, LanesD) * scale);
    const LanesD sum = (scale == 0.0 ? weight_scale : scaled) * weight;
    const LanesI integers = __builtin_convertvector(rounded(sum), LanesI);
    std::memcpy(record, &integers, sizeof integers);
  }
};

void records(const RecordsJob& job, std::int64_t begin, std::int64_t end) {
  const std::int64_t stride = job.n_columns + (job.has_curvature ? 1 : 0);
  const std::int64_t size = job.n_rows * stride;
  for (std::int64_t first = 0; first < job.lanes; first += kLanes) {
    const Lanes lanes(job, first);
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t at = row * stride + first;
      const double weight = job.weight != nullptr ? job.weight[row] : 1.0;
      std::int32_t* record = job.records + row * job.lanes + first;
      if (at + kLanes <= size) {
        lanes.fill(job.gradient + at, weight, record);
      } else {  // the last rows: nothing is read beyond the array
        float rest[kLanes] = {};
        if (at < size) std::memcpy(rest, job.gradient + at, (size - at) * sizeof(float));
        lanes.fill(rest, weight, record);
      }
    }
  }
}

// --- leaf sums ----------------------------------------------------------------------------------

std::int64_t leaf_workspace(const LeafJob& job) {
  Carver carver{nullptr};
  const LeafBlock block(job, carver);
  return carver.size;
}

Fault leaf_sums(const LeafJob& job, std::int64_t begin, std::int64_t end, char* workspace,
                double* sums) {
  Carver carver{workspace};
  LeafBlock block(job, carver);
  Fault first;
  for (std::int64_t at = begin; at < end; at += block.most_rows) {
    block.gather(at, end - at < block.most_rows ? end - at : block.most_rows);
    const Fault fault = block.differentiate();
    if (first.reason == Reason::none && fault.reason != Reason::none)
      first = {job.rows[at + fault.row], fault.reason};
    block.add_to(sums);
  }
  return first;
}

}  // namespace

extern const PassesBody SKSOFTMAX_PASTE(passes_, SKSOFTMAX_ISA) = {
    advance_workspace, advance, records, leaf_workspace, leaf_sums};

}  // namespace sksoftmax
