// Grows one tree, best leaf first. To split a leaf:
//
//   1 partition   its rows, stably: left, then right
//   2 build       the histogram of the child with fewer rows
//   3 share       the parent's histogram minus that becomes the other child's
//   4 scan        both for the best split of each feature
//
// All sums are exact integers, so nothing depends on threads, on the order of rows, or on whether
// a histogram came from rows or from a subtraction.

#include "grow.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <vector>

#include "../../_kernel/native/parallel.h"
#include "search.h"

namespace sksoftmax {
namespace {

constexpr std::int64_t kRowsPerChunk = 8192, kRowsAhead = 64;
constexpr std::int64_t kRowsWorthKeeping = 2;  // per slot of a feature

// What a region must cost to be worth waking others, and about what it costs.
constexpr double kWorthSharing = 30000, kVisit = 0.6, kSlot = 4, kRow = 3;  // nanoseconds

struct Leaf {
  std::int64_t node = 0;
  std::int64_t begin = 0, end = 0;  // of its rows
  std::int64_t depth = 0;
  std::int64_t place = 0;            // its row of ranges and of sums
  int histogram = -1;                // -1: none, to be summed again if it is needed
  double gain = 0;
  Split split;
  std::vector<std::int64_t> left;    // the sums of the split's left child
  std::vector<std::uint8_t> groups;  // may its nodes use this group of features?

  std::int64_t n_rows() const { return end - begin; }
};

class Grower {
 public:
  Grower(const GrowJob& grow_job, const Histograms& bodies)
      : job(grow_job),
        bins(grow_job.bins),
        records(grow_job.records),
        body(bodies.body(records.lanes, records.wide)),
        search(grow_job, bodies),
        team(grow_job.n_threads) {
    ranges = reinterpret_cast<Range*>(search.memory + search.layout.ranges);
    scratch = reinterpret_cast<std::int32_t*>(search.memory + search.layout.rows);
    for (auto i = std::min(job.max_leaf_nodes, search.n_histograms()); i-- > 0;)
      free_histograms.push_back(static_cast<int>(i));
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
  std::int64_t* sums(const Leaf& leaf) { return leaf_sums.data() + leaf.place * records.lanes; }
  Range* ranges_of(const Leaf& leaf) { return ranges + leaf.place * bins.n_features; }
  std::int64_t weight(const Leaf& leaf) { return sums(leaf)[records.weight_lane()]; }

  // f(block, worker) for all blocks, on this thread alone if that takes no longer.
  template <class F>
  void share(std::int64_t n_blocks, double nanoseconds, F f) {
    if (nanoseconds >= kWorthSharing) return team.for_each_block(n_blocks, f);
    for (std::int64_t block = 0; block < n_blocks; ++block) f(block, 0);
  }

  // --- nodes -------------------------------------------------------------------------------------

  void plant() {
    Leaf root;
    root.end = job.n_rows;
    root.groups.assign(job.n_groups, 1);
    leaves.push_back(root);
    sum_root();
    for (std::int32_t f = 0; f < bins.n_features; ++f)
      ranges[f] = {0, static_cast<std::uint8_t>(bins.n_bins[f] - 1), true, true};
    forbid(leaves[0]);
    new_node(leaves[0]);
    if (job.max_leaf_nodes == 1 || !can_split(leaves[0])) return;
    leaves[0].histogram = take_histogram();
    evaluate(leaves[0], nullptr);
  }

  // The sums of the root, which also show whether the records keep their contract.
  void sum_root() {
    const std::int64_t lanes = records.lanes;
    const std::int64_t n_chunks = (job.n_rows + kRowsPerChunk - 1) / kRowsPerChunk;
    std::vector<std::int64_t> chunk_sums(n_chunks * 2 * lanes);
    std::vector<char> good(n_chunks);
    share(n_chunks, static_cast<double>(job.n_rows), [&](std::int64_t chunk, int) {
      const std::int64_t begin = chunk * kRowsPerChunk;
      good[chunk] = body.sum_rows(records, job.rows + begin,
                                  std::min(kRowsPerChunk, job.n_rows - begin),
                                  chunk_sums.data() + chunk * 2 * lanes);
    });
    if (std::find(good.begin(), good.end(), 0) != good.end())
      throw std::invalid_argument("records: a weight or a curvature is negative");
    std::vector<std::int64_t> total(2 * lanes, 0);
    for (std::size_t i = 0; i < chunk_sums.size(); ++i) total[i % (2 * lanes)] += chunk_sums[i];
    if (!records.wide && *std::max_element(total.begin() + lanes, total.end()) >
                             std::numeric_limits<std::int32_t>::max())
      throw std::invalid_argument("wide: the sums of these records need 64 bits");
    leaf_sums.assign(total.begin(), total.begin() + lanes);
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
    return (job.max_depth == 0 || leaf.depth < job.max_depth) &&
           weight(leaf) / 2 >= search.min_weight;
  }

  // --- features ----------------------------------------------------------------------------------

  std::vector<std::uint8_t> allowed_features(const Leaf& leaf) const {
    std::vector<std::uint8_t> allowed(bins.n_features, job.n_groups == 0);
    for (std::int64_t g = 0; g < job.n_groups; ++g)
      for (std::int64_t i = job.group_ptr[g]; leaf.groups[g] && i < job.group_ptr[g + 1]; ++i)
        allowed[job.groups[i]] = 1;
    return allowed;
  }

  // Features that no group of the leaf holds are dead, here and below.
  void forbid(const Leaf& leaf) {
    if (job.n_groups == 0) return;
    const std::vector<std::uint8_t> allowed = allowed_features(leaf);
    for (std::int32_t f = 0; f < bins.n_features; ++f) ranges_of(leaf)[f].live &= allowed[f] != 0;
  }

  // Groups that lack the feature just used are closed to both children.
  void narrow_groups(Leaf& leaf) const {
    for (std::int64_t g = 0; g < job.n_groups; ++g) {
      const std::int32_t *first = job.groups + job.group_ptr[g],
                         *last = job.groups + job.group_ptr[g + 1];
      leaf.groups[g] &= std::find(first, last, leaf.split.feature) != last;
    }
  }

  // max_features of the allowed ones: those with the lowest hash of seed, node and feature.
  std::vector<std::uint8_t> drawn_features(const Leaf& leaf) const {
    std::vector<std::uint8_t> drawn = allowed_features(leaf);
    if (job.max_features == bins.n_features) return drawn;
    const std::uint64_t stream = splitmix64(splitmix64(job.seed) + leaf.node);
    std::vector<std::pair<std::uint64_t, std::int32_t>> lots;
    for (std::int32_t f = 0; f < bins.n_features; ++f)
      if (drawn[f]) lots.emplace_back(splitmix64(stream + f), f);
    const std::size_t kept = std::min<std::size_t>(job.max_features, lots.size());
    std::nth_element(lots.begin(), lots.begin() + kept, lots.end());
    for (std::size_t i = kept; i < lots.size(); ++i) drawn[lots[i].second] = 0;
    return drawn;
  }

  // --- histograms and their best splits ----------------------------------------------------------

  // A free one, or that of the leaf that would be split last.
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

  // The rows of a small node are summed again sooner than its slots come back from memory.
  bool worth_keeping(const Leaf& leaf) {
    return can_split(leaf) &&
           leaf.n_rows() * bins.n_features > kRowsWorthKeeping * search.layout.n_slots;
  }

  void release_histogram(Leaf& leaf) {
    if (leaf.histogram >= 0) free_histograms.push_back(leaf.histogram);
    leaf.histogram = -1;
  }

  Searched searched(const Leaf& leaf, const std::vector<std::uint8_t>& drawn) {
    return {job.rows + leaf.begin,      leaf.n_rows(),  sums(leaf),
            ranges_of(leaf),            leaf.histogram, leaf.node == 0,
            can_split(leaf) ? drawn.data() : nullptr};
  }

  // The histogram of `built` from its rows, that of `rest` from its parent's, which it holds;
  // those that may be split go to the queue.
  void evaluate(Leaf& built, Leaf* rest) {
    const std::int64_t n_groups = search.n_groups();
    const std::vector<std::uint8_t> drawn = drawn_features(built),
                                    drawn_rest = drawn_features(rest != nullptr ? *rest : built);
    const Searched node = searched(built, drawn);
    const Searched other = rest != nullptr ? searched(*rest, drawn_rest) : Searched{};
    candidates.assign(2 * n_groups, Candidate{});
    const double visits = static_cast<double>(built.n_rows()) * bins.n_features;
    const auto n_slots = static_cast<double>(search.layout.n_slots);
    share(n_groups, kVisit * visits + kSlot * n_slots, [&](std::int64_t group, int worker) {
      search.in_group(group, worker, node, rest != nullptr ? &other : nullptr, candidates[group],
                      candidates[n_groups + group]);
    });
    enqueue(built, node, candidates.data());
    if (rest != nullptr) enqueue(*rest, other, candidates.data() + n_groups);
  }

  // The best of all groups becomes the leaf's split, if it gains enough.
  void enqueue(Leaf& leaf, const Searched& node, const Candidate* group_best) {
    Candidate best;
    for (std::int64_t group = 0; group < search.n_groups(); ++group)
      if (group_best[group].score >= 0 && group_best[group].beats(best)) best = group_best[group];
    if (best.feature >= 0) settle(leaf, node, best);
    if (best.feature < 0 || !(leaf.gain > job.min_gain)) return release_histogram(leaf);
    queue.push_back(leaf.place);
    std::push_heap(queue.begin(), queue.end(), Later{leaves});
  }

  // Codes that the node does not have go where missing goes; that, if the node has none, is where
  // more weight goes.
  void settle(Leaf& leaf, const Searched& node, const Candidate& best) {
    const std::int32_t f = best.feature;
    const Range& range = node.ranges[f];
    const Slots slot = search.slots(node, f);
    const int missing = bins.n_bins[f], w = records.weight_lane();
    Split& split = leaf.split = Split{};
    split.feature = f;
    split.is_categorical = best.order >= 0;
    if (split.is_categorical) {
      const CodeOrder order = search.order_of(
          range, f, slot, best.order);
      for (int i = 0; i <= best.position; ++i) split.goes_left[order.codes[i]] = 1;
    } else {
      split.bin = best.position;
      std::fill_n(split.goes_left.begin(), split.bin + 1, 1);
      split.goes_left[missing] = best.missing_left;
    }
    weigh(leaf, node, slot);
    split.missing_left =
        range.has_missing ? split.goes_left[missing] : leaf.left[w] >= node.sums[w] - leaf.left[w];
    split.goes_left[missing] = split.missing_left;
    if (split.is_categorical) send_unseen(split, range, slot);
  }

  // The sums of the left child, and what the split gains.
  void weigh(Leaf& leaf, const Searched& node, const Slots& slot) const {
    const std::int32_t f = leaf.split.feature;
    leaf.left.assign(records.lanes, 0);
    search.each_run(node.ranges[f], f, [&](int first, int n) {
      for (int code = first; code < first + n; ++code)
        for (int lane = 0; leaf.split.goes_left[code] && lane < records.lanes; ++lane)
          leaf.left[lane] += slot.at(code, lane);
    });
    std::vector<std::int64_t> right(node.sums, node.sums + records.lanes);
    for (int lane = 0; lane < records.lanes; ++lane) right[lane] -= leaf.left[lane];
    leaf.gain = search.gain_unit * (search.score(leaf.left.data()) + search.score(right.data()) -
                                    search.score(node.sums));
  }

  static void send_unseen(Split& split, const Range& range, const Slots& slot) {
    for (int code = 0; code < kCodes; ++code)
      if (code < range.low || code > range.high || slot.empty(code))
        split.goes_left[code] = split.missing_left;
  }

  // --- splitting ---------------------------------------------------------------------------------

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
    if (n_leaves < job.max_leaf_nodes) evaluate_children(left, right, histogram);
  }

  void evaluate_children(Leaf& left, Leaf& right, int histogram) {
    Leaf& small = left.n_rows() <= right.n_rows() ? left : right;
    Leaf& large = &small == &left ? right : left;
    if (histogram >= 0 && worth_keeping(large)) {
      large.histogram = histogram;
      if (worth_keeping(small)) small.histogram = take_histogram();
      return evaluate(small, &large);
    }
    if (histogram >= 0) free_histograms.push_back(histogram);
    for (Leaf* const leaf : {&small, &large}) {
      if (worth_keeping(*leaf)) leaf->histogram = take_histogram();
      if (can_split(*leaf)) evaluate(*leaf, nullptr);
    }
  }

  void write_split(const Leaf& leaf) {
    const Split& split = leaf.split;
    Node& node = job.nodes[leaf.node];
    node.gain = static_cast<float>(leaf.gain);
    node.feature = split.feature;
    node.left = static_cast<std::int32_t>(n_nodes);
    node.bin = static_cast<std::uint8_t>(split.bin);
    node.missing_left = split.missing_left;
    node.is_categorical = split.is_categorical;
    if (!split.is_categorical) return;
    node.index = static_cast<std::int32_t>(n_bitsets);
    std::uint32_t* bitset = job.bitsets + kBitsetWords * n_bitsets++;
    std::fill_n(bitset, kBitsetWords, 0);
    for (int code = 0; code < kCodes; ++code)
      bitset[code >> 5] |= std::uint32_t{split.goes_left[code]} << (code & 31);
  }

  // Reorders the leaf's rows, left ones first, each side in the order it had; returns where the
  // right ones begin. Chunk by chunk into the scratch, left ones from the front, right ones from
  // the back; then to where they belong.
  std::int64_t partition(const Leaf& leaf) {
    const std::int64_t n_chunks = (leaf.n_rows() + kRowsPerChunk - 1) / kRowsPerChunk;
    const double cost = kRow * static_cast<double>(leaf.n_rows());
    const std::uint8_t* codes = bins.codes + leaf.split.feature;
    const std::uint8_t* goes_left = leaf.split.goes_left.data();
    const auto chunk_begin = [&](std::int64_t chunk) {
      return std::min(leaf.begin + chunk * kRowsPerChunk, leaf.end);
    };
    n_left.assign(n_chunks + 1, 0);
    share(n_chunks, cost, [&](std::int64_t chunk, int) {
      const std::int64_t begin = chunk_begin(chunk), end = chunk_begin(chunk + 1);
      std::int64_t front = begin, back = end;
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t ahead = job.rows[std::min(i + kRowsAhead, end - 1)];
        __builtin_prefetch(codes + ahead * bins.n_features);
        const std::int32_t row = job.rows[i];
        const std::uint8_t left = goes_left[codes[std::int64_t{row} * bins.n_features]];
        scratch[front] = row;  // the place that is not taken is written again
        scratch[back - 1] = row;
        front += left;
        back -= 1 - left;
      }
      n_left[chunk + 1] = front - begin;
    });
    for (std::int64_t chunk = 0; chunk < n_chunks; ++chunk) n_left[chunk + 1] += n_left[chunk];
    const std::int64_t middle = leaf.begin + n_left[n_chunks];
    share(n_chunks, cost / 4, [&](std::int64_t chunk, int) {
      const std::int64_t begin = chunk_begin(chunk), before = n_left[chunk];
      std::int32_t* const turn = scratch + begin + n_left[chunk + 1] - before;
      std::copy(scratch + begin, turn, job.rows + leaf.begin + before);
      std::reverse_copy(turn, scratch + chunk_begin(chunk + 1),
                        job.rows + middle + (begin - leaf.begin) - before);
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
  const Search search;
  Team team;
  Range* ranges;
  std::int32_t* scratch;

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
