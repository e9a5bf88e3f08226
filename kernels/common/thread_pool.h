// SPDX-License-Identifier: Apache-2.0
/// \file
/// ThreadPool: a few workers that share out the tasks of one call at a time.
///
/// A task writes outputs that no other task writes, and its arithmetic does not depend on who runs
/// it: so a result is the same bits for every number of threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace qlab {

/// One caller at a time; run() may not be called from inside a task.
class ThreadPool {
 public:
  /// `threads` counts the caller, who works too: 1 starts no thread.
  /// \throws ContractError when `threads` is under 1, std::system_error when there are no more.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// Memory that a kernel may write before it hands out tasks, so that a call allocates nothing: `count`
  /// elements of undefined content, aligned for any vector load, until the next call of this or the
  /// end of the pool. \throws std::bad_alloc
  template <class T>
  T* scratch(std::int64_t count) {
    static_assert(std::is_trivially_copyable_v<T>, "elements are not constructed");
    return static_cast<T*>(scratch_bytes(static_cast<std::size_t>(count) * sizeof(T)));
  }

  /// Threads that compute, the caller's among them.
  int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls task(0) … task(count - 1), each once, and returns when all are done. A free thread takes
  /// the next task, so a slow core takes fewer. The first exception of a task is thrown again here.
  template <class Task>
  void run(std::int64_t count, Task&& task) {
    using Function = std::remove_reference_t<Task>;
    run_erased(
        count, [](void* self, std::int64_t i) { (*static_cast<Function*>(self))(i); },
        const_cast<void*>(static_cast<const void*>(&task)));
  }

 private:
  ThreadPool() = default;
  using Call = void (*)(void* task, std::int64_t index);
  void* scratch_bytes(std::size_t bytes);
  void run_erased(std::int64_t count, Call call, void* task);
  void take_tasks();
  void work();

  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  std::unique_ptr<void, Free> scratch_;
  std::size_t scratch_size_ = 0;

  std::vector<std::thread> workers_;
  std::atomic<std::uint32_t> round_{0};  // counts calls of run(); workers sleep on it
  std::atomic<int> working_{0};          // workers still inside the present round
  std::atomic<bool> stop_{false};

  // The present round; written before round_ moves on.
  Call call_ = nullptr;
  void* task_ = nullptr;
  std::int64_t count_ = 0;
  std::atomic<std::int64_t> next_{0};
  std::mutex error_mutex_;
  std::exception_ptr error_;
};

/// Threads that this process may use: the cores it is allowed on, not those of the machine.
int available_threads();

}  // namespace qlab
