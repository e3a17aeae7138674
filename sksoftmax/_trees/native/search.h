// Histograms of nodes, and the best split in them, one group of features at a time: so few that
// their slots stay in the nearest cache while they are filled, shared out and scanned. Groups are
// the blocks that threads share.
#pragma once

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "grow.h"
#include "split.h"

namespace sksoftmax {

// The workspace, part by part.
struct Layout {
  std::int64_t n_slots = 0, slot_bytes = 0;
  std::int64_t histogram_bytes = 0, group_bytes = 0, worker_bytes = 0;
  std::int64_t ranges = 0, rows = 0, workers = 0, histograms = 0;  // where they begin
  int group_size = 1;

  static constexpr std::int64_t kAlignment = 64;
  static constexpr std::int64_t kGroupBytes = 32 << 10;  // of slots: two thirds of an L1

  static std::int64_t padded(std::int64_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  Layout(const Bins& bins, int lanes, bool wide, std::int64_t max_leaf_nodes, std::int64_t n_rows,
         int n_threads) {
    slot_bytes = lanes * (wide ? 8 : 4);
    const std::int64_t most = std::min(kGroupBytes / (kCodes * slot_bytes),
                                       (bins.n_features + n_threads - 1) / std::int64_t{n_threads});
    group_size = static_cast<int>(std::clamp<std::int64_t>(most, 1, kMostFeaturesAtOnce));
    for (std::int32_t f = 0; f < bins.n_features; ++f) n_slots += bins.n_bins[f] + 1;
    histogram_bytes = padded(n_slots * slot_bytes);
    group_bytes = group_size * kCodes * slot_bytes;
    worker_bytes = padded(group_bytes + kMostBinsInTile * slot_bytes);
    rows = padded(max_leaf_nodes * bins.n_features * std::int64_t{sizeof(Range)});
    workers = rows + padded(n_rows * std::int64_t{sizeof(std::int32_t)});
    histograms = workers + n_threads * worker_bytes;
  }
  std::int64_t size(std::int64_t n_histograms) const {
    return kAlignment + histograms + n_histograms * histogram_bytes;
  }
};

// A node as the search sees it.
struct Searched {
  const std::int32_t* rows = nullptr;
  std::int64_t n_rows = 0;
  const std::int64_t* sums = nullptr;
  Range* ranges = nullptr;
  int histogram = -1;  // -1: its slots are not kept
  bool is_root = false;
  const std::uint8_t* drawn = nullptr;  // the features to look at; null: not to be scanned
};

class Search {
 public:
  Search(const GrowJob& grow_job, const Histograms& bodies)
      : layout(grow_job.bins, grow_job.records.lanes, grow_job.records.wide,
               grow_job.max_leaf_nodes, grow_job.n_rows, grow_job.n_threads),
        job(grow_job),
        bins(grow_job.bins),
        records(grow_job.records),
        body(bodies.body(records.lanes, records.wide)) {
    const auto address = reinterpret_cast<std::uintptr_t>(job.workspace);
    memory = job.workspace + (layout.kAlignment - address % layout.kAlignment) % layout.kAlignment;
    slot_begin.push_back(0);
    for (std::int32_t f = 0; f < bins.n_features; ++f)
      slot_begin.push_back(slot_begin[f] + bins.n_bins[f] + 1);
    const double d_scale = records.has_curvature ? records.curvature_scale : records.weight_scale;
    l2 = job.l2 * d_scale;
    smoothing = kCategorySmoothing * d_scale;
    gain_unit = d_scale / records.gradient_scale / records.gradient_scale;
    const double most = records.wide ? 0x1p62 : 0x1p31 - 1;
    const double least = std::ceil(job.min_weight * records.weight_scale);
    min_weight = static_cast<std::int64_t>(std::clamp(least, 1.0, most));
  }

  std::int64_t n_groups() const {
    return (bins.n_features + layout.group_size - 1) / layout.group_size;
  }
  std::int64_t n_histograms() const {
    return (job.workspace_size - layout.size(0)) / layout.histogram_bytes;
  }

  // One group: the histogram of `built` from its rows; that of `rest`, if there is one, from its
  // parent's, which it holds; the best split of each.
  void in_group(std::int64_t group, int worker, const Searched& built, const Searched* rest,
                Candidate& best_built, Candidate& best_rest) const {
    const auto first = static_cast<std::int32_t>(group * layout.group_size);
    const std::int32_t last = std::min(first + layout.group_size, bins.n_features);
    std::uint8_t* const sums = memory + layout.workers + worker * layout.worker_bytes;
    void* const tile = sums + layout.group_bytes;
    build(built, rest, first, last, sums);
    for (std::int32_t f = first; f < last; ++f) {
      const Range range = built.ranges[f];
      if (!range.live) continue;
      const std::uint8_t* sum = sums + (f - first) * kCodes * layout.slot_bytes;
      if (built.is_root) check_codes(built, f, sum);
      store(sum, f, range, built, rest);
      if (built.drawn != nullptr) scan(built, f, sum, tile, best_built);
      if (rest != nullptr && rest->drawn != nullptr)
        scan(*rest, f, slot(rest->histogram, f, 0), tile, best_rest);
    }
  }

  // The slots of one feature: where they were kept, else summed again.
  Slots slots(const Searched& node, std::int32_t feature) const {
    std::uint8_t* const sums = memory + layout.workers;
    if (node.histogram < 0) build(node, nullptr, feature, feature + 1, sums);
    return {node.histogram < 0 ? sums : slot(node.histogram, feature, 0), records.lanes,
            records.wide};
  }

  CodeOrder order_of(const Range& range, std::int32_t f, const Slots& slots, int column) const {
    return category_order(slots, range.low, range.high, range.has_missing ? bins.n_bins[f] : -1,
                          column, records.n_columns, smoothing);
  }

  // f(first code, number of codes) for the slots that are read.
  template <class F>
  void each_run(const Range& range, std::int32_t feature, F f) const {
    f(range.low, range.high - range.low + 1);
    if (range.has_missing) f(bins.n_bins[feature], 1);
  }

  double score(const std::int64_t* sums) const {
    double squares = 0;
    for (int lane = 0; lane < records.n_columns; ++lane)
      squares += static_cast<double>(sums[lane]) * static_cast<double>(sums[lane]);
    return squares / std::max(static_cast<double>(sums[records.n_columns]) + l2, 1.0);
  }

  const Layout layout;
  double gain_unit = 1;         // of a score, in real units
  std::int64_t min_weight = 1;  // of a child, in units of the weight lane
  std::uint8_t* memory = nullptr;

 private:
  std::uint8_t* slot(int histogram, std::int32_t feature, int code) const {
    return memory + layout.histograms + histogram * layout.histogram_bytes +
           (slot_begin[feature] + code) * layout.slot_bytes;
  }

  void build(const Searched& node, const Searched* rest, std::int32_t first, std::int32_t last,
             std::uint8_t* sums) const {
    const std::int64_t feature_bytes = kCodes * layout.slot_bytes;
    for (std::int32_t f = first; f < last;) {
      int count = 0;
      for (; f + count < last && node.ranges[f + count].live; ++count)
        each_run(node.ranges[f + count], f + count, [&](int code, int n) {
          std::memset(sums + (f + count - first) * feature_bytes + code * layout.slot_bytes, 0,
                      n * layout.slot_bytes);
        });
      if (count > 0) {
        body.add_rows(bins, records, node.rows, node.n_rows, f, count,
                      sums + (f - first) * feature_bytes, soon(node, rest, f, count));
      }
      f += std::max(count, 1);
    }
  }

  Soon soon(const Searched& node, const Searched* rest, std::int32_t f, int count) const {
    const int one = node.histogram >= 0 ? node.histogram : rest != nullptr ? rest->histogram : -1;
    if (one < 0) return {};
    const int other = rest != nullptr ? rest->histogram : one;
    return {slot(one, f, 0), slot(other, f, 0), slot(one, f + count, 0) - slot(one, f, 0)};
  }

  void store(const std::uint8_t* sum, std::int32_t f, const Range& range, const Searched& built,
             const Searched* rest) const {
    each_run(range, f, [&](int code, int n) {
      const std::uint8_t* from = sum + code * layout.slot_bytes;
      std::uint8_t* to = built.histogram >= 0 ? slot(built.histogram, f, code) : nullptr;
      if (rest != nullptr)
        body.share(from, to, slot(rest->histogram, f, code), std::int64_t{n} * records.lanes);
      else if (to != nullptr)
        std::memcpy(to, from, n * layout.slot_bytes);
    });
  }

  // What a code above n_bins adds is missing from its feature's slots.
  void check_codes(const Searched& root, std::int32_t f, const void* sum) const {
    const Slots slot = {sum, records.lanes, records.wide};
    std::int64_t found = 0;
    for (int code = 0; code <= bins.n_bins[f]; ++code)
      found += slot.at(code, records.weight_lane());
    if (found != root.sums[records.weight_lane()])
      throw std::invalid_argument("codes: a code is above n_bins");
  }

  // Codes at both ends that the node does not have are not looked at again, below either.
  void tighten(Range& range, const Slots& slot, std::int32_t feature) const {
    while (range.low < range.high && slot.empty(range.low)) ++range.low;
    while (range.low < range.high && slot.empty(range.high)) --range.high;
    range.has_missing = range.has_missing && !slot.empty(bins.n_bins[feature]);
    if (range.low == range.high && (!range.has_missing || slot.empty(range.low)))
      range.live = false;
  }

  void scan(const Searched& node, std::int32_t f, const std::uint8_t* from, void* tile,
            Candidate& best) const {
    Range& range = node.ranges[f];
    if (!node.drawn[f]) return;
    const Slots slots = {from, records.lanes, records.wide};
    tighten(range, slots, f);
    if (!range.live) return;
    const ScanJob scan_job = {node.sums,     min_weight,        l2,
                              records.lanes, records.n_columns, records.has_curvature};
    if (bins.is_categorical[f]) scan_categorical(scan_job, range, f, slots, tile, best);
    else scan_numerical(scan_job, range, f, slots, tile, best);
  }

  void scan_numerical(const ScanJob& scan_job, const Range& range, std::int32_t f,
                      const Slots& slots, void* tile, Candidate& best) const {
    const int n = range.high - range.low + 1;
    const void* from = slots.slot(range.low);
    Candidate candidate;
    candidate.feature = f;
    candidate.position = range.low;
    keep(body.scan(scan_job, from, nullptr, n, nullptr, best.score, tile), candidate, best);
    if (!range.has_missing) return;
    const void* missing = slots.slot(bins.n_bins[f]);
    candidate.missing_left = true;  // a lower bin with the same score still counts
    keep(body.scan(scan_job, from, nullptr, n, missing, -1, tile), candidate, best);
  }

  void scan_categorical(const ScanJob& scan_job, const Range& range, std::int32_t f,
                        const Slots& slots, void* tile, Candidate& best) const {
    Candidate candidate;
    candidate.feature = f;
    for (int column = 0; column < std::min(records.n_columns, kMostOrders); ++column) {
      const CodeOrder order = order_of(range, f, slots, column);
      candidate.order = column;
      keep(body.scan(scan_job, slots.data, order.codes.data(), order.n, nullptr, best.score, tile),
           candidate, best);
    }
  }

  static void keep(const Cut& cut, Candidate candidate, Candidate& best) {
    candidate.score = cut.score;
    candidate.position += cut.position;
    if (cut.score >= 0 && candidate.beats(best)) best = candidate;
  }

  const GrowJob& job;
  const Bins& bins;
  const Records& records;
  const HistogramBody& body;
  std::vector<std::int64_t> slot_begin;
  double l2 = 0, smoothing = 0;  // in integer units of D
};

}  // namespace sksoftmax
