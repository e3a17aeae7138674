// The door of the verbs over probabilities: types and sizes are checked, the GIL is released.

#include "proba_door.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "parallel.h"
#include "proba.h"

namespace sksoftmax {
namespace {

constexpr std::int64_t kEntriesPerBlock = 1 << 15, kEntriesPerThread = 1 << 16;

const ProbaKernel* active = nullptr;

template <class T>
const ProbaBody<T>& body() {
  if constexpr (sizeof(T) == 4) return active->float32;
  else return active->float64;
}

template <class T>
std::int64_t rows_of(const In<T>& proba, std::int64_t n_classes, int n_threads) {
  require(proba && proba->size() > 0, "proba: must have at least one entry");
  const std::int64_t size = static_cast<std::int64_t>(proba->size());
  require(n_classes > 0 && size % n_classes == 0, "proba: not a whole number of rows");
  require(n_threads >= 1, "n_threads: must be at least 1");
  return size / n_classes;
}

int threads_for(std::int64_t entries, int n_threads) {
  return static_cast<int>(std::min<std::int64_t>(n_threads, 1 + entries / kEntriesPerThread));
}

// f(begin, end, block) for blocks of rows.
template <class F>
void for_blocks_of_rows(std::int64_t n_rows, std::int64_t n_classes, int n_threads, F f) {
  const std::int64_t rows = std::max<std::int64_t>(64, kEntriesPerBlock / n_classes);
  for_each_block((n_rows + rows - 1) / rows, threads_for(n_rows * n_classes, n_threads),
                 [&](std::int64_t block, int) {
                   f(block * rows, std::min((block + 1) * rows, n_rows), block);
                 });
}

template <class T>
double look_at_proba(In<T> proba, std::int64_t n_classes, Out<std::int64_t> argmax,
                     Out<double> largest, Out<double> total, int n_threads) {
  require(argmax && largest && total, "argmax, largest, total: are needed");
  ProbaJob<T> job;
  job.n_rows = rows_of(proba, n_classes, n_threads);
  job.n_classes = n_classes;
  job.proba = proba->data();
  job.argmax = data_of(argmax, "argmax", job.n_rows);
  job.largest = data_of(largest, "largest", job.n_rows);
  job.total = data_of(total, "total", job.n_rows);

  nb::gil_scoped_release release;
  std::vector<double> smallest(job.n_rows / 64 + 1, std::numeric_limits<double>::infinity());
  for_blocks_of_rows(job.n_rows, n_classes, n_threads,
                     [&](std::int64_t begin, std::int64_t end, std::int64_t block) {
                       smallest[block] = body<T>().look(job, begin, end);
                     });
  return *std::min_element(smallest.begin(), smallest.end());
}

template <class T>
void spread_of_proba(In<T> proba, std::int64_t n_classes, Out<double> entropy, Out<double> square,
                     int n_threads) {
  require(entropy && square, "entropy, square: are needed");
  SpreadJob<T> job;
  job.n_rows = rows_of(proba, n_classes, n_threads);
  job.n_classes = n_classes;
  job.proba = proba->data();
  job.entropy = data_of(entropy, "entropy", job.n_rows);
  job.square = data_of(square, "square", job.n_rows);

  nb::gil_scoped_release release;
  for_blocks_of_rows(job.n_rows, n_classes, n_threads,
                     [&](std::int64_t begin, std::int64_t end, std::int64_t) {
                       body<T>().spread(job, begin, end);
                     });
}

template <class T>
void bin_proba(In<T> proba, std::int64_t n_classes, In<std::int64_t> hit, In<double> weight,
               In<double> edges, std::int64_t n_bins, Out<double> sums, int n_threads) {
  require(hit && edges && sums, "hit, edges, sums: are needed");
  require(n_bins >= 1, "n_bins: must be at least 1");
  BinJob<T> job;
  job.n_rows = rows_of(proba, n_classes, n_threads);
  job.n_classes = n_classes;
  job.n_bins = n_bins;
  job.proba = proba->data();
  job.hit = data_of(hit, "hit", job.n_rows);
  job.weight = data_of(weight, "weight", job.n_rows);
  const bool shared = static_cast<std::int64_t>(edges->size()) == n_bins + 1;
  job.edges = shared ? edges->data() : data_of(edges, "edges", n_classes * (n_bins + 1));
  job.edges_stride = shared ? 0 : n_bins + 1;
  job.sums = data_of(sums, "sums", n_classes * n_bins * kBinSums);

  nb::gil_scoped_release release;
  const int threads = threads_for(job.n_rows * n_classes, n_threads);
  const std::int64_t classes = ((n_classes + threads - 1) / threads + 7) / 8 * 8;  // of a thread
  for_each_block((n_classes + classes - 1) / classes, threads, [&](std::int64_t block, int) {
    const std::int64_t begin = block * classes;
    body<T>().bins(job, begin, std::min(begin + classes, n_classes));
  });
}

template <class T>
void bind(nb::module_& m) {
  const auto array = [](const char* name) { return nb::arg(name).noconvert(); };
  m.def("look_at_proba", &look_at_proba<T>, array("proba"), nb::arg("n_classes"), array("argmax"),
        array("largest"), array("total"), nb::arg("n_threads"));
  m.def("spread_of_proba", &spread_of_proba<T>, array("proba"), nb::arg("n_classes"),
        array("entropy"), array("square"), nb::arg("n_threads"));
  m.def("bin_proba", &bin_proba<T>, array("proba"), nb::arg("n_classes"), array("hit"),
        array("weight").none(), array("edges"), nb::arg("n_bins"), array("sums"),
        nb::arg("n_threads"));
}

}  // namespace

void bind_proba(nb::module_& m) {
  active = &SKSOFTMAX_TABLE_OF(proba, active_isa());
  bind<float>(m);
  bind<double>(m);
}

}  // namespace sksoftmax
