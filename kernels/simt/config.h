// SPDX-License-Identifier: Apache-2.0
/// \file
/// How launches run on the CPU. On a GPU the same names exist and change nothing.
#pragma once

#include <chrono>
#include <cstdint>

namespace qlab::simt {

/// How kernels run on the CPU.
struct Config {
  /// The order in which a block's threads run between barriers, and the order of the blocks:
  /// 0 ascending, 1 descending, 2 and more a random order each. A correct kernel gives the same
  /// result under all of them. Environment: SIMT_SCHEDULE.
  std::uint64_t schedule = 0;

  /// System threads over the blocks; 0 means one a core. Environment: SIMT_WORKERS.
  unsigned workers = 0;

  /// Processor time that a thread may take without reaching a barrier or its end; a block may take
  /// twelve times as long. 0: no limit. Environment: SIMT_TIME_LIMIT_MS.
  std::chrono::milliseconds time_limit{5000};

  /// CUDA lets the remaining threads pass a barrier once the others have exited. That is far more
  /// often a mistake than meant, so it is an error unless allowed here.
  bool exited_threads_may_skip_barriers = false;
};

/// The one that all launches use; tests change it.
Config& config();

/// Runs `body` once under each of `count` schedules (on a GPU: once) and restores the schedule.
template <class Body>
void for_each_schedule([[maybe_unused]] unsigned count, Body&& body) {
#if defined(__CUDACC__)
  body();
#else
  struct Restore {
    std::uint64_t schedule = config().schedule;
    ~Restore() { config().schedule = schedule; }
  } restore;
  for (unsigned schedule = 0; schedule < count; ++schedule) {
    config().schedule = schedule;
    body();
  }
#endif
}

}  // namespace qlab::simt
