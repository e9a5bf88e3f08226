// SPDX-License-Identifier: Apache-2.0
/// \file
/// ThreadPool: workers spin for a moment, since one operation follows another, then sleep.
#include "common/thread_pool.h"

#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <utility>

#include <new>

#include "common/contract.h"

namespace qlab {
namespace {

// 1 to 20 µs, by processor: the gap between two operations. Longer, and threads that wait take the
// cores from those that work when there are more threads than cores.
constexpr int kSpins = 400;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

// Once the delegated constructor is done, the destructor runs even if this one throws: threads that
// did start are stopped when the system refuses the next one.
ThreadPool::ThreadPool(int threads) : ThreadPool() {
  QLAB_CHECK(threads >= 1, "ThreadPool: ", threads,
             " threads cannot do any work; ask for 1 or more");
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void* ThreadPool::scratch_bytes(std::size_t bytes) {
  if (bytes > scratch_size_) {
    constexpr std::size_t kStep = std::size_t{64} << 10;
    const std::size_t size = (bytes + kStep - 1) / kStep * kStep;
    scratch_.reset();
    scratch_size_ = 0;
    scratch_.reset(std::aligned_alloc(kStep, size));
    if (!scratch_) throw std::bad_alloc();
    scratch_size_ = size;
  }
  return scratch_.get();
}

void ThreadPool::run_erased(std::int64_t count, Call call, void* task) {
  if (count == 1) return call(task, 0);  // a worker would wake for nothing, and be waited for
  call_ = call;
  task_ = task;
  count_ = count;
  next_.store(0, std::memory_order_relaxed);
  working_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);  // publishes the lines above
  round_.notify_all();
  take_tasks();
  // Workers leave at the latest when the tasks are gone, so this wait is short; but a worker that
  // the system has put aside must not make the caller burn its core.
  for (int left = working_.load(std::memory_order_acquire); left != 0;
       left = working_.load(std::memory_order_acquire)) {
    for (int i = 0; i < kSpins && working_.load(std::memory_order_acquire) == left; ++i) relax();
    working_.wait(left, std::memory_order_acquire);
  }
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadPool::take_tasks() {
  try {
    while (true) {
      const std::int64_t i = next_.fetch_add(1, std::memory_order_relaxed);
      if (i >= count_) return;
      call_(task_, i);
    }
  } catch (...) {
    next_.store(count_, std::memory_order_relaxed);  // nobody starts another task
    const std::lock_guard lock(error_mutex_);
    if (!error_) error_ = std::current_exception();
  }
}

void ThreadPool::work() {
  std::uint32_t seen = 0;
  while (true) {
    for (int i = 0; i < kSpins && round_.load(std::memory_order_acquire) == seen; ++i) relax();
    round_.wait(seen, std::memory_order_acquire);
    // The caller starts no round before every worker has left the last one: none is missed.
    seen = round_.load(std::memory_order_acquire);
    if (stop_) return;
    take_tasks();
    working_.fetch_sub(1, std::memory_order_acq_rel);
    working_.notify_one();
  }
}

int available_threads() {
#if defined(__linux__)
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace qlab
