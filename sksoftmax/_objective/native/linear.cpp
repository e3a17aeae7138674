// One body of the linear passes: blocks of rows that fit in L2, each read from X once.
// Compiled once per ISA.

#include "linear.h"

#include "../../_kernel/native/product.h"
#include "../../_kernel/native/rows.h"
#include "sigmoid.h"
#include "sparse.h"

namespace sksoftmax {
namespace {

constexpr std::int64_t kBlockBytes = 1 << 19;  // half of a small L2
constexpr std::int64_t kMostBlockRows = 384;

template <class T>
constexpr std::int64_t kTileRows = kVectorsPerTile * Simd<T>::width;

template <class T>
constexpr std::int64_t padded(std::int64_t n) {
  constexpr std::int64_t width = Simd<T>::width;
  return (n + width - 1) / width * width;
}

template <class T>
bool needs_products(const LinearJob<T>& job) {
  return job.pass == Pass::gram || job.pass == Pass::class_curvature ||
         job.pass == Pass::pair_curvature;
}

// Are targets laid out class by class? A mask of the sigmoids is kept there too.
template <class T>
bool has_target_table(const LinearJob<T>& job) {
  return job.target_proba != nullptr || (job.head == Head::sigmoid && job.mask != nullptr);
}

// The scratch of one worker, carved out of one allocation; everything class-major has a row of
// block_rows entries per class.
template <class T>
struct Workspace {
  T *rows, *tile, *products;                            // X~, its transposed tile, X~ products
  T *logits, *direction, *target, *residual, *scores;   // class-major
  T *weight, *loss, *sums, *row_class;
  std::int64_t row_stride, product_stride;

  static constexpr std::int64_t kSlack = 64;  // overlapping stores, alignment

  template <class Take>
  static void lay_out(const LinearJob<T>& job, std::int64_t block, Take take) {
    const std::int64_t columns = padded<T>(job.n_columns);
    const std::int64_t products = needs_products(job) ? padded<T>(sums_columns(job)) : 0;
    const bool by_class = job.pass == Pass::class_curvature;
    const std::int64_t sums_at_once = by_class ? job.n_columns : sums_rows(job);
    take(0, job.X != nullptr ? block * columns : 0);
    take(1, job.X != nullptr ? kTileRows<T> * columns : 0);
    take(2, block * products);
    take(3, n_logits(job) * block);
    take(4, job.direction != nullptr ? n_logits(job) * block : 0);
    take(5, has_target_table(job) ? n_logits(job) * block : 0);
    take(6, n_logits(job) * block);
    take(7, padded<T>(job.n_outputs) + padded<T>(job.n_classes));
    take(8, block);
    take(9, block);
    take(10, sums_at_once * (products > 0 ? products : columns));
    take(11, job.head == Head::sigmoid ? block : 0);
  }

  static std::int64_t size(const LinearJob<T>& job, std::int64_t block) {
    std::int64_t total = kSlack;
    lay_out(job, block, [&](int, std::int64_t n) { total += padded<T>(n) + kSlack; });
    return total;
  }

  Workspace(const LinearJob<T>& job, std::int64_t block, T* memory) {
    T** const parts[] = {&rows,     &tile,   &products, &logits, &direction, &target,
                         &residual, &scores, &weight,   &loss,   &sums,      &row_class};
    memory += (64 - reinterpret_cast<std::uintptr_t>(memory) % 64) % 64 / sizeof(T);
    lay_out(job, block, [&](int part, std::int64_t n) {
      *parts[part] = memory;
      memory += (n + kSlack) / 16 * 16;
    });
    row_stride = padded<T>(job.n_columns);
    product_stride = padded<T>(sums_columns(job));
  }
};

template <class T>
std::int64_t block_rows(const LinearJob<T>& job) {
  std::int64_t per_row = padded<T>(job.n_columns) + 2 * n_logits(job);
  if (needs_products(job)) per_row += sums_columns(job);
  if (job.pass == Pass::pair_curvature) per_row += sums_rows(job);
  std::int64_t rows = kBlockBytes / static_cast<std::int64_t>(sizeof(T)) / per_row;
  if (rows > kMostBlockRows) rows = kMostBlockRows;
  rows = rows / kTileRows<T> * kTileRows<T>;
  return rows > 0 ? rows : kTileRows<T>;
}

// One block of at most `block` rows.
template <class T>
struct Block {
  const LinearJob<T>& job;
  const Workspace<T>& space;
  std::int64_t begin, n_rows;  // rows of the job
  std::int64_t block;          // stride of class-major arrays
  std::int64_t tiled;          // n_rows, rounded up to whole tiles: the rest are rows of weight 0

  // X~ = (X - center, 1), rows padded with zeros.
  void load_rows() const {
    const std::int64_t d = job.n_features, stride = space.row_stride;
    for (std::int64_t i = 0; i < n_rows; ++i) {
      const T* x = job.X + (begin + i) * d;
      T* row = space.rows + i * stride;
      if (job.center != nullptr)
        for (std::int64_t j = 0; j < d; ++j) row[j] = x[j] - job.center[j];
      else
        std::memcpy(row, x, d * sizeof(T));
      for (std::int64_t j = d; j < stride; ++j) row[j] = j < job.n_columns ? T(1) : T(0);
    }
    std::memset(space.rows + n_rows * stride, 0, (tiled - n_rows) * stride * sizeof(T));
  }

  // Asks for the rows of the next block that lie where tile row i lies in this one: memory then
  // works while the products do.
  void prefetch_next(std::int64_t i) const {
    const std::int64_t first = begin + block + i;
    const std::int64_t last = first + kTileRows<T> < job.n_rows ? first + kTileRows<T> : job.n_rows;
    const char* end = reinterpret_cast<const char*>(job.X + last * job.n_features);
    for (const char* p = reinterpret_cast<const char*>(job.X + first * job.n_features); p < end;
         p += 64)
      __builtin_prefetch(p, 0, 2);
  }

  // Z = X~ W' (and the same for the direction), class-major, tile by tile of rows.
  void forward() const {
    const std::int64_t columns = job.n_columns;
    const Strides strides = {1, columns, kTileRows<T>, block};
    for (std::int64_t i = 0; i < tiled; i += kTileRows<T>) {
      prefetch_next(i);
      for (int v = 0; v < kVectorsPerTile; ++v)
        transpose<T>(space.rows + (i + v * Simd<T>::width) * space.row_stride, space.row_stride,
                     space.row_stride, space.tile + v * Simd<T>::width, kTileRows<T>);
      product<T>(job.n_outputs, kVectorsPerTile, columns, job.coef, space.tile, space.logits + i,
                 strides);
      if (job.direction != nullptr)
        product<T>(job.n_outputs, kVectorsPerTile, columns, job.direction, space.tile,
                   space.direction + i, strides);
    }
  }

  void forward_sparse() const {
    for (std::int64_t i = 0; i < n_rows; ++i) {
      sparse_scores<T>(job, begin + i, job.coef, space.scores, space.logits + i, block);
      if (job.direction != nullptr)
        sparse_scores<T>(job, begin + i, job.direction, space.scores, space.direction + i, block);
    }
    for (std::int64_t k = 0; k < job.n_outputs; ++k)
      for (std::int64_t i = n_rows; i < tiled; ++i) {
        space.logits[k * block + i] = 0;
        if (job.direction != nullptr) space.direction[k * block + i] = 0;
      }
  }

  // One score s becomes the logits (-s / 2, s / 2).
  void split_score(T* z) const {
    for (std::int64_t i = 0; i < tiled; ++i) {
      const T half = z[i] / 2;
      z[i] = -half;
      z[block + i] = half;
    }
  }

  std::int64_t class_of(std::int64_t output) const {
    return job.classes != nullptr ? job.classes[output] : output;
  }

  // Offset, mask and targets. The mask becomes logits of -inf, of the sigmoids targets of -1.
  void finish_logits() const {
    const std::int64_t K = n_logits(job);
    const bool sigmoid = job.head == Head::sigmoid, table = has_target_table(job);
    if (!sigmoid && job.n_outputs == 1) split_score(space.logits);
    if (!sigmoid && job.n_outputs == 1 && job.direction != nullptr) split_score(space.direction);
    for (std::int64_t i = 0; i < n_rows; ++i) {
      const std::int64_t first = (begin + i) * job.n_classes;
      if (job.offset != nullptr)
        for (std::int64_t k = 0; k < K; ++k)
          space.logits[k * block + i] += job.offset[first + class_of(k)];
      if (job.target_proba != nullptr)
        for (std::int64_t k = 0; k < K; ++k)
          space.target[k * block + i] = job.target_proba[first + class_of(k)];
      else if (table && job.target_index != nullptr)
        for (std::int64_t k = 0; k < K; ++k)
          space.target[k * block + i] = job.target_index[begin + i] == class_of(k) ? T(1) : T(0);
      if (job.mask != nullptr)
        for (std::int64_t k = 0; k < K; ++k)
          if (job.mask[first + class_of(k)] == 0)
            (sigmoid ? space.target : space.logits)[k * block + i] = sigmoid ? T(-1) : -kInfinity<T>;
    }
    for (std::int64_t i = n_rows; table && i < tiled; ++i)
      for (std::int64_t k = 0; k < K; ++k) space.target[k * block + i] = 0;
    for (std::int64_t i = 0; sigmoid && job.target_index != nullptr && i < tiled; ++i)
      space.row_class[i] = i < n_rows ? static_cast<T>(job.target_index[begin + i]) : T(-1);
  }

  void load_weights() const {
    for (std::int64_t i = 0; i < tiled; ++i)
      space.weight[i] = i >= n_rows ? T(0) : job.weight != nullptr ? job.weight[begin + i] : T(1);
  }

  // The kernel's head on a class-major block: one lane per row. false: a row is not finite.
  template <Verb verb, bool general, bool soft>
  bool head() const {
    constexpr int width = Simd<T>::width;
    bool good = true;
    std::int64_t targets[width] = {};
    for (std::int64_t i = 0; i < tiled; i += width) {
      for (int lane = 0; job.target_index != nullptr && lane < width; ++lane)
        targets[lane] = i + lane < n_rows ? job.target_index[begin + i + lane] : 0;
      typename VerbOf<T, verb, general, soft, AcrossSamples<T>>::type row;
      row.shape = {{job.n_classes, block}, targets};
      row.group.logits = space.logits + i;
      row.group.target_proba = soft ? space.target + i : nullptr;
      row.group.direction = space.direction + i;
      row.group.kept = row.group.out = space.residual + i;
      row.group.row_out = space.loss + i;
      row.group.weight = space.weight + i;
      row.group.label_smoothing = job.label_smoothing;
      row.group.logit_l2 = job.logit_l2;
      row.shift();
      row.sum();
      const auto bad = row.finish();
      row.write();
      if (row.shape.any_row(bad))
        for (int lane = 0; lane < width; ++lane) good &= !bad[lane] || i + lane >= n_rows;
    }
    return good;
  }

  template <Verb verb>
  bool head_of() const {
    const bool general = job.label_smoothing > T(0) || job.logit_l2 > T(0);
    if constexpr (verb == Verb::loss_gradient) {
      if (job.target_proba != nullptr)
        return general ? head<verb, true, true>() : head<verb, false, true>();
      return general ? head<verb, true, false>() : head<verb, false, false>();
    } else {
      return head<verb, false, false>();
    }
  }

  // The sigmoids, output by output: into `residual`, or the scale of the class curvature.
  void sigmoids(T* scale, double* losses) const {
    const bool by_class = job.pass == Pass::class_curvature, table = has_target_table(job);
    for (std::int64_t o = 0; o < job.n_outputs; ++o) {
      const std::int64_t first = o * block, k = class_of(o);
      T* out = (by_class ? scale : space.residual) + first;
      const SigmoidRows<T> rows = {space.logits + first,
                                   space.weight,
                                   table ? space.target + first : nullptr,
                                   job.target_index != nullptr ? space.row_class : nullptr,
                                   space.direction + first,
                                   static_cast<T>(k),
                                   job.positive_weight != nullptr ? job.positive_weight[k] : T(1),
                                   job.negative_weight != nullptr ? job.negative_weight[k] : T(1),
                                   job.label_smoothing,
                                   job.logit_l2};
      if (job.pass == Pass::loss_gradient)
        losses[o] += sigmoid_head<T, Pass::loss_gradient>(rows, tiled, out);
      else if (by_class)
        sigmoid_head<T, Pass::class_curvature>(rows, tiled, out);
      else
        sigmoid_head<T, Pass::hessian_product>(rows, tiled, out);
    }
  }

  // d loss / d s = (R_1 - R_0) / 2 for the logits (-s / 2, s / 2).
  void join_residual() const {
    if (job.n_outputs == 1)
      for (std::int64_t i = 0; i < tiled; ++i)
        space.residual[i] = (space.residual[block + i] - space.residual[i]) / 2;
  }

  // The logit penalty's part of the Hessian product, for available classes.
  void add_ridge_direction() const {
    if (job.logit_l2 > T(0))
      for (std::int64_t k = 0; k < job.n_classes; ++k)
        for (std::int64_t i = 0; i < tiled; ++i)
          if (space.logits[k * block + i] != -kInfinity<T>)
            space.residual[k * block + i] +=
                space.weight[i] * job.logit_l2 * space.direction[k * block + i];
  }

  // sums (outputs, columns) += A' B over the rows of the block, A class-major.
  void accumulate(const T* a, const T* b, std::int64_t stride, double* sums) const {
    const std::int64_t outputs = sums_rows(job), columns = sums_columns(job);
    product<T>(outputs, stride / Simd<T>::width, tiled, a, b, space.sums,
               {1, block, stride, stride});
    for (std::int64_t o = 0; o < outputs; ++o)
      for (std::int64_t j = 0; j < columns; ++j)
        sums[o * columns + j] += static_cast<double>(space.sums[o * stride + j]);
  }

  // sums (columns, columns) += X~' diag(scale) X~, the upper triangle.
  void accumulate_gram(const T* scale, double* sums) const {
    constexpr int width = Simd<T>::width;
    const std::int64_t columns = job.n_columns, stride = space.row_stride;
    for (std::int64_t i = 0; i < tiled; ++i)
      for (std::int64_t j = 0; j < stride; j += width)
        store<T>(space.products + i * stride + j,
                 scale[i] * load<T>(space.rows + i * stride + j));
    product<T>(columns, stride / width, tiled, space.products, space.rows, space.sums,
               {stride, 1, stride, stride}, true);
    for (std::int64_t o = 0; o < columns; ++o)
      for (std::int64_t j = o; j < columns; ++j)
        sums[o * columns + j] += static_cast<double>(space.sums[o * stride + j]);
  }

  // Products of columns, row by row in whole vectors: a segment overwrites what the one before it
  // stored too far, and the last lanes of a row stay unused.
  void multiply_columns() const {
    constexpr int width = Simd<T>::width;
    const std::int64_t columns = job.n_columns;
    for (std::int64_t i = 0; i < tiled; ++i) {
      const T* x = space.rows + i * space.row_stride;
      T* out = space.products + i * space.product_stride;
      for (std::int64_t j = 0; j < columns; out += columns - j, ++j)
        for (std::int64_t l = j; l < columns; l += width)
          store<T>(out + (l - j), x[j] * load<T>(x + l));
    }
  }

  // Weights of the rows in the curvature of each class, from probabilities in `residual`.
  void class_scale(T* scale) const {
    const T* p = space.residual;
    for (std::int64_t k = 0; k < job.n_outputs; ++k)
      for (std::int64_t i = 0; i < tiled; ++i) {
        const T ridge_k = job.n_outputs == 1 ? (ridge(i, 0) + ridge(i, 1)) / 4 : ridge(i, k);
        const T p_k = p[k * block + i];
        scale[k * block + i] = space.weight[i] * (p_k * (T(1) - p_k) + ridge_k);
      }
  }

  // The same for the pairs of classes, then for the logit penalty.
  void pair_scale(T* scale) const {
    const std::int64_t K = job.n_classes;
    const T* p = space.residual;
    T* out = scale;
    for (std::int64_t k = 0; k < K; ++k)
      for (std::int64_t l = k + 1; l < K; ++l, out += block)
        for (std::int64_t i = 0; i < tiled; ++i)
          out[i] = space.weight[i] * p[k * block + i] * p[l * block + i];
    for (std::int64_t k = 0; job.logit_l2 > T(0) && k < K; ++k, out += block)
      for (std::int64_t i = 0; i < tiled; ++i) out[i] = space.weight[i] * ridge(i, k);
  }

  // Curvature of the logit penalty: none where the class is unavailable.
  T ridge(std::int64_t i, std::int64_t k) const {
    return space.logits[k * block + i] != -kInfinity<T> ? job.logit_l2 : T(0);
  }
};

template <class T>
bool run_block(const Block<T>& b, T* scale, PartSums& out) {
  const LinearJob<T>& job = b.job;
  const Workspace<T>& space = b.space;
  const bool sparse = job.X == nullptr;
  if (!sparse) b.load_rows();
  b.load_weights();
  if (job.pass == Pass::moments) {
    b.accumulate(space.weight, space.rows, space.row_stride, out.sums);
    return true;
  }
  if (job.pass == Pass::gram) {
    b.accumulate_gram(space.weight, out.sums);
    return true;
  }
  sparse ? b.forward_sparse() : b.forward();
  if (job.pass == Pass::logits) {
    for (std::int64_t i = 0; i < b.n_rows; ++i)
      for (std::int64_t k = 0; k < job.n_outputs; ++k)
        job.rows_out[(b.begin + i) * job.n_outputs + k] = space.logits[k * b.block + i];
    return true;
  }
  b.finish_logits();
  bool good = true;
  if (job.head == Head::sigmoid) {
    b.sigmoids(scale, out.sums + sums_rows(job) * sums_columns(job));
  } else if (job.pass == Pass::loss_gradient) {
    good = b.template head_of<Verb::loss_gradient>();
    for (std::int64_t i = 0; i < b.n_rows; ++i) out.loss += static_cast<double>(space.loss[i]);
    b.join_residual();
  } else if (job.pass == Pass::hessian_product) {
    good = b.template head_of<Verb::hessian_product>();
    b.add_ridge_direction();
    b.join_residual();
  } else {
    good = b.template head_of<Verb::softmax>();
    job.pass == Pass::class_curvature ? b.class_scale(scale) : b.pair_scale(scale);
  }
  if (job.pass == Pass::class_curvature) {
    for (std::int64_t k = 0; k < job.n_outputs; ++k)
      b.accumulate_gram(scale + k * b.block, out.sums + k * job.n_columns * job.n_columns);
    return good;
  }
  if (job.pass == Pass::pair_curvature) {
    b.multiply_columns();
    b.accumulate(scale, space.products, space.product_stride, out.sums);
    return good;
  }
  if (sparse)
    for (std::int64_t i = 0; i < b.n_rows; ++i)
      sparse_accumulate<T>(job, b.begin + i, space.residual + i, b.block, out.sums);
  else
    b.accumulate(space.residual, space.rows, space.row_stride, out.sums);
  return good;
}

template <class T>
std::int64_t scale_size(const LinearJob<T>& job, std::int64_t block) {
  const bool curvature = job.pass == Pass::class_curvature || job.pass == Pass::pair_curvature;
  const std::int64_t rows = job.pass == Pass::pair_curvature ? sums_rows(job) : job.n_outputs;
  return curvature ? rows * block + 64 : 0;
}

template <class T>
std::int64_t workspace_size(const LinearJob<T>& job) {
  const std::int64_t block = block_rows(job);
  return Workspace<T>::size(job, block) + scale_size(job, block);
}

template <class T>
bool run(const LinearJob<T>& job, std::int64_t begin, std::int64_t end, T* memory, PartSums& out) {
  const std::int64_t block = block_rows(job);
  const Workspace<T> space(job, block, memory);
  T* scale = memory + Workspace<T>::size(job, block);
  bool good = true;
  for (std::int64_t row = begin; row < end; row += block) {
    const std::int64_t n = end - row < block ? end - row : block;
    const std::int64_t tiled = (n + kTileRows<T> - 1) / kTileRows<T> * kTileRows<T>;
    good &= run_block<T>({job, space, row, n, block, tiled}, scale, out);
  }
  return good;
}

template <class T>
constexpr LinearBody<T> linear_body() {
  return {block_rows<T>, workspace_size<T>, run<T>};
}

}  // namespace

extern const LinearKernel SKSOFTMAX_PASTE(linear_, SKSOFTMAX_ISA) = {linear_body<float>(),
                                                                     linear_body<double>()};

}  // namespace sksoftmax
