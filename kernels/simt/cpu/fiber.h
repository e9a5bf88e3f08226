// SPDX-License-Identifier: Apache-2.0
/// \file
/// A fiber: a function with a stack of its own that can stop in the middle and go on later.
#pragma once

#include <cstddef>

namespace qlab::simt::cpu {

/// One side of a switch. A default-constructed Fiber stands for the stack that is already running
/// (the worker thread); create() gives it a stack and a function of its own.
class Fiber {
 public:
  Fiber() = default;
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Reserves a stack with inaccessible addresses below it. The stacks' tops are staggered by
  /// `number`: with equal offsets all of them would fall into the same few cache sets.
  void create(std::size_t stack_bytes, unsigned number, void (*entry)(void*), void* argument);

  /// Forgets what the fiber was doing: the next switch starts `entry` afresh.
  void restart();

  /// Stops `from` here and goes on with `to`, until something switches back to `from`.
  static void switch_to(Fiber& from, Fiber& to);

  /// Call before the first and after the last switch on a worker thread's own Fiber.
  void adopt_running_stack();

  bool created() const { return stack_ != nullptr; }
  /// Whether `address` lies just below the stack, which means that the stack overflowed.
  bool in_guard(const void* address) const;

  struct Context;  // what the ucontext fallback needs

 private:
  friend void fiber_entry(Fiber*);

  void* stack_pointer_ = nullptr;
  char* stack_ = nullptr;  // lowest usable byte
  std::size_t stack_bytes_ = 0;
  unsigned number_ = 0;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  Context* context_ = nullptr;
  const void* asan_bottom_ = nullptr;
  std::size_t asan_size_ = 0;
  void* asan_fake_stack_ = nullptr;
  [[maybe_unused]] void* tsan_fiber_ = nullptr;
};

}  // namespace qlab::simt::cpu
