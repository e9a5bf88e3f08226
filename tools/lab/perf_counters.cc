// SPDX-License-Identifier: Apache-2.0
/// \file
/// perf_event_open, and what its refusals mean. Source: the manual page perf_event_open(2).
#include "lab/perf_counters.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#if defined(__linux__)
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace qlab {
namespace {

#if defined(__linux__)
/// In the order of PerfCounters::files_.
struct Event {
  std::uint32_t type;
  std::uint64_t config;
};
constexpr std::uint64_t kL1LoadMisses = PERF_COUNT_HW_CACHE_L1D |
                                        (PERF_COUNT_HW_CACHE_OP_READ << 8) |
                                        (PERF_COUNT_HW_CACHE_RESULT_MISS << 16);
constexpr Event kEventList[] = {
    {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
    {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
    {PERF_TYPE_HW_CACHE, kL1LoadMisses},
    {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
};

/// A file descriptor, or -1 and errno.
int open_counter(const Event& event) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = event.type;
  attributes.config = event.config;
  attributes.disabled = 1;
  attributes.inherit = 1;         // threads that this one starts from now on
  attributes.exclude_kernel = 1;  // what perf_event_paranoid 2 allows
  attributes.exclude_hv = 1;
  attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  constexpr int kThisProcess = 0, kEveryCpu = -1, kNoGroup = -1;
  return static_cast<int>(syscall(SYS_perf_event_open, &attributes, kThisProcess, kEveryCpu,
                                  kNoGroup, PERF_FLAG_FD_CLOEXEC));
}

/// Fewer counters than events exist on some processors: then each counts for a part of the time.
std::uint64_t read_counter(int file) {
  std::uint64_t words[3] = {};  // count, enabled, running
  if (file < 0 || read(file, words, sizeof words) != sizeof words || words[2] == 0) return 0;
  const double share = static_cast<double>(words[1]) / static_cast<double>(words[2]);
  return static_cast<std::uint64_t>(static_cast<double>(words[0]) * share);
}

std::optional<int> paranoid_here() {
  int level = 0;
  std::ifstream file("/proc/sys/kernel/perf_event_paranoid");
  return file >> level ? std::optional<int>(level) : std::nullopt;
}
#endif

}  // namespace

double Counts::per_cycle() const {
  return cycles == 0 ? 0 : static_cast<double>(instructions) / static_cast<double>(cycles);
}

std::string counters_refusal(int error, std::optional<int> paranoid) {
  std::string why;
  if (error == EACCES || error == EPERM) {
    const std::string level = paranoid ? fmt::format(" {}", *paranoid) : "";
    why = fmt::format("perf_event_paranoid{}; sudo sysctl kernel.perf_event_paranoid=2 allows them",
                      level);
  } else if (error == ENOENT || error == EOPNOTSUPP || error == ENODEV) {
    why = "this machine shows no hardware counters, as most virtual machines do not";
  } else if (error == ENOSYS) {
    why = "this system has no perf_event_open";
  } else {
    why = "perf_event_open: " + std::generic_category().message(error);
  }
  return fmt::format("counters: not available here ({})", why);
}

#if defined(__linux__)
PerfCounters::PerfCounters() {
  static_assert(std::size(kEventList) == kEvents);
  for (int i = 0; i < kEvents; ++i) {
    files_[i] = open_counter(kEventList[i]);
    if (files_[i] >= 0 || i >= 2 || !refusal_.empty()) continue;
    const int error = errno;
    refusal_ = counters_refusal(error, paranoid_here());
  }
}

PerfCounters::~PerfCounters() {
  for (const int file : files_) {
    if (file >= 0) close(file);
  }
}

std::optional<Counts> PerfCounters::counted(const std::function<void()>& call) {
  if (!available()) return std::nullopt;
  const auto tell_all = [this](unsigned long what) {
    for (const int file : files_) {
      if (file >= 0) ioctl(file, what, 0);
    }
  };
  tell_all(PERF_EVENT_IOC_RESET);
  tell_all(PERF_EVENT_IOC_ENABLE);
  try {
    call();
  } catch (...) {
    tell_all(PERF_EVENT_IOC_DISABLE);
    throw;
  }
  tell_all(PERF_EVENT_IOC_DISABLE);
  return Counts{.instructions = read_counter(files_[0]),
                .cycles = read_counter(files_[1]),
                .l1_misses = read_counter(files_[2]),
                .llc_misses = read_counter(files_[3])};
}
#else
PerfCounters::PerfCounters() : refusal_(counters_refusal(ENOSYS, std::nullopt)) {}
PerfCounters::~PerfCounters() = default;
std::optional<Counts> PerfCounters::counted(const std::function<void()>&) { return std::nullopt; }
#endif

}  // namespace qlab
