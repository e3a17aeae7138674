// Grows one tree, best leaf first. To split a leaf:
//
//   1 partition   its rows, stably: left, then right
//   2 build       the histogram of the child with fewer rows
//   3 subtract    it from the parent's histogram, which becomes the other child's
//   4 scan        both for the best split of each feature
//
// Steps 2 to 4 are done feature group by feature group, while its slots are in the cache; groups
// are the blocks that threads share. All sums are exact integers, so nothing depends on threads,
// on the order of rows, or on whether a histogram came from rows or from a subtraction.

#include "grow.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "../../_kernel/native/parallel.h"
#include "split.h"

namespace sksoftmax {
namespace {

constexpr std::int64_t kGroupBytes = 32 << 10;   // slots of a feature group: they stay in L1
constexpr std::int64_t kRowsPerChunk = 8192;     // of a partition
constexpr std::int64_t kAlignment = 64;

std::int64_t padded(std::int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// What a leaf's descendants still need to know of a feature: the codes that its rows can have.
// Slots outside low..high and, without has_missing, the missing one are never read.
struct Range {
  std::uint8_t low, high;
  bool has_missing;
  bool live;  // allowed here, and not constant
};

struct Leaf {
  std::int64_t node = 0;
  std::int64_t begin = 0, end = 0;  // of its rows
  std::int64_t depth = 0;
  std::int64_t place = 0;           // its row of ranges and of sums
  int histogram = -1;               // -1: none, to be summed again if it is needed
  double gain = 0;
  Split split;
  std::vector<std::int64_t> left;    // the sums of the split's left child
  std::vector<std::uint8_t> groups;  // may its nodes use this group of features?

  std::int64_t n_rows() const { return end - begin; }
};

// The best split of one node within one feature group.
struct Candidate {
  double score = -1;
  std::int32_t feature = -1;
  int position = 0;  // the last bin that goes left; of categories, its place in the order
  int order = -1;    // the column that orders the categories; -1: a numerical feature
  bool missing_left = false;

  // Among equals the first by feature, bin, missing right.
  bool beats(const Candidate& other) const {
    if (score != other.score) return score > other.score;
    if (feature != other.feature) return feature < other.feature;
    if (order != other.order) return order < other.order;
    if (position != other.position) return position < other.position;
    return missing_left < other.missing_left;
  }
};

// The workspace, part by part.
struct Layout {
  std::int64_t histogram_bytes = 0, tile_bytes = 0;
  std::int64_t ranges = 0, scratch = 0, tiles = 0, histograms = 0;  // where they begin

  Layout(const Bins& bins, int lanes, bool wide, std::int64_t max_leaf_nodes, std::int64_t n_rows,
         int n_threads) {
    const std::int64_t slot_bytes = lanes * (wide ? 8 : 4);
    std::int64_t n_slots = kCodes;  // a code above n_bins falls into the next slots, or into these
    for (std::int32_t f = 0; f < bins.n_features; ++f) n_slots += bins.n_bins[f] + 1;
    histogram_bytes = padded(n_slots * slot_bytes);
    tile_bytes = padded(kMostBinsInTile * slot_bytes);
    ranges = 0;
    scratch = padded(max_leaf_nodes * bins.n_features * std::int64_t{sizeof(Range)});
    tiles = scratch + padded(n_rows * std::int64_t{sizeof(std::int32_t)});
    histograms = tiles + n_threads * tile_bytes;
  }
  std::int64_t size(std::int64_t n_histograms) const {
    return kAlignment + histograms + n_histograms * histogram_bytes;
  }
};

class Grower {
 public:
  Grower(const GrowJob& grow_job, const Histograms& bodies)
      : job(grow_job),
        bins(grow_job.bins),
        records(grow_job.records),
        body(bodies.body(records.lanes, records.wide)),
        layout(bins, records.lanes, records.wide, job.max_leaf_nodes, job.n_rows, job.n_threads),
        slot_bytes(records.lanes * (records.wide ? 8 : 4)) {
    auto address = reinterpret_cast<std::uintptr_t>(job.workspace);
    memory = job.workspace + (kAlignment - address % kAlignment) % kAlignment;
    ranges = reinterpret_cast<Range*>(memory + layout.ranges);
    scratch = reinterpret_cast<std::int32_t*>(memory + layout.scratch);
    lay_out_features();
    units();
  }

  Tree grow() {
    plant();
    while (!queue.empty() && n_leaves < job.max_leaf_nodes) {
      std::pop_heap(queue.begin(), queue.end(), Later{leaves});
      const std::int64_t best = queue.back();
      queue.pop_back();
      split(best);
    }
    return finish();
  }

 private:
  // --- setting up --------------------------------------------------------------------------------

  // Where each feature's slots begin, and the groups.
  void lay_out_features() {
    slot_begin.resize(bins.n_features + 1, 0);
    for (std::int32_t f = 0; f < bins.n_features; ++f)
      slot_begin[f + 1] = slot_begin[f] + bins.n_bins[f] + 1;
    const std::int64_t most = kGroupBytes / (kCodes * slot_bytes);
    group_size = static_cast<int>(std::clamp<std::int64_t>(most, 1, kMostFeaturesAtOnce));
    n_feature_groups = (bins.n_features + group_size - 1) / group_size;
    const std::int64_t n_histograms =
        std::min(job.max_leaf_nodes, (job.workspace_size - layout.size(0)) / layout.histogram_bytes);
    for (int i = static_cast<int>(n_histograms); i-- > 0;) free_histograms.push_back(i);
  }

  // Real units to integer ones.
  void units() {
    const double d_scale = records.has_curvature ? records.curvature_scale : records.weight_scale;
    l2 = job.l2 * d_scale;
    smoothing = kCategorySmoothing * d_scale;
    gain_unit = d_scale / records.gradient_scale / records.gradient_scale;
    const double least = std::ceil(job.min_weight * records.weight_scale);
    const double most = records.wide ? 0x1p62 : 0x1p31 - 1;
    min_weight = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::min(least, most)));
  }

  // --- nodes -------------------------------------------------------------------------------------

  std::int64_t* sums(const Leaf& leaf) { return leaf_sums.data() + leaf.place * records.lanes; }
  Range* ranges_of(const Leaf& leaf) { return ranges + leaf.place * bins.n_features; }
  std::int64_t weight(const Leaf& leaf) { return sums(leaf)[records.weight_lane()]; }

  double score(const std::int64_t* sum) const {
    double squares = 0;
    for (int lane = 0; lane < records.n_columns; ++lane)
      squares += static_cast<double>(sum[lane]) * static_cast<double>(sum[lane]);
    return squares / std::max(static_cast<double>(sum[records.n_columns]) + l2, 1.0);
  }

  // The root: its sums, which also show whether the records keep their contract.
  void plant() {
    leaf_sums.assign(records.lanes, 0);
    std::vector<std::int64_t> magnitude(records.lanes, 0);
    const int d_lane = records.n_columns, w_lane = records.weight_lane();
    bool negative = false;
    for (std::int64_t i = 0; i < job.n_rows; ++i) {
      const std::int32_t* record = records.data + std::int64_t{job.rows[i]} * records.lanes;
      for (int lane = 0; lane < records.lanes; ++lane) {
        leaf_sums[lane] += record[lane];
        magnitude[lane] += std::abs(std::int64_t{record[lane]});
      }
      negative |= record[d_lane] < 0 || record[w_lane] < 0;
    }
    if (negative) throw std::invalid_argument("records: a weight or a curvature is negative");
    const std::int64_t most = *std::max_element(magnitude.begin(), magnitude.end());
    if (!records.wide && most > std::numeric_limits<std::int32_t>::max())
      throw std::invalid_argument("wide: the sums of these records need 64 bits");
    Leaf root;
    root.end = job.n_rows;
    root.groups.assign(job.n_groups, 1);
    leaves.push_back(root);
    for (std::int32_t f = 0; f < bins.n_features; ++f)
      ranges[f] = {0, static_cast<std::uint8_t>(bins.n_bins[f] - 1), true, true};
    forbid(leaves[0]);
    new_node(leaves[0]);
    if (!can_split(leaves[0]) || job.max_leaf_nodes < 2) return;
    leaves[0].histogram = take_histogram();
    evaluate(nullptr, nullptr, &leaves[0]);
  }

  void new_node(Leaf& leaf) {
    leaf.node = n_nodes++;
    leaf_of_node.push_back(leaf.place);
    Node& node = job.nodes[leaf.node];
    node = Node{};
    node.weight = static_cast<double>(weight(leaf)) / records.weight_scale;
    node.feature = -1;
  }

  bool can_split(const Leaf& leaf) {
    return (job.max_depth == 0 || leaf.depth < job.max_depth) && weight(leaf) / 2 >= min_weight;
  }

  // Features that no group of the leaf holds are dead.
  void forbid(const Leaf& leaf) {
    if (job.n_groups == 0) return;
    const auto allowed = allowed_features(leaf);
    for (std::int32_t f = 0; f < bins.n_features; ++f) ranges_of(leaf)[f].live &= allowed[f] != 0;
  }

  std::vector<std::uint8_t> allowed_features(const Leaf& leaf) const {
    std::vector<std::uint8_t> allowed(bins.n_features, job.n_groups == 0);
    for (std::int64_t g = 0; g < job.n_groups; ++g)
      for (std::int64_t i = job.group_ptr[g]; leaf.groups[g] && i < job.group_ptr[g + 1]; ++i)
        allowed[job.groups[i]] = 1;
    return allowed;
  }

  // max_features of the allowed ones, a function of the seed and the node: the ones with the
  // lowest hashes.
  std::vector<std::uint8_t> drawn_features(const Leaf& leaf) const {
    std::vector<std::uint8_t> drawn = allowed_features(leaf);
    if (job.max_features == bins.n_features) return drawn;
    const std::uint64_t stream = splitmix64(job.seed ^ splitmix64(static_cast<std::uint64_t>(leaf.node)));
    std::vector<std::pair<std::uint64_t, std::int32_t>> lots;
    for (std::int32_t f = 0; f < bins.n_features; ++f)
      if (drawn[f]) lots.emplace_back(splitmix64(stream + static_cast<std::uint64_t>(f)), f);
    const std::size_t kept = std::min<std::size_t>(job.max_features, lots.size());
    std::nth_element(lots.begin(), lots.begin() + kept, lots.end());
    for (std::size_t i = kept; i < lots.size(); ++i) drawn[lots[i].second] = 0;
    return drawn;
  }

  // --- histograms --------------------------------------------------------------------------------

  char* slots(int histogram, std::int32_t feature) const {
    return reinterpret_cast<char*>(memory) + layout.histograms +
           histogram * layout.histogram_bytes + slot_begin[feature] * slot_bytes;
  }

  // A free one, or that of the leaf that will be split last.
  int take_histogram() {
    if (free_histograms.empty()) {
      std::int64_t last = -1;
      for (const std::int64_t leaf : queue)
        if (leaves[leaf].histogram >= 0 && (last < 0 || Later{leaves}(leaf, last))) last = leaf;
      release_histogram(leaves[last]);
    }
    const int histogram = free_histograms.back();
    free_histograms.pop_back();
    return histogram;
  }

  void release_histogram(Leaf& leaf) {
    if (leaf.histogram >= 0) free_histograms.push_back(leaf.histogram);
    leaf.histogram = -1;
  }

  // f(first slot, number of slots) for the slots that are read.
  template <class F>
  void each_run(const Range& range, std::int32_t feature, F f) const {
    f(range.low, range.high - range.low + 1);
    if (range.has_missing) f(bins.n_bins[feature], 1);
  }

  void build(const Leaf& leaf, std::int32_t first, std::int32_t last) {
    const Range* range = ranges_of(leaf);
    for (std::int32_t f = first; f < last; ++f)
      if (range[f].live)
        each_run(range[f], f, [&](int code, int n) {
          std::memset(slots(leaf.histogram, f) + code * slot_bytes, 0, n * slot_bytes);
        });
    for (std::int32_t f = first; f < last;) {
      void* at[kMostFeaturesAtOnce];
      int count = 0;
      for (; f + count < last && range[f + count].live; ++count)
        at[count] = slots(leaf.histogram, f + count);
      if (count > 0)
        body.add_rows(bins, records, job.rows + leaf.begin, leaf.n_rows(), f, count, at);
      f += std::max(count, 1);
    }
  }

  // The histogram of `from` (so far its parent's) minus that of its sibling.
  void subtract(const Leaf& from, const Leaf& what, std::int32_t first, std::int32_t last) {
    const Range* range = ranges_of(from);
    for (std::int32_t f = first; f < last; ++f)
      if (range[f].live)
        each_run(range[f], f, [&](int code, int n) {
          body.subtract(slots(from.histogram, f) + code * slot_bytes,
                        slots(what.histogram, f) + code * slot_bytes, n * records.lanes);
        });
  }

  // --- scanning ----------------------------------------------------------------------------------

  // Codes at both ends that the node does not have are not looked at again, below either.
  void tighten(Range& range, const Slots& slot, std::int32_t feature) const {
    while (range.low < range.high && slot.empty(range.low)) ++range.low;
    while (range.low < range.high && slot.empty(range.high)) --range.high;
    range.has_missing = range.has_missing && !slot.empty(bins.n_bins[feature]);
    if (range.low == range.high && (!range.has_missing || slot.empty(range.low))) range.live = false;
  }

  struct Scan {
    ScanJob job;
    const Leaf* leaf;
    const std::uint8_t* drawn;
    void* tile;
  };

  void try_cut(const Cut& cut, Candidate candidate, Candidate& best) const {
    if (cut.score < 0) return;
    candidate.score = cut.score;
    candidate.position += cut.position;
    if (candidate.beats(best)) best = candidate;
  }

  void scan_numerical(const Scan& scan, std::int32_t f, const Range& range, Candidate& best) const {
    const char* slot = slots(scan.leaf->histogram, f);
    const int n = range.high - range.low + 1;
    const std::uint8_t* order = codes_from(range.low);
    Candidate candidate;
    candidate.feature = f;
    candidate.position = range.low;
    try_cut(body.scan(scan.job, slot, order, n, nullptr, scan.tile), candidate, best);
    if (!range.has_missing) return;
    candidate.missing_left = true;
    const void* missing = slot + bins.n_bins[f] * slot_bytes;
    try_cut(body.scan(scan.job, slot, order, n, missing, scan.tile), candidate, best);
  }

  CodeOrder order_of(const Leaf& leaf, std::int32_t f, int column) const {
    const Range& range = ranges[leaf.place * bins.n_features + f];
    const Slots slot = {slots(leaf.histogram, f), records.lanes, records.wide};
    return category_order(slot, range.low, range.high, range.has_missing ? bins.n_bins[f] : -1,
                          column, records.n_columns, smoothing);
  }

  void scan_categorical(const Scan& scan, std::int32_t f, Candidate& best) const {
    Candidate candidate;
    candidate.feature = f;
    for (int column = 0; column < std::min(records.n_columns, kMostOrders); ++column) {
      const CodeOrder order = order_of(*scan.leaf, f, column);
      candidate.order = column;
      try_cut(body.scan(scan.job, slots(scan.leaf->histogram, f), order.codes.data(), order.n,
                        nullptr, scan.tile),
              candidate, best);
    }
  }

  Candidate scan(const Scan& scan, std::int32_t first, std::int32_t last) {
    Candidate best;
    for (std::int32_t f = first; f < last; ++f) {
      Range& range = ranges_of(*scan.leaf)[f];
      if (!range.live || !scan.drawn[f]) continue;
      tighten(range, {slots(scan.leaf->histogram, f), records.lanes, records.wide}, f);
      if (!range.live) continue;
      if (bins.is_categorical[f]) scan_categorical(scan, f, best);
      else scan_numerical(scan, f, range, best);
    }
    return best;
  }

  // --- growing -----------------------------------------------------------------------------------

  // Histograms and best splits: of `small` from its rows, of `large` from its parent's histogram,
  // which it holds, of `alone` from its rows; each may be null.
  void evaluate(Leaf* small, Leaf* large, Leaf* alone) {
    Leaf* const scanned[] = {small, large, alone};
    std::vector<std::uint8_t> drawn[3];
    for (int i = 0; i < 3; ++i)
      if (scanned[i] != nullptr) drawn[i] = drawn_features(*scanned[i]);
    candidates.assign(3 * n_feature_groups, Candidate{});
    const auto do_group = [&](std::int64_t group, int worker) {
      const auto first = static_cast<std::int32_t>(group * group_size);
      const std::int32_t last = std::min(first + group_size, bins.n_features);
      if (small != nullptr) build(*small, first, last);
      if (large != nullptr) subtract(*large, *small, first, last);
      if (alone != nullptr) build(*alone, first, last);
      if (alone != nullptr && alone->node == 0) check_codes(*alone, first, last);
      for (int i = 0; i < 3; ++i)
        if (scanned[i] != nullptr && can_split(*scanned[i]))
          candidates[i * n_feature_groups + group] =
              scan(scan_of(*scanned[i], drawn[i], worker), first, last);
    };
    for_each_block(n_feature_groups, job.n_threads, do_group);
    for (int i = 0; i < 3; ++i)
      if (scanned[i] != nullptr) enqueue(*scanned[i], candidates.data() + i * n_feature_groups);
  }

  Scan scan_of(const Leaf& leaf, const std::vector<std::uint8_t>& drawn, int worker) {
    Scan scan;
    scan.job = {sums(leaf), min_weight, l2, records.lanes, records.n_columns, records.has_curvature};
    scan.leaf = &leaf;
    scan.drawn = drawn.data();
    scan.tile = memory + layout.tiles + worker * layout.tile_bytes;
    return scan;
  }

  // A code above n_bins is missing from its feature's slots.
  void check_codes(const Leaf& root, std::int32_t first, std::int32_t last) {
    for (std::int32_t f = first; f < last; ++f) {
      if (!ranges_of(root)[f].live) continue;
      const Slots slot = {slots(root.histogram, f), records.lanes, records.wide};
      std::int64_t found = 0;
      for (int code = 0; code <= bins.n_bins[f]; ++code) found += slot.at(code, records.weight_lane());
      if (found != weight(root)) throw std::invalid_argument("codes: a code is above n_bins");
    }
  }

  // The best of all groups becomes the leaf's split, if it gains enough.
  void enqueue(Leaf& leaf, const Candidate* group_best) {
    Candidate best;
    for (std::int64_t group = 0; group < n_feature_groups; ++group)
      if (group_best[group].score >= 0 && group_best[group].beats(best)) best = group_best[group];
    if (best.feature >= 0) settle(leaf, best);
    if (best.feature < 0 || !(leaf.gain > job.min_gain)) return release_histogram(leaf);
    queue.push_back(leaf.place);
    std::push_heap(queue.begin(), queue.end(), Later{leaves});
  }

  // Codes that the node does not have go where missing goes; that, if the node has none, is where
  // more weight goes.
  void settle(Leaf& leaf, const Candidate& best) {
    const std::int32_t f = best.feature;
    const Range& range = ranges_of(leaf)[f];
    Split& split = leaf.split;
    split = Split{};
    split.feature = f;
    split.is_categorical = best.order >= 0;
    split.missing_left = best.missing_left;
    if (split.is_categorical) {
      const CodeOrder order = order_of(leaf, f, best.order);
      for (int i = 0; i <= best.position; ++i) split.goes_left[order.codes[i]] = 1;
      split.missing_left = range.has_missing && split.goes_left[bins.n_bins[f]];
    } else {
      split.bin = best.position;
      std::fill(split.goes_left.begin(), split.goes_left.begin() + split.bin + 1, 1);
      split.goes_left[bins.n_bins[f]] = split.missing_left;
    }
    weigh(leaf, range);
    if (!range.has_missing) {
      const int w = records.weight_lane();
      split.missing_left = 2 * leaf.left[w] >= sums(leaf)[w];
      split.goes_left[bins.n_bins[f]] = split.missing_left;
    }
    if (split.is_categorical) send_unseen(leaf, range);
  }

  // The sums of the left child, and what the split gains.
  void weigh(Leaf& leaf, const Range& range) {
    const std::int32_t f = leaf.split.feature;
    const Slots slot = {slots(leaf.histogram, f), records.lanes, records.wide};
    leaf.left.assign(records.lanes, 0);
    each_run(range, f, [&](int first, int n) {
      for (int code = first; code < first + n; ++code)
        for (int lane = 0; leaf.split.goes_left[code] && lane < records.lanes; ++lane)
          leaf.left[lane] += slot.at(code, lane);
    });
    std::vector<std::int64_t> right(sums(leaf), sums(leaf) + records.lanes);
    for (int lane = 0; lane < records.lanes; ++lane) right[lane] -= leaf.left[lane];
    leaf.gain = gain_unit * (score(leaf.left.data()) + score(right.data()) - score(sums(leaf)));
  }

  void send_unseen(Leaf& leaf, const Range& range) const {
    const Slots slot = {slots(leaf.histogram, leaf.split.feature), records.lanes, records.wide};
    const int missing = bins.n_bins[leaf.split.feature];
    for (int code = 0; code < kCodes; ++code) {
      const bool in_range = code >= range.low && code <= range.high && !slot.empty(code);
      if (!in_range && !(code == missing && range.has_missing))
        leaf.split.goes_left[code] = leaf.split.missing_left;
    }
  }

  void split(std::int64_t place) {
    leaves.push_back(leaves[place]);  // the right child takes a new place, the left one stays
    leaf_sums.resize(leaf_sums.size() + records.lanes);
    Leaf &left = leaves[place], &right = leaves.back();
    right.place = n_leaves++;
    const int histogram = left.histogram;
    left.histogram = right.histogram = -1;
    write_split(left);
    left.end = right.begin = partition(left);
    for (int lane = 0; lane < records.lanes; ++lane)
      sums(right)[lane] = sums(left)[lane] - left.left[lane];
    std::copy(left.left.begin(), left.left.end(), sums(left));
    left.depth = right.depth = left.depth + 1;
    new_node(left);
    new_node(right);
    narrow_groups(left);
    right.groups = left.groups;
    forbid(left);
    std::copy_n(ranges_of(left), bins.n_features, ranges_of(right));
    evaluate_children(left, right, histogram);
  }

  void evaluate_children(Leaf& left, Leaf& right, int histogram) {
    Leaf& small = left.n_rows() <= right.n_rows() ? left : right;
    Leaf& large = &small == &left ? right : left;
    const bool last = n_leaves == job.max_leaf_nodes;
    const bool small_wanted = !last && can_split(small), large_wanted = !last && can_split(large);
    if (histogram >= 0 && large_wanted) {
      large.histogram = histogram;
      small.histogram = take_histogram();
      return evaluate(&small, &large, nullptr);
    }
    if (histogram >= 0) free_histograms.push_back(histogram);
    for (Leaf* leaf : {&small, &large})
      if (leaf == &small ? small_wanted : large_wanted) {
        leaf->histogram = take_histogram();
        evaluate(nullptr, nullptr, leaf);
      }
  }

  void write_split(const Leaf& leaf) {
    const Split& split = leaf.split;
    Node& node = job.nodes[leaf.node];
    node.gain = static_cast<float>(leaf.gain);
    node.feature = split.feature;
    node.left = static_cast<std::int32_t>(n_nodes);
    node.missing_left = split.missing_left;
    node.is_categorical = split.is_categorical;
    if (!split.is_categorical) {
      node.bin = static_cast<std::uint8_t>(split.bin);
      return;
    }
    node.index = static_cast<std::int32_t>(n_bitsets);
    std::uint32_t* bitset = job.bitsets + kBitsetWords * n_bitsets++;
    std::fill_n(bitset, kBitsetWords, 0);
    for (int code = 0; code < kCodes; ++code)
      bitset[code >> 5] |= static_cast<std::uint32_t>(split.goes_left[code]) << (code & 31);
  }

  // Groups that lack the feature just used are closed to both children.
  void narrow_groups(Leaf& leaf) const {
    for (std::int64_t g = 0; g < job.n_groups; ++g) {
      const std::int32_t *first = job.groups + job.group_ptr[g],
                         *last = job.groups + job.group_ptr[g + 1];
      leaf.groups[g] &= std::find(first, last, leaf.split.feature) != last;
    }
  }

  // Reorders the leaf's rows, left ones first, each side in the order it had; returns where the
  // right ones begin. Chunk by chunk into the scratch, left ones from the front, right ones from
  // the back; then to where they belong.
  std::int64_t partition(const Leaf& leaf) {
    const std::int64_t n_chunks = (leaf.n_rows() + kRowsPerChunk - 1) / kRowsPerChunk;
    n_left.assign(n_chunks + 1, 0);
    const std::uint8_t* codes = bins.codes + leaf.split.feature;
    const std::uint8_t* goes_left = leaf.split.goes_left.data();
    const auto chunk_end = [&](std::int64_t chunk) {
      return std::min(leaf.begin + (chunk + 1) * kRowsPerChunk, leaf.end);
    };
    for_each_block(n_chunks, 1, [&](std::int64_t chunk, int) {
      std::int64_t front = leaf.begin + chunk * kRowsPerChunk, back = chunk_end(chunk);
      for (std::int64_t i = front, end = back; i < end; ++i) {
        const std::int32_t row = job.rows[i];
        const std::uint8_t left = goes_left[codes[std::int64_t{row} * bins.n_features]];
        scratch[front] = row;  // the place that is not taken is written again
        scratch[back - 1] = row;
        front += left;
        back -= 1 - left;
      }
      n_left[chunk + 1] = front - leaf.begin - chunk * kRowsPerChunk;
    });
    for (std::int64_t chunk = 0; chunk < n_chunks; ++chunk) n_left[chunk + 1] += n_left[chunk];
    const std::int64_t middle = leaf.begin + n_left[n_chunks];
    for_each_block(n_chunks, 1, [&](std::int64_t chunk, int) {
      const std::int64_t begin = leaf.begin + chunk * kRowsPerChunk, end = chunk_end(chunk);
      const std::int64_t lefts = n_left[chunk + 1] - n_left[chunk];
      std::copy_n(scratch + begin, lefts, job.rows + leaf.begin + n_left[chunk]);
      std::reverse_copy(scratch + begin + lefts, scratch + end,
                        job.rows + middle + (begin - leaf.begin) - n_left[chunk]);
    });
    return middle;
  }

  // Leaves are numbered, and rows ordered, as nodes are.
  Tree finish() {
    std::int64_t index = 0, row = 0;
    for (std::int64_t node = 0; node < n_nodes; ++node) {
      if (job.nodes[node].left != 0) continue;
      const Leaf& leaf = leaves[leaf_of_node[node]];
      job.nodes[node].index = static_cast<std::int32_t>(index);
      job.leaf_ptr[index++] = row;
      std::copy(job.rows + leaf.begin, job.rows + leaf.end, scratch + row);
      row += leaf.n_rows();
    }
    job.leaf_ptr[index] = row;
    std::copy_n(scratch, row, job.rows);
    return {n_nodes, n_leaves, n_bitsets};
  }

  // Is a split after b? (The heap's top is split first.)
  struct Later {
    const std::vector<Leaf>& leaves;
    bool operator()(std::int64_t a, std::int64_t b) const {
      const Leaf &x = leaves[a], &y = leaves[b];
      return x.gain != y.gain ? x.gain < y.gain : x.node > y.node;
    }
  };

  const GrowJob& job;
  const Bins& bins;
  const Records& records;
  const HistogramBody& body;
  const Layout layout;
  const std::int64_t slot_bytes;
  std::uint8_t* memory;
  Range* ranges;
  std::int32_t* scratch;
  std::vector<std::int64_t> slot_begin;
  int group_size = 1;
  std::int64_t n_feature_groups = 0;
  double l2 = 0, smoothing = 0, gain_unit = 1;
  std::int64_t min_weight = 1;

  std::vector<Leaf> leaves;
  std::vector<std::int64_t> leaf_sums, leaf_of_node, queue, n_left;
  std::vector<int> free_histograms;
  std::vector<Candidate> candidates;
  std::int64_t n_nodes = 0, n_leaves = 1, n_bitsets = 0;
};

}  // namespace

std::int64_t grow_workspace_size(const Bins& bins, int lanes, bool wide,
                                 std::int64_t max_leaf_nodes, std::int64_t n_rows, int n_threads,
                                 std::int64_t histogram_budget) {
  const Layout layout(bins, lanes, wide, max_leaf_nodes, n_rows, n_threads);
  const std::int64_t least = std::min<std::int64_t>(2, max_leaf_nodes);
  return layout.size(std::clamp(histogram_budget / layout.histogram_bytes, least, max_leaf_nodes));
}

Tree grow(const GrowJob& job, const Histograms& body) { return Grower(job, body).grow(); }

}  // namespace sksoftmax
