// SPDX-License-Identifier: Apache-2.0
/// \file
/// The timer, its signal, and when it is safe to leave a thread that the signal interrupted.
#include "simt/cpu/watchdog.h"

#include <signal.h>

#include <cstdint>
#include <cstdio>

#include "simt/config.h"
#include "simt/cpu/sanitizers.h"
#include "simt/cpu/worker.h"

#if defined(__linux__) && !defined(SIMT_TSAN)
#define SIMT_WATCHDOG 1
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

// Where the linker put the program's own code.
extern "C" const char __executable_start;
extern "C" const char etext;
#endif

namespace qlab::simt::cpu {

#if defined(SIMT_WATCHDOG)
namespace {

constexpr int kSignal = SIGVTALRM;
struct sigaction old_action;

// A thread interrupted in a library may hold a lock there, malloc's for one, that nobody would ever
// release. The program's own code is kernel code, or the runtime's, which guards itself.
bool in_own_code(const void* context) {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  const auto at = static_cast<std::uintptr_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  const auto at = static_cast<std::uintptr_t>(machine.pc);
#else
  static_cast<void>(machine);
  const auto at = reinterpret_cast<std::uintptr_t>(&etext);  // unknown: never leaves
#endif
  return at >= reinterpret_cast<std::uintptr_t>(&__executable_start) &&
         at < reinterpret_cast<std::uintptr_t>(&etext);
}

void on_tick(int, siginfo_t*, void* context) {
  Worker* worker = Worker::running();
  if (worker != nullptr) worker->tick(in_own_code(context));
}

}  // namespace

Watchdog::Watchdog(std::chrono::milliseconds limit) {
  if (limit.count() <= 0) return;
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = kSignal;
  event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));  // glibc 2.36 has no other name
  running_ = timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer_) == 0;
  if (!running_) return;
  const auto tick = std::chrono::nanoseconds(limit) / kTicksALimit;
  itimerspec times{};
  times.it_interval.tv_sec = static_cast<time_t>(tick.count() / 1'000'000'000);
  times.it_interval.tv_nsec = static_cast<long>(tick.count() % 1'000'000'000);
  times.it_value = times.it_interval;
  timer_settime(timer_, 0, &times, nullptr);
}

Watchdog::~Watchdog() {
  if (running_) timer_delete(timer_);
}

void Watchdog::catch_ticks() {
  struct sigaction action {};
  action.sa_sigaction = on_tick;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART;
  sigaction(kSignal, &action, &old_action);
}

void Watchdog::stop_catching_ticks() { sigaction(kSignal, &old_action, nullptr); }
#else
Watchdog::Watchdog(std::chrono::milliseconds) {}
Watchdog::~Watchdog() = default;
void Watchdog::catch_ticks() {}
void Watchdog::stop_catching_ticks() {}
#endif

// Runs in a signal handler: it allocates nothing, and the words are found in explain_time().
void Worker::tick(bool may_leave) {
  ++block_ticks_;
  const std::uint64_t progress = progress_.load(std::memory_order_relaxed);
  if (progress != seen_progress_) {
    // The thread may be in the middle of a switch; leaving is safe where this stands still.
    seen_progress_ = progress;
    idle_ticks_ = 0;
    return;
  }
  if (++idle_ticks_ < kTicksALimit || !may_leave || undisturbed_.load() != 0) return;
  failed_ = true;
  endless_ = true;
  abandon_running_thread();
}

void Worker::explain_time(const Thread& last) {
  const auto seconds = [&](unsigned limits) {
    char text[32];
    std::snprintf(text, sizeof text, "%g s", 1e-3 * limits * static_cast<double>(shape_->limit_ms));
    return std::string(text);
  };
  if (endless_) {
    std::string text =
        "does not end: it has run for " + seconds(1) + " without reaching a barrier or its end";
    if (last.waits_in != nullptr) {
      text += std::string("; the last that it reached is ") + last.waits_in + " at " +
              to_text(last.waits_at);
    }
    note_failure(last, text);
  } else if (!failed_) {
    throw Error("the block does not end: it has run for " + seconds(kLimitsABlock) +
                ", from barrier to barrier:" + who_waits_where());
  }
}

}  // namespace qlab::simt::cpu
