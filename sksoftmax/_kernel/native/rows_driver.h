// The drivers of rows.h: which rows go through which shape, tile by tile, and what is wrong with a
// bad one. A template: a unit compiles the verbs that it names.
#pragma once

#include <new>

#include "rows.h"
#include "transpose.h"

namespace sksoftmax {
namespace {

// Up to this many classes a lane per row is faster than lanes along the row (make bench).
constexpr std::int64_t kMostAcross = 12;

template <class T>
std::int64_t row_begin(const Job<T>& job, std::int64_t row) {
  return job.row_ptr != nullptr ? job.row_ptr[row] : row * job.n_classes;
}

// Why is this row bad? The reasons in the order in which a reader would look for them.
template <class T>
Reason diagnose(const Job<T>& job, std::int64_t row) {
  const std::int64_t begin = row_begin(job, row), end = row_begin(job, row + 1);
  bool any = false;
  for (std::int64_t k = begin; k < end; ++k) {
    const T z = job.logits[k];
    if (job.mask != nullptr && job.mask[k] == 0) continue;
    if (z != z) return Reason::not_a_number;
    if (z == kInfinity<T>) return Reason::plus_infinity;
    any = any || z != -kInfinity<T>;
  }
  if (!any) return Reason::no_class_available;
  for (std::int64_t k = begin; k < end; ++k) {
    const bool open = job.logits[k] != -kInfinity<T> && (job.mask == nullptr || job.mask[k] != 0);
    const bool wanted = (job.target_index != nullptr && job.target_index[row] == k - begin) ||
                        (job.target_proba != nullptr && job.target_proba[k] > T(0));
    if (wanted && !open) return Reason::target_masked;
  }
  return Reason::none;  // the loss overflowed: inf is the rounded answer
}

template <class T>
void note_fault(const Job<T>& job, std::int64_t row, Fault& fault) {
  if (fault.reason != Reason::none) return;
  const Reason reason = diagnose(job, row);
  if (reason != Reason::none) fault = {row, reason};
}

template <class T>
Group<T> group_of(const Job<T>& job) {
  Group<T> group;
  group.label_smoothing = job.label_smoothing;
  group.logit_l2 = job.logit_l2;
  return group;
}

// Owns uninitialised memory, aligned to cache lines (no STL container in an ISA unit).
template <class T>
struct Scratch {
  T* const data;
  explicit Scratch(std::int64_t size)
      : data(size > 0 ? static_cast<T*>(::operator new(size * sizeof(T), kAlignment)) : nullptr) {}
  ~Scratch() { ::operator delete(data, kAlignment); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  static constexpr std::align_val_t kAlignment{64};
};

constexpr std::int64_t kScratchBytes = 1 << 12;

// Memory is asked this far ahead: the hardware's own prefetcher stops at every page, and short rows
// leave it little time.
template <class T>
constexpr std::int64_t kAhead = 2048 / sizeof(T);
// A long row is read three times. While the last two sweeps compute, memory brings the next row into
// L2, as long as two rows and what they become fit there.
constexpr std::int64_t kMostFarBytes = 1 << 17;

// Asks for what the rows some way after entry `first` will read and write.
template <class T>
SKSOFTMAX_INLINE void prefetch(const Job<T>& job, std::int64_t first, std::int64_t n) {
  constexpr std::int64_t kLine = 64 / sizeof(T);
  for (std::int64_t k = 0; k < n; k += kLine) {
    __builtin_prefetch(job.logits + first + kAhead<T> + k, 0, 3);
    if (job.out != nullptr) __builtin_prefetch(job.out + first + kAhead<T> + k, 1, 3);
  }
}

template <class T>
std::int64_t most_classes(const Job<T>& job, std::int64_t begin, std::int64_t end) {
  std::int64_t most = job.n_classes;
  for (std::int64_t row = begin; job.row_ptr != nullptr && row < end; ++row) {
    const std::int64_t n = job.row_ptr[row + 1] - job.row_ptr[row];
    if (n > most) most = n;
  }
  return most;
}

template <class T, class State>
SKSOFTMAX_INLINE void point_at_row(const Job<T>& job, std::int64_t row, State& state) {
  const std::int64_t first = row_begin(job, row), n = row_begin(job, row + 1) - first;
  const std::int64_t bytes = n * static_cast<std::int64_t>(sizeof(T));
  const bool far_ahead = bytes > kScratchBytes && bytes <= kMostFarBytes;
  state.shape = {n,
                 job.mask != nullptr ? job.mask + first : nullptr,
                 job.target_index != nullptr ? job.target_index[row] : 0,
                 state.shape.tail,
                 far_ahead ? n : kAhead<T>,
                 far_ahead};
  Group<T>& group = state.group;
  group.logits = job.logits + first;
  group.target_proba = job.target_proba != nullptr ? job.target_proba + first : nullptr;
  group.direction = job.direction != nullptr ? job.direction + first : nullptr;
  group.out = job.out != nullptr ? job.out + first : nullptr;
  group.row_out = job.row_out != nullptr ? job.row_out + row : nullptr;
  group.temperature =
      job.temperature != nullptr ? job.temperature + row * job.temperature_stride : nullptr;
  group.weight = job.weight != nullptr ? job.weight + row : nullptr;
}

// Rows (or lanes of rows) taken through the steps together: each step of one hides the latency of
// the other. The general variants do more in each step, and would double the time to compile.
template <bool general>
constexpr int kGroups = general ? 1 : 2;

template <class T, Verb verb, bool general, bool soft, int n_rows>
SKSOFTMAX_INLINE void take_along_classes(const Job<T>& job, std::int64_t row, T* scratch,
                                         std::int64_t stride, Fault& fault) {
  typename VerbOf<T, verb, general, soft, AlongClasses<T>>::type states[n_rows];
  typename Simd<T>::I bad[n_rows];
#pragma GCC unroll 2
  for (int r = 0; r < n_rows; ++r) {
    states[r].group = group_of(job);
    states[r].shape.tail = scratch + r * Simd<T>::width;
    point_at_row(job, row + r, states[r]);
    T* kept = scratch + n_rows * Simd<T>::width + r * stride;
    states[r].group.kept = stride > 0 ? kept : states[r].group.out;
    states[r].shift();
  }
#pragma GCC unroll 2
  for (int r = 0; r < n_rows; ++r) states[r].sum();
#pragma GCC unroll 2
  for (int r = 0; r < n_rows; ++r) bad[r] = states[r].finish();
#pragma GCC unroll 2
  for (int r = 0; r < n_rows; ++r) {
    if (states[r].shape.any_row(bad[r])) note_fault(job, row + r, fault);
    states[r].write();
  }
}

template <class T, Verb verb, bool general, bool soft>
Fault rows_along_classes(const Job<T>& job, std::int64_t begin, std::int64_t end) {
  constexpr int width = Simd<T>::width;
  const std::int64_t most = (most_classes(job, begin, end) + width - 1) / width * width;
  // Short rows are kept in aligned scratch, long ones where the output goes: one cache less used.
  const bool is_short = most * static_cast<std::int64_t>(sizeof(T)) <= kScratchBytes;
  const std::int64_t stride = is_short ? most : 0;
  const Scratch<T> scratch(kGroups<general> * (width + stride));
  Fault fault;
  std::int64_t row = begin;
  constexpr int groups = kGroups<general>;
  for (; is_short && row + groups <= end; row += groups)
    take_along_classes<T, verb, general, soft, groups>(job, row, scratch.data, stride, fault);
  for (; row < end; ++row)
    take_along_classes<T, verb, general, soft, 1>(job, row, scratch.data, stride, fault);
  return fault;
}

// One tile: the rows of a group transposed to class-major, and back.
template <class T>
struct Tile {
  static constexpr int width = Simd<T>::width;
  static constexpr int size = (kMostAcross + width - 1) / width * width * width;
  alignas(64) T logits[size];
  alignas(64) T target_proba[size];
  alignas(64) T direction[size];
  alignas(64) T out[size];
  alignas(64) T row_out[width], temperature[width], weight[width];
  alignas(64) std::int64_t targets[width];
};

// One entry per row; of a whole tile by one or two vectors, which a call for n bytes would not be.
template <int width, class T>
SKSOFTMAX_INLINE void copy_rows(const T* from, int n_rows, T* to) {
  if (n_rows == width) std::memcpy(to, from, width * sizeof(T));
  else std::memcpy(to, from, n_rows * sizeof(T));
}

// Fills the tile from rows row..row+n_rows of the job; the lanes beyond are harmless rows.
template <class T, bool general>
SKSOFTMAX_INLINE void fill(Tile<T>& tile, const Job<T>& job, std::int64_t row, int n_rows) {
  const std::int64_t K = job.n_classes, first = row * K;
  transpose_in(job.logits + first, K, n_rows, tile.logits);
  if (job.target_proba != nullptr)
    transpose_in(job.target_proba + first, K, n_rows, tile.target_proba);
  if (job.direction != nullptr) transpose_in(job.direction + first, K, n_rows, tile.direction);
  if (job.target_index != nullptr)
    copy_rows<tile.width>(job.target_index + row, n_rows, tile.targets);
  if (job.weight != nullptr) copy_rows<tile.width>(job.weight + row, n_rows, tile.weight);
  if constexpr (!general) return;
  if (job.mask != nullptr)
    for (int r = 0; r < n_rows; ++r)
      for (std::int64_t k = 0; k < K; ++k)
        if (job.mask[first + r * K + k] == 0) tile.logits[k * tile.width + r] = -kInfinity<T>;
  if (job.temperature != nullptr)
    for (int r = 0; r < tile.width; ++r)
      tile.temperature[r] =
          r < n_rows ? job.temperature[(row + r) * job.temperature_stride] : T(1);
}

template <class T>
SKSOFTMAX_INLINE void empty(const Tile<T>& tile, const Job<T>& job, std::int64_t row, int n_rows) {
  if (job.out != nullptr)
    transpose_out(tile.out, job.n_classes, n_rows, job.out + row * job.n_classes);
  if (job.row_out != nullptr)
    copy_rows<tile.width>(tile.row_out, n_rows, job.row_out + row);
}

template <class T, class State>
SKSOFTMAX_INLINE void point_at_tile(const Job<T>& job, Tile<T>& tile, State& state) {
  state.shape.n_classes = job.n_classes;
  state.shape.stride = tile.width;
  if (job.target_index != nullptr) state.shape.load_targets(tile.targets);
  state.group = group_of(job);
  state.group.logits = tile.logits;
  state.group.target_proba = job.target_proba != nullptr ? tile.target_proba : nullptr;
  state.group.direction = tile.direction;
  state.group.kept = state.group.out = tile.out;
  state.group.row_out = tile.row_out;
  state.group.temperature = job.temperature != nullptr ? tile.temperature : nullptr;
  state.group.weight = job.weight != nullptr ? tile.weight : nullptr;
}

template <class T, Verb verb, bool general, bool soft>
Fault rows_across_samples(const Job<T>& job, std::int64_t begin, std::int64_t end) {
  constexpr int width = Simd<T>::width, groups = kGroups<general>;
  using State = typename VerbOf<T, verb, general, soft, FewClasses<T>>::type;
  Tile<T> tiles[groups] = {};
  Fault fault;
  for (std::int64_t row = begin; row < end; row += groups * width) {
    prefetch(job, row * job.n_classes, groups * width * job.n_classes);
    State states[groups];
    typename Simd<T>::I bad[groups];
    int n_rows[groups];
#pragma GCC unroll 2
    for (int g = 0; g < groups; ++g) {
      const std::int64_t rest = end - row - g * width;
      n_rows[g] = static_cast<int>(rest < 0 ? 0 : rest < width ? rest : width);
      fill<T, general>(tiles[g], job, row + g * width, n_rows[g]);
      point_at_tile(job, tiles[g], states[g]);
      states[g].shift();
    }
#pragma GCC unroll 2
    for (int g = 0; g < groups; ++g) states[g].sum();
#pragma GCC unroll 2
    for (int g = 0; g < groups; ++g) bad[g] = states[g].finish();
#pragma GCC unroll 2
    for (int g = 0; g < groups; ++g) {
      states[g].write();
      empty(tiles[g], job, row + g * width, n_rows[g]);
      if (states[g].shape.any_row(bad[g]))
        for (int r = 0; r < n_rows[g]; ++r)
          if (bad[g][r]) note_fault(job, row + g * width + r, fault);
    }
  }
  return fault;
}

template <class T, Verb verb, bool general, bool soft>
Fault rows_in_shape(const Job<T>& job, std::int64_t begin, std::int64_t end) {
  return job.row_ptr == nullptr && job.n_classes <= kMostAcross
             ? rows_across_samples<T, verb, general, soft>(job, begin, end)
             : rows_along_classes<T, verb, general, soft>(job, begin, end);
}

template <class T, Verb verb>
Fault rows(const Job<T>& job, std::int64_t begin, std::int64_t end) {
  constexpr bool losses = verb == Verb::loss || verb == Verb::loss_gradient;
  const bool general = job.mask != nullptr || job.temperature != nullptr ||
                       job.label_smoothing > T(0) || job.logit_l2 > T(0);
  if (losses && job.target_proba != nullptr)
    return general ? rows_in_shape<T, verb, true, losses>(job, begin, end)
                   : rows_in_shape<T, verb, false, losses>(job, begin, end);
  return general ? rows_in_shape<T, verb, true, false>(job, begin, end)
                 : rows_in_shape<T, verb, false, false>(job, begin, end);
}

}  // namespace
}  // namespace sksoftmax
