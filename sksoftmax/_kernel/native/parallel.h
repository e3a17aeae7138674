// Blocks of work over threads: the one place where threads are made.
//
// Threads live for one call. A parallel region here lasts milliseconds, starting a thread costs
// some 20 microseconds, and in exchange nothing spins between calls (an idle libgomp team burns
// the core that another process needs), and fork() finds no threads to lose.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace sksoftmax {

// f(block, worker) for every block in 0..n_blocks, each once, by at most n_threads workers.
// Which worker does a block is not fixed: results must depend on the block only.
template <class F>
void for_each_block(std::int64_t n_blocks, int n_threads, F f) {
  if (n_threads <= 1 || n_blocks <= 1) {
    for (std::int64_t block = 0; block < n_blocks; ++block) f(block, 0);
    return;
  }
  std::atomic<std::int64_t> next{0};
  std::exception_ptr failure;
  std::mutex failing;
  const auto work = [&](int worker) {
    try {
      for (std::int64_t block; (block = next.fetch_add(1)) < n_blocks;) f(block, worker);
    } catch (...) {  // out of memory: the others finish, the caller hears of it
      const std::lock_guard<std::mutex> lock(failing);
      failure = std::current_exception();
    }
  };
  std::vector<std::thread> team;
  const std::int64_t helpers = (n_threads < n_blocks ? n_threads : n_blocks) - 1;
  team.reserve(helpers);
  try {
    for (int worker = 1; worker <= helpers; ++worker) team.emplace_back(work, worker);
  } catch (...) {
    // The system grants no more threads: those that exist, and this one, do all blocks.
  }
  work(0);
  for (std::thread& thread : team) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace sksoftmax
