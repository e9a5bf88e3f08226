// SPDX-License-Identifier: Apache-2.0
/// \file
/// PerfCounters: instructions, cycles and cache misses of a call, where the system lets a program
/// count them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace qlab {

/// What one call did, on all threads, outside the kernel; a counter that is not there is 0.
struct Counts {
  std::uint64_t instructions = 0, cycles = 0;
  std::uint64_t l1_misses = 0;   ///< loads that the first cache did not have
  std::uint64_t llc_misses = 0;  ///< accesses that the last cache did not have either

  /// Instructions a cycle; 0 without both.
  double per_cycle() const;
  /// What the misses of the last cache brought from memory: a line of 64 bytes each.
  std::uint64_t bytes_from_memory() const { return 64 * llc_misses; }
};

/// Four counters of this process. They count threads that are started after them, not before, and
/// only inside counted().
class PerfCounters {
 public:
  PerfCounters();
  ~PerfCounters();
  PerfCounters(const PerfCounters&) = delete;
  PerfCounters& operator=(const PerfCounters&) = delete;

  /// Whether instructions and cycles can be counted; the misses may still be missing.
  bool available() const { return refusal_.empty(); }
  /// "counters: not available here (…)", or "" when they are.
  const std::string& refusal() const { return refusal_; }

  /// Runs `call`; nothing when counters are not available.
  std::optional<Counts> counted(const std::function<void()>& call);

 private:
  static constexpr int kEvents = 4;
  int files_[kEvents] = {-1, -1, -1, -1};
  std::string refusal_;
};

/// The refusal that belongs to an errno of perf_event_open. \param paranoid what
/// /proc/sys/kernel/perf_event_paranoid says; nothing when it cannot be read
std::string counters_refusal(int error, std::optional<int> paranoid);

}  // namespace qlab
