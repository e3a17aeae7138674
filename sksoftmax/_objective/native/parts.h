// Sums over rows on threads: every part (a fixed range of rows, whatever the number of threads) is
// summed by itself, and the parts are added in order: the same bits for any number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../../_kernel/native/parallel.h"
#include "sums.h"

namespace sksoftmax {

// So many parts that threads can share them, so few that their sums fit.
constexpr std::int64_t kMostParts = 32, kMostPartEntries = std::int64_t{1} << 22;

inline std::int64_t number_of_parts(std::int64_t n_blocks, std::int64_t size) {
  const std::int64_t most =
      std::max<std::int64_t>(2, kMostPartEntries / std::max<std::int64_t>(1, size));
  return std::min({n_blocks, most, kMostParts});
}

// How many threads that much work is worth, at about 100 microseconds each.
inline int threads_for(std::int64_t work, int n_threads) {
  constexpr std::int64_t kWorkPerThread = 1 << 20;  // multiplications
  return static_cast<int>(std::min<std::int64_t>(n_threads, 1 + work / kWorkPerThread));
}

// sums[0..size) += what run(part, worker, PartSums&) adds up, part by part; the summed loss.
// run returns false where something was not finite; *good is then false.
template <class Run>
double sum_parts(std::int64_t n_parts, int n_threads, std::int64_t size, double* sums, bool* good,
                 Run run) {
  std::vector<double> part_sums(n_parts * size, 0.0);
  std::vector<PartSums> parts(n_parts);
  std::vector<char> part_good(n_parts, 1);
  for_each_block(n_parts, n_threads, [&](std::int64_t part, int worker) {
    parts[part].sums = part_sums.data() + part * size;
    part_good[part] = run(part, worker, parts[part]);
  });
  double loss = 0;
  for (std::int64_t part = 0; part < n_parts; ++part) {
    loss += parts[part].loss;
    *good = *good && part_good[part];
    for (std::int64_t i = 0; i < size; ++i) sums[i] += part_sums[part * size + i];
  }
  return loss;
}

}  // namespace sksoftmax
