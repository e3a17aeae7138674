// Exact sums over some rows of a leaf: the kernel's residuals, on a grid, times the weights.
#pragma once

#include "pass_rows.h"

namespace sksoftmax {
namespace {

using DoubleV = Vec<double>;

// Rounds to the grid 2^-24 (coarser where |v| > 1/2: floats are on it already).
SKSOFTMAX_INLINE HalfV on_grid(HalfV v) {
  constexpr float magic = 0x1.8p-1f;
  return (v + magic) - magic;
}

// Rows are summed several at a time, as one long row, where few classes would leave lanes empty.
constexpr std::int64_t rows_summed_together(std::int64_t n_classes) {
  return n_classes <= kMostAcross ? kHalf : 1;
}

// Some rows of one leaf, gathered.
struct LeafBlock {
  const LeafJob& job;
  const bool weighted;  // or terms that need rounding
  const std::int64_t most_rows, together;
  float *logits, *target_proba, *residual, *curvature, *loss;
  std::int64_t* target_index;
  double *weight, *entry_weight, *sums;
  std::int64_t n_rows = 0;

  LeafBlock(const LeafJob& job, Carver& carver)
      : job(job),
        weighted(job.weight != nullptr || job.unit > 0x1p-24),
        most_rows(rows_at_once(job.n_classes)),
        together(rows_summed_together(job.n_classes)) {
    const std::int64_t entries = most_rows * job.n_classes;
    logits = carver.take<float>(entries);
    target_proba = carver.take<float>(job.targets.proba != nullptr ? entries : 0);
    residual = carver.take<float>(entries);
    curvature = carver.take<float>(job.targets.hard() ? 0 : entries);
    loss = carver.take<float>(most_rows);
    target_index = carver.take<std::int64_t>(most_rows);
    weight = carver.take<double>(most_rows);
    entry_weight = carver.take<double>(together > 1 ? entries : 0);
    sums = carver.take<double>(2 * together * job.n_classes + 2 * kPadding);
  }

  void gather(std::int64_t begin, std::int64_t n) {
    n_rows = n;
    const std::int64_t K = job.n_classes;
    with_widest(K, [&, this](auto v) SKSOFTMAX_INLINE_LAMBDA {
      const auto second = [](auto, auto b) SKSOFTMAX_INLINE_LAMBDA { return b; };
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t row = job.rows[begin + i];
        prefetch_row(begin + i + most_rows);
        combine<decltype(v)>(logits + i * K, job.logits + row * K, K, second);
        if (job.targets.proba != nullptr)
          combine<decltype(v)>(target_proba + i * K, job.targets.proba + row * K, K, second);
        else
          target_index[i] = job.targets.index[row];
        weight[i] = job.weight != nullptr ? job.weight[row] : 1.0;
      }
    });
  }

  // Rows of a leaf lie apart: what the next block gathers is asked for now.
  SKSOFTMAX_INLINE void prefetch_row(std::int64_t at) const {
    if (at >= job.n_listed) return;
    constexpr std::int64_t kLine = 64 / sizeof(float);
    const std::int64_t first = job.rows[at] * job.n_classes;
    for (std::int64_t k = 0; k < job.n_classes; k += kLine) {
      __builtin_prefetch(job.logits + first + k, 0, 2);
      if (job.targets.proba != nullptr) __builtin_prefetch(job.targets.proba + first + k, 0, 2);
    }
  }

  // Residuals and, where they do not tell it, curvatures.
  Fault differentiate() const {
    const std::int64_t K = job.n_classes;
    Targets targets = job.targets;
    if (targets.index != nullptr) targets.index = target_index;
    if (targets.proba != nullptr) targets.proba = target_proba;
    const Fault fault = rows<float, Verb::loss_gradient>(
        residual_job(K, targets, 0, logits, n_rows, residual, loss), 0, n_rows);
    RowCurvature row(targets, K);
    for (std::int64_t i = 0; !targets.hard() && i < n_rows; ++i) {
      row.point_at(targets, K, i, residual + i * K, logits + i * K);
      row.of_classes(K, curvature + i * K);
    }
    return fault;
  }

  // Makes whole long rows: entries of residual 0 follow the last row. Returns how many.
  std::int64_t join_rows() const {
    if (together == 1) return n_rows;
    const std::int64_t K = job.n_classes, joined = (n_rows + together - 1) / together;
    const std::int64_t used = n_rows * K, all = joined * together * K;
    std::memset(residual + used, 0, (all - used) * sizeof(float));
    if (!job.targets.hard()) std::memset(curvature + used, 0, (all - used) * sizeof(float));
    for (std::int64_t i = 0; weighted && i < n_rows; ++i)
      for (std::int64_t k = 0; k < K; ++k) entry_weight[i * K + k] = weight[i];
    if (weighted) std::memset(entry_weight + used, 0, (all - used) * sizeof(double));
    return joined;
  }

  // x times the weight of entry k of row i, on the grid of the terms.
  template <bool is_weighted>
  SKSOFTMAX_INLINE DoubleV term(HalfV x, std::int64_t i, std::int64_t k, DoubleV magic) const {
    const DoubleV wide = __builtin_convertvector(on_grid(x), DoubleV);
    if constexpr (!is_weighted) return wide;
    if (together == 1) return (wide * weight[i] + magic) - magic;
    return (wide * load<double>(entry_weight + i * together * job.n_classes + k) + magic) - magic;
  }

  // sums = (G, H) of the (joined) rows, each `stride` numbers apart.
  template <bool is_hard, bool is_weighted>
  void sum_rows(std::int64_t n_joined, std::int64_t stride) const {
    const std::int64_t entries = together * job.n_classes;
    const DoubleV magic = splat(0x1.8p52 * job.unit);
    for (std::int64_t k = 0; k < entries; k += kHalf) {
      DoubleV G = {}, H = {};
      for (std::int64_t i = 0; i < n_joined; ++i) {
        HalfV x;
        std::memcpy(&x, residual + i * entries + k, sizeof x);
        const DoubleV g = term<is_weighted>(x, i, k, magic);
        G += g;
        if constexpr (is_hard) {
          H += absolute<double>(g);
        } else {
          std::memcpy(&x, curvature + i * entries + k, sizeof x);
          H += term<is_weighted>(x, i, k, magic);
        }
      }
      store<double>(sums + k, G);
      store<double>(sums + stride + k, H);
    }
  }

  void add_to(double* total) const {
    const std::int64_t K = job.n_classes, n_joined = join_rows();
    const std::int64_t stride = padded_size(together * K);
    if (job.targets.hard())
      weighted ? sum_rows<true, true>(n_joined, stride) : sum_rows<true, false>(n_joined, stride);
    else
      weighted ? sum_rows<false, true>(n_joined, stride) : sum_rows<false, false>(n_joined, stride);
    for (std::int64_t j = 0; j < together; ++j)
      for (std::int64_t k = 0; k < K; ++k) {
        total[k] += sums[j * K + k];
        total[K + k] += sums[stride + j * K + k];
      }
    total[2 * K] += weight_sum();
  }

  double weight_sum() const {
    if (job.weight == nullptr) return static_cast<double>(n_rows);
    const double magic = 0x1.8p52 * job.weight_unit;
    double part[4] = {};  // exact: in any order
    for (std::int64_t i = 0; i < n_rows; ++i) part[i & 3] += (weight[i] + magic) - magic;
    return (part[0] + part[1]) + (part[2] + part[3]);
  }
};

}  // namespace
}  // namespace sksoftmax
