// Where a numerical feature is cut: between all its values, or at weighted quantiles.
//
// Everything is a function of the pairs (distinct value, its weight), in integers: the order of the
// rows does not matter, and a row of weight 2 is the row twice.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "bins.h"

namespace sksoftmax {
namespace {

// A double c with a <= c < b, the middle where it can be.
double middle(double a, double b) {
  constexpr double kMost = std::numeric_limits<double>::max();
  if (a < -kMost) return b > -kMost ? -kMost : a;
  if (b > kMost) return kMost;
  double c = (a + b) / 2;
  if (!std::isfinite(c)) c = a / 2 + b / 2;
  return c >= a && c < b ? c : a;
}

// Distinct values, ascending: where each begins among the sorted ones, and what weighs less.
template <class T>
struct Distinct {
  const T* values;
  std::int64_t n = 0;                     // sorted values that are not missing
  std::vector<std::int32_t> start;        // and n, after the last one
  std::vector<std::int64_t> weight_sums;  // of the first i values; empty: each weighs 1
  std::int64_t size() const { return static_cast<std::int64_t>(start.size()) - 1; }
  double value(std::int64_t j) const { return static_cast<double>(values[start[j]]); }
  std::int64_t below(std::int64_t j) const {
    return weight_sums.empty() ? start[j] : weight_sums[start[j]];
  }
  std::int64_t weight(std::int64_t first, std::int64_t last) const {
    return below(last) - below(first);
  }

  Distinct(const T* sorted, const std::int64_t* weight, std::int64_t n_values) : values(sorted) {
    const auto is_number = [](T x) { return x == x; };
    n = std::partition_point(sorted, sorted + n_values, is_number) - sorted;
    start.assign(n + 1, 0);
    std::int64_t last = 0;
    for (std::int64_t i = 1; i < n; ++i) {  // no branch: where a value repeats, overwritten
      start[last + 1] = static_cast<std::int32_t>(i);
      last += values[i] != values[i - 1];
    }
    start.resize(n > 0 ? last + 2 : 1);
    start.back() = static_cast<std::int32_t>(n);
    if (weight == nullptr) return;
    weight_sums.assign(n + 1, 0);
    for (std::int64_t i = 0; i < n; ++i) weight_sums[i + 1] = weight_sums[i] + weight[i];
  }
};

// Weights come rounded: quantities that would tie without the rounding must still tie, so every
// comparison gives way by this much.
template <class T>
std::int64_t slack(const Distinct<T>& d) {
  return d.below(d.size()) >> 30;
}

// Which values get a bin of their own: those that weigh as much as an even share of what the
// lighter values weigh. Removing one makes the share smaller, hence the loop.
template <class T>
std::vector<char> heavy_values(const Distinct<T>& d, int most_bins, std::int64_t* light,
                               int* light_bins) {
  std::vector<char> heavy(d.size(), 0);
  *light = d.below(d.size());
  *light_bins = most_bins;
  for (bool changed = true; changed;) {
    changed = false;
    const std::int64_t share = *light - slack(d), bins = *light_bins;
    for (std::int64_t j = 0; j < d.size() && *light_bins > 0; ++j) {
      const std::int64_t weight = d.weight(j, j + 1);
      if (weight * bins < share || weight == 0 || heavy[j]) continue;
      heavy[j] = changed = true;
      *light -= weight;
      --*light_bins;
    }
  }
  return heavy;
}

// Splits the values first..last - 1 into n_bins bins of nearly equal weight: each takes the values
// that bring it nearest to its share of what remains. cut_after(j): a bin ends with value j.
template <class T, class F>
void split_evenly(const Distinct<T>& d, std::int64_t first, std::int64_t last,
                  std::int64_t n_bins, F cut_after) {
  for (; n_bins > 1; --n_bins) {
    const std::int64_t start = d.below(first), rest = d.below(last) - start;
    const auto reached = [&](std::int64_t j) { return n_bins * (d.below(j) - start) >= rest; };
    std::int64_t low = first + 1, high = last - (n_bins - 1);  // the bin ends before: low .. high
    while (low < high) {
      const std::int64_t j = (low + high) / 2;
      if (reached(j)) high = j;
      else low = j + 1;
    }
    const std::int64_t nearer = d.below(low) + d.below(low - 1) - 2 * start;
    if (low > first + 1 && n_bins * (nearer + slack(d)) >= 2 * rest) --low;
    cut_after(low - 1);
    first = low;
  }
}

// Heavy values get a bin each; a run of light ones between them as many as its weight deserves. A
// run that deserves none joins the heavy value behind it, the last one the heavy value before it.
template <class T, class F>
void quantiles(const Distinct<T>& d, int most_bins, F cut_after) {
  std::int64_t light = 0;
  int bins = 0;
  const std::vector<char> heavy = heavy_values(d, most_bins, &light, &bins);
  for (std::int64_t first = 0, last = 0; first < d.size(); first = ++last) {
    while (last < d.size() && !heavy[last]) ++last;
    const std::int64_t weight = d.weight(first, last);
    std::int64_t share = light > 0 ? (2 * bins * (weight + slack(d)) + light) / (2 * light) : 0;
    share = std::min({share, static_cast<std::int64_t>(bins), last - first});
    light -= weight;
    bins -= static_cast<int>(share);
    if (first > 0 && (share > 0 || last < d.size())) cut_after(first - 1);
    split_evenly(d, first, last, share, cut_after);
    if (share > 0 && last < d.size()) cut_after(last - 1);
  }
}

}  // namespace

template <class T>
int find_cuts(const T* values, const std::int64_t* weight, std::int64_t n, int most_bins,
              double* cuts) {
  const Distinct<T> d(values, weight, n);
  int n_cuts = 0;
  const auto cut_after = [&](std::int64_t j) {
    cuts[n_cuts++] = middle(d.value(j), d.value(j + 1));
  };
  if (d.size() > most_bins) quantiles(d, most_bins, cut_after);
  else
    for (std::int64_t j = 0; j + 1 < d.size(); ++j) cut_after(j);
  return n_cuts;
}

template int find_cuts(const float*, const std::int64_t*, std::int64_t, int, double*);
template int find_cuts(const double*, const std::int64_t*, std::int64_t, int, double*);

}  // namespace sksoftmax
