// SPDX-License-Identifier: Apache-2.0
/// \file
/// One worker runs one block at a time: a fiber a thread, resumed in an order that the launch's
/// schedule decides, until all have finished or none can go on.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "simt/cpu/fiber.h"
#include "simt/cpu/runtime.h"
#include "simt/cpu/shared_memory.h"
#include "simt/cpu/watchdog.h"

namespace qlab::simt::cpu {

class Worker;

struct AsyncCopy {
  void* to;
  const void* from;
  unsigned bytes;
  unsigned valid_bytes;  // the rest is filled with zeros
  unsigned group;
};

enum class State { ready, at_barrier, in_warp_call, finished };

struct Thread : Coordinates {
  Fiber fiber;
  Worker* worker = nullptr;
  State state = State::ready;
  const char* waits_in = nullptr;
  Site waits_at{};
  bool predicate = false;
  WarpCall* call = nullptr;
  std::vector<AsyncCopy> copies;
  unsigned copy_group = 0;
  // Addresses for ThreadSanitizer's release and acquire around __syncwarp.
  char arrival = 0, opening = 0;
};

struct Warp {
  std::uint32_t alive = 0;
  std::uint32_t waiting = 0;
};

struct LaunchShape {
  dim3 grid, block;
  std::size_t shared_bytes;
  Kernel kernel;
  std::uint64_t schedule;
  long limit_ms;
  bool exited_threads_may_skip_barriers;
};

class Worker {
 public:
  /// The worker whose kernel code is running on this system thread, or null in host code.
  static Worker* running();
  static Thread* running_thread();

  /// Call on the system thread that is going to run blocks, before the first and after the last.
  void attach();
  void detach();

  /// Runs one block to its end. Throws Error; the worker can run other blocks afterwards.
  void run_block(const LaunchShape& shape, uint3 block_idx);

  SharedMemory& shared() { return shared_; }

  /// Ends the launch without unwinding the running thread's stack, for places that cannot throw.
  [[noreturn]] void leave_fiber(const std::string& what);

  /// From the watchdog's signal handler, while a thread is running: leaves the thread if it has
  /// made no progress for the time limit and `may_leave`.
  void tick(bool may_leave);

  /// While one lives the running thread is not left: it holds a lock, or is changing a container.
  class Undisturbed {
   public:
    explicit Undisturbed(Worker& worker) : worker_(worker) { ++worker_.undisturbed_; }
    ~Undisturbed() { --worker_.undisturbed_; }
    Undisturbed(const Undisturbed&) = delete;
    Undisturbed& operator=(const Undisturbed&) = delete;

   private:
    Worker& worker_;
  };

  // Called by the running thread.
  int wait_at_barrier(Thread& t, const char* name, bool predicate, Site at);
  void enter_warp_call(Thread& t, WarpCall& call);

 private:
  static void thread_main(void* thread);
  template <class Body>
  void guarded(const Thread& t, Body&& body);
  Thread& thread(unsigned rank);
  void begin_threads(uint3 block_idx);
  void run_ready_threads();
  void release_barrier();
  void finish(Thread& t);
  bool try_execute(unsigned warp_index, WarpCall& call);
  void yield(Thread& t, State state);
  void make_ready(Thread& t);
  void note_failure(const Thread& t, const std::string& what);
  void abandon();
  [[noreturn]] void abandon_running_thread();
  /// Lock-free and relaxed: only this system thread's own signal handler reads it.
  void note_progress() {
    progress_.store(progress_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  bool out_of_time() const {
    return endless_ || block_ticks_.load(std::memory_order_relaxed) > kTicksABlock;
  }
  void explain_time(const Thread& last);
  std::string who_waits_where() const;
  bool in_random_order() const { return shape_->schedule >= 2; }

  Fiber main_;
  std::vector<std::unique_ptr<Thread>> threads_;  // grows to the largest block seen
  std::vector<Warp> warps_;
  std::vector<Thread*> ready_;  // a stack: the warp that just ran goes on first
  SharedMemory shared_;
  const LaunchShape* shape_ = nullptr;
  unsigned count_ = 0;  // threads in the running block
  unsigned finished_ = 0;
  int barrier_count_ = 0;
  // For ThreadSanitizer. Arrival and opening are two addresses: a thread that has gone on to its
  // next barrier must not be ordered before one that is only leaving this one.
  char barrier_arrival_ = 0, barrier_opening_ = 0;
  char start_order_ = 0;  // the launch, before every thread
  char end_order_ = 0;    // every thread, before what follows the block
  std::mt19937_64 random_;
  bool failed_ = false;
  // For the watchdog: how often a thread began, waited or ended; what it saw of that.
  std::atomic<std::uint64_t> progress_{0};
  std::uint64_t seen_progress_ = 0;
  unsigned idle_ticks_ = 0;
  std::atomic<unsigned> block_ticks_{0};
  std::atomic<unsigned> undisturbed_{0};
  bool endless_ = false;
  std::string error_;
  std::unique_ptr<char[]> signal_stack_;
  void* old_signal_stack_ = nullptr;
  std::size_t old_signal_stack_bytes_ = 0;
};

std::string to_string(uint3 v);  // (1,2,3)
std::string to_text(Site at);    // gemv.cu:12

}  // namespace qlab::simt::cpu
