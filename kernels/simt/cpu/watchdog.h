// SPDX-License-Identifier: Apache-2.0
/// \file
/// Ends kernels that do not end by themselves. A timer of the worker's processor time interrupts it
/// now and then; a thread that has met neither a barrier nor its end for the time limit is left.
#pragma once

#include <chrono>

#if defined(__linux__)
#include <time.h>
#endif

namespace qlab::simt::cpu {

/// Interruptions within one time limit: a thread is left after one to one and an eighth of it.
inline constexpr unsigned kTicksALimit = 8;

/// A block whose threads do meet barriers may take this many limits.
inline constexpr unsigned kLimitsABlock = 12;
inline constexpr unsigned kTicksABlock = kLimitsABlock * kTicksALimit;

/// While one lives, the calling system thread, a worker, is interrupted. Processor time, so neither
/// a busy machine nor a debugger's stop counts. Without a limit (0) it does nothing; nor outside of
/// Linux, nor under ThreadSanitizer, which holds signals back from code that makes no system call.
class Watchdog {
 public:
  explicit Watchdog(std::chrono::milliseconds limit);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Call before the first and after the last Watchdog: what becomes of the timer's signal.
  static void catch_ticks();
  static void stop_catching_ticks();

 private:
#if defined(__linux__)
  timer_t timer_{};
  bool running_ = false;
#endif
};

}  // namespace qlab::simt::cpu
