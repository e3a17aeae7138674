// Blocks of work over threads: the one place where threads are made.
//
// Threads live for one call from Python, so nothing spins between calls (an idle libgomp team burns
// the core that another process needs), and fork() finds no threads to lose. A call with one region
// of milliseconds uses for_each_block: starting a thread costs some 20 microseconds. A call with
// many short regions keeps a Team.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sksoftmax {

// Threads that take blocks of one region after another. Between regions they spin for a moment
// (waking a thread costs about as much), then sleep.
class Team {
 public:
  explicit Team(int n_threads) : n_threads_(n_threads) {}
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  ~Team() {
    stopped_ = true;
    wake(sleepers_, work_);
    for (std::thread& thread : threads_) thread.join();
  }

  // f(block, worker) for every block in 0..n_blocks, each once, by at most n_threads workers.
  // Which worker does a block is not fixed: results must depend on the block only. An exception is
  // thrown again here when all blocks are done.
  template <class F>
  void for_each_block(std::int64_t n_blocks, F f) {
    if (n_threads_ <= 1 || n_blocks <= 1) {
      for (std::int64_t block = 0; block < n_blocks; ++block) f(block, 0);
      return;
    }
    call_ = [](void* g, std::int64_t block, int worker) { (*static_cast<F*>(g))(block, worker); };
    function_ = &f;
    n_blocks_ = n_blocks;
    unfinished_ = n_blocks;
    ticket_ = (((ticket_ >> kBlockBits) + 1) << kBlockBits) | static_cast<std::uint64_t>(n_blocks);
    wake(sleepers_, work_);
    start(std::min<std::int64_t>(n_threads_, n_blocks) - 1);
    take_blocks(0);
    wait([this] { return unfinished_ == 0; }, waiting_, finished_);
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  static constexpr int kBlockBits = 40;
  static constexpr std::chrono::microseconds kSpin{20};

  static std::uint64_t blocks_left(std::uint64_t ticket) {
    return ticket & ((std::uint64_t{1} << kBlockBits) - 1);
  }

  void start(std::int64_t helpers) {
    try {
      while (static_cast<std::int64_t>(threads_.size()) < helpers) {
        const int worker = static_cast<int>(threads_.size()) + 1;
        threads_.emplace_back([this, worker] { work(worker); });
      }
    } catch (...) {
      // The system grants no more threads: those that exist, and this one, do all blocks.
    }
  }

  void work(int worker) {
    while (!stopped_) {
      take_blocks(worker);
      wait([this] { return stopped_ || blocks_left(ticket_) > 0; }, sleepers_, work_);
    }
  }

  // A ticket is the number of a region and of its blocks that nobody has taken. Who takes one knows
  // that the region lasts until he has finished it: only then may he read what the region is.
  void take_blocks(int worker) {
    for (std::uint64_t ticket = ticket_; blocks_left(ticket) > 0;)
      if (ticket_.compare_exchange_weak(ticket, ticket - 1)) {
        do_block(n_blocks_ - static_cast<std::int64_t>(blocks_left(ticket)), worker);
        ticket = ticket_;
      }
  }

  void do_block(std::int64_t block, int worker) {
    try {
      call_(function_, block, worker);
    } catch (...) {  // out of memory: the other blocks are done, the caller hears of it
      const std::lock_guard<std::mutex> lock(mutex_);
      failure_ = std::current_exception();
    }
    if (--unfinished_ == 0) wake(waiting_, finished_);
  }

  // Until ready(): spins, then sleeps. Who makes it ready then looks for sleepers; since each side
  // first writes and then reads, one of them sees the other.
  template <class Ready>
  void wait(Ready ready, std::atomic<int>& sleepers, std::condition_variable& bell) {
    const auto end = std::chrono::steady_clock::now() + kSpin;
    do {
      for (int i = 0; i < 32; ++i) {
        if (ready()) return;
        pause();
      }
    } while (std::chrono::steady_clock::now() < end);
    std::unique_lock<std::mutex> lock(mutex_);
    ++sleepers;
    bell.wait(lock, ready);
    --sleepers;
  }

  void wake(std::atomic<int>& sleepers, std::condition_variable& bell) {
    if (sleepers == 0) return;
    { const std::lock_guard<std::mutex> lock(mutex_); }
    bell.notify_all();
  }

  static void pause() {
#if defined(__x86_64__)
    _mm_pause();
#else
    std::this_thread::yield();
#endif
  }

  const int n_threads_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable work_, finished_;
  std::atomic<int> sleepers_{0}, waiting_{0};
  std::atomic<bool> stopped_{false};
  std::exception_ptr failure_;

  std::atomic<std::uint64_t> ticket_{0};
  std::atomic<std::int64_t> unfinished_{0};
  void (*call_)(void*, std::int64_t, int) = nullptr;
  void* function_ = nullptr;
  std::int64_t n_blocks_ = 0;
};

// A team of one region.
template <class F>
void for_each_block(std::int64_t n_blocks, int n_threads, F f) {
  Team(n_threads).for_each_block(n_blocks, f);
}

}  // namespace sksoftmax
