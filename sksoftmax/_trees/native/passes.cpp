// One body of the passes over the logits: blocks of rows whose residuals never leave the caches.
// Compiled once per ISA; the residual is the kernel's.

#include "passes.h"

#include "../../_kernel/native/product.h"
#include "../../_kernel/native/rows_driver.h"

namespace sksoftmax {
namespace {

using FloatV = Vec<float>;
constexpr int kWidth = Simd<float>::width;

// Rows taken together: their residuals fit in L1, and they fill whole tiles of the kernel.
std::int64_t rows_at_once(std::int64_t n_classes) {
  constexpr std::int64_t kEntries = 1 << 12, kFewest = 8, kTile = 32;
  const std::int64_t rows = kEntries / n_classes;
  return rows >= kTile ? rows / kTile * kTile : rows > kFewest ? rows : kFewest;
}

// Scratch carved out of one allocation, in whole cache lines with one of slack each.
struct Carver {
  char* memory;  // null: only the size is wanted
  std::int64_t size = 0;
  template <class T>
  T* take(std::int64_t n) {
    T* const part = memory == nullptr ? nullptr : reinterpret_cast<T*>(memory + size);
    size += (n * static_cast<std::int64_t>(sizeof(T)) + 127) / 64 * 64;
    return part;
  }
};

// The kernel's job for a block of rows, and which of its instances does it.
Job<float> residual_job(std::int64_t n_classes, const Targets& targets, std::int64_t row,
                        const float* logits, std::int64_t n_rows, float* residual, float* loss) {
  Job<float> job;
  job.n_rows = n_rows;
  job.n_classes = n_classes;
  job.logits = logits;
  job.target_index = targets.index != nullptr ? targets.index + row : nullptr;
  job.target_proba = targets.proba != nullptr ? targets.proba + row * n_classes : nullptr;
  job.label_smoothing = targets.label_smoothing;
  job.logit_l2 = targets.logit_l2;
  job.out = residual;
  job.row_out = loss;
  return job;
}

// --- advance ------------------------------------------------------------------------------------

SKSOFTMAX_INLINE void add_to_row(float* row, const float* values, std::int64_t n) {
  std::int64_t k = 0;
  for (; k + kWidth <= n; k += kWidth)
    store<float>(row + k, load<float>(row + k) + load<float>(values + k));
  if (k < n) {
    const int rest = static_cast<int>(n - k);
    store_partial<float>(row + k,
                         load_partial<float>(row + k, rest, 0.0f) +
                             load_partial<float>(values + k, rest, 0.0f),
                         rest);
  }
}

SKSOFTMAX_INLINE FloatV absolute(FloatV v) { return v < 0.0f ? -v : v; }

float half_sum_absolute(const float* row, std::int64_t n) {
  FloatV sum = {};
  std::int64_t k = 0;
  for (; k + kWidth <= n; k += kWidth) sum += absolute(load<float>(row + k));
  if (k < n) sum += absolute(load_partial<float>(row + k, static_cast<int>(n - k), 0.0f));
  return 0.5f * sum_lanes<float>(sum)[0];
}

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
    for (std::int64_t i = 0; i < n_rows; ++i)
      add_to_row(logits() + i * K, job.leaf_values + job.leaf_of_row[begin + i] * K, K);
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
    return maximum_lanes<float>(largest)[0];
  }

  SKSOFTMAX_INLINE FloatV keep_row(std::int64_t i, std::int64_t padded, FloatV largest) const {
    const float* from = products + i * padded;
    float* to = job.gradient + (begin + i) * job.stride();
    std::int64_t j = 0;
    for (; j + kWidth <= job.n_columns; j += kWidth) {
      const FloatV v = load<float>(from + j);
      store<float>(to + j, v);
      largest = maximum<float>(largest, absolute(v));
    }
    if (j < job.n_columns) {
      const int rest = static_cast<int>(job.n_columns - j);
      const FloatV v = load_partial<float>(from + j, rest, 0.0f);
      store_partial<float>(to + j, v, rest);
      largest = maximum<float>(largest, absolute(v));
    }
    if (job.has_curvature)
      to[job.n_columns] = half_sum_absolute(residual + i * job.n_classes, job.n_classes);
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

constexpr int kHalf = kWidth / 2;
typedef float HalfV __attribute__((vector_size(kVectorBytes / 2)));
using DoubleV = Vec<double>;

// Rounds to the grid 2^-24 (coarser where |v| > 1/2: floats are on it already).
SKSOFTMAX_INLINE HalfV on_grid(HalfV v) {
  constexpr float magic = 0x1.8p-1f;
  return (v + magic) - magic;
}

struct LeafBlock {
  const LeafJob& job;
  float *logits, *target_proba, *residual, *proba, *loss;
  std::int64_t* target_index;
  double* weight;
  std::int64_t n_rows = 0;

  bool needs_proba() const {
    const Targets& t = job.targets;
    return job.curvature == Curvature::diagonal &&
           (t.proba != nullptr || t.label_smoothing > 0.0f || t.logit_l2 > 0.0f);
  }

  LeafBlock(const LeafJob& job, Carver& carver) : job(job) {
    const std::int64_t n = rows_at_once(job.n_classes), entries = n * job.n_classes;
    logits = carver.take<float>(entries);
    target_proba = carver.take<float>(job.targets.proba != nullptr ? entries : 0);
    residual = carver.take<float>(entries);
    proba = carver.take<float>(needs_proba() ? entries : 0);
    loss = carver.take<float>(n);
    target_index = carver.take<std::int64_t>(n);
    weight = carver.take<double>(n);
  }

  void gather(std::int64_t begin, std::int64_t n) {
    n_rows = n;
    const std::int64_t K = job.n_classes;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t row = job.rows[begin + i];
      std::memcpy(logits + i * K, job.logits + row * K, K * sizeof(float));
      if (job.targets.proba != nullptr)
        std::memcpy(target_proba + i * K, job.targets.proba + row * K, K * sizeof(float));
      else
        target_index[i] = job.targets.index[row];
      weight[i] = job.weight != nullptr ? job.weight[row] : 1.0;
    }
  }

  Fault differentiate() const {
    Targets targets = job.targets;
    if (targets.index != nullptr) targets.index = target_index;
    if (targets.proba != nullptr) targets.proba = target_proba;
    Job<float> kernel_job =
        residual_job(job.n_classes, targets, 0, logits, n_rows, residual, loss);
    const Fault fault = rows<float, Verb::loss_gradient>(kernel_job, 0, n_rows);
    if (needs_proba()) {
      kernel_job.out = proba;
      kernel_job.target_index = nullptr;
      kernel_job.target_proba = nullptr;
      kernel_job.label_smoothing = kernel_job.logit_l2 = 0.0f;
      rows_in_shape<float, Verb::softmax, false, false>(kernel_job, 0, n_rows);
    }
    return fault;
  }

  // x, exactly summable: on the grid, times the weight, on the grid of the terms.
  SKSOFTMAX_INLINE DoubleV term(HalfV x, double w, DoubleV magic) const {
    return (__builtin_convertvector(on_grid(x), DoubleV) * w + magic) - magic;
  }

  template <Curvature curvature>
  void add_to(double* sums) const {
    const std::int64_t K = job.n_classes;
    const float* p = needs_proba() ? proba : residual;
    const DoubleV magic = splat(0x1.8p52 * job.unit);
    for (std::int64_t k = 0; k < K; k += kHalf) {
      DoubleV G = {}, H = {};
      for (std::int64_t i = 0; i < n_rows; ++i) {
        HalfV r, x;
        std::memcpy(&r, residual + i * K + k, sizeof r);
        const DoubleV g = term(r, weight[i], magic);
        G += g;
        if constexpr (curvature == Curvature::absolute) {
          H += g < 0.0 ? -g : g;
        } else {  // |residual| is p or 1 - p where nothing smooths it
          std::memcpy(&x, p + i * K + k, sizeof x);
          x = x < 0.0f ? -x : x;
          H += term(x * (1.0f - x), weight[i], magic);
        }
      }
      const std::int64_t rest = K - k < kHalf ? K - k : kHalf;
      for (std::int64_t j = 0; j < rest; ++j) {
        sums[k + j] += G[j];
        sums[K + k + j] += H[j];
      }
    }
    const double weight_magic = 0x1.8p52 * job.weight_unit;
    for (std::int64_t i = 0; i < n_rows; ++i)
      sums[2 * K] += (weight[i] + weight_magic) - weight_magic;
  }
};

std::int64_t leaf_workspace(const LeafJob& job) {
  Carver carver{nullptr};
  const LeafBlock block(job, carver);
  return carver.size;
}

Fault leaf_sums(const LeafJob& job, std::int64_t begin, std::int64_t end, char* workspace,
                double* sums) {
  Carver carver{workspace};
  LeafBlock block(job, carver);
  const std::int64_t step = rows_at_once(job.n_classes);
  Fault first;
  for (std::int64_t at = begin; at < end; at += step) {
    block.gather(at, end - at < step ? end - at : step);
    const Fault fault = block.differentiate();
    if (first.reason == Reason::none && fault.reason != Reason::none)
      first = {job.rows[at + fault.row], fault.reason};
    if (job.curvature == Curvature::absolute) block.add_to<Curvature::absolute>(sums);
    else block.add_to<Curvature::diagonal>(sums);
  }
  return first;
}

}  // namespace

extern const PassesBody SKSOFTMAX_PASTE(passes_, SKSOFTMAX_ISA) = {
    advance_workspace, advance, records, leaf_workspace, leaf_sums};

}  // namespace sksoftmax
