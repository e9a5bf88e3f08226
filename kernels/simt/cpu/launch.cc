// SPDX-License-Identifier: Apache-2.0
/// \file
/// Launching: checks the shape, spreads the blocks over the cores, and turns a fault in a kernel
/// into an Error.
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <numeric>
#include <thread>

#include "simt/config.h"
#include "simt/cpu/watchdog.h"
#include "simt/cpu/worker.h"

namespace qlab::simt {

Config& config() {
  static Config the = [] {
    Config c;
    const auto number = [](const char* name, unsigned long long otherwise) {
      const char* text = std::getenv(name);
      return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
    };
    c.schedule = number("SIMT_SCHEDULE", c.schedule);
    c.workers = static_cast<unsigned>(number("SIMT_WORKERS", c.workers));
    const auto limit = static_cast<unsigned long long>(c.time_limit.count());
    c.time_limit = std::chrono::milliseconds(number("SIMT_TIME_LIMIT_MS", limit));
    return c;
  }();
  return the;
}

}  // namespace qlab::simt

namespace qlab::simt::cpu {
namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE};
struct sigaction old_actions[NSIG];

// The faulting instruction is kernel code, never the middle of an allocation, so building a string
// here is safe in practice; the fiber is left behind and the block's worker goes on.
void on_fault(int signal, siginfo_t* info, void*) {
  Thread* t = Worker::running_thread();
  if (t == nullptr) {  // not a kernel's fault: let the program die as it would have
    sigaction(signal, &old_actions[signal], nullptr);
    return;
  }
  if (signal == SIGFPE) {  // x86 only: ARM, like a GPU, goes on
    t->worker->leave_fiber("integer division by zero (a GPU would go on with a wrong number)");
  }
  if (t->fiber.in_guard(info->si_addr)) {
    t->worker->leave_fiber(
        "stack overflow: the thread's local arrays are too large for the runtime's stack");
  }
  std::string where = describe_address(info->si_addr);
  if (where.empty()) {
    char text[80];
    std::snprintf(text, sizeof text, "address %p, which belongs to no Buffer and no shared array",
                  info->si_addr);
    where = text;
  }
  t->worker->leave_fiber("out-of-bounds access: " + where);
}

void catch_faults() {
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (int signal : kSignals) sigaction(signal, &action, &old_actions[signal]);
  Watchdog::catch_ticks();
}

void stop_catching_faults() {
  Watchdog::stop_catching_ticks();
  for (int signal : kSignals) sigaction(signal, &old_actions[signal], nullptr);
}

void check_shape(dim3 grid, dim3 block, std::size_t shared_bytes) {
  const auto threads = std::uint64_t{block.x} * block.y * block.z;
  const auto text = [](dim3 d) { return to_string(uint3{d.x, d.y, d.z}); };
  if (threads == 0 || threads > 1024 || block.z > 64) {
    throw Error("launch: a block of " + text(block) +
                " threads; a block has 1 to 1024, z at most 64");
  }
  if (std::uint64_t{grid.x} * grid.y * grid.z == 0 || grid.y > 65535 || grid.z > 65535) {
    throw Error("launch: a grid of " + text(grid) + " blocks; at least 1, y and z at most 65535");
  }
  if (shared_bytes > kMaxDynamicSharedBytes) {
    throw Error("launch: " + std::to_string(shared_bytes) +
                " bytes of dynamic shared memory; at most " +
                std::to_string(kMaxDynamicSharedBytes));
  }
}

std::vector<std::uint64_t> block_order(std::uint64_t blocks, std::uint64_t schedule) {
  std::vector<std::uint64_t> order(blocks);
  std::iota(order.begin(), order.end(), 0);
  if (schedule == 1) std::reverse(order.begin(), order.end());
  if (schedule >= 2) std::shuffle(order.begin(), order.end(), std::mt19937_64(schedule));
  return order;
}

/// The blocks of one launch, which its workers take one by one.
class Blocks {
 public:
  Blocks(const LaunchShape& shape, std::uint64_t count)
      : shape_(shape), order_(block_order(count, shape.schedule)) {}

  void work(Worker& worker) {
    worker.attach();
    run_with(worker);
    worker.detach();
  }

  void throw_error() const {
    if (!error_.empty()) throw Error(error_);
  }

 private:
  void run_with(Worker& worker) {
    const Watchdog watchdog(std::chrono::milliseconds(shape_.limit_ms));
    for (std::uint64_t i; (i = next_.fetch_add(1)) < order_.size();) {
      const std::uint64_t b = order_[i];
      const dim3 grid = shape_.grid;
      try {
        worker.run_block(
            shape_, {static_cast<unsigned>(b % grid.x), static_cast<unsigned>(b / grid.x % grid.y),
                     static_cast<unsigned>(b / grid.x / grid.y)});
      } catch (const Error& e) {
        const std::lock_guard lock(error_mutex_);
        if (error_.empty()) error_ = e.what();
        next_ = order_.size();  // the others finish the block they are in
      }
    }
  }

  const LaunchShape& shape_;
  const std::vector<std::uint64_t> order_;
  std::atomic<std::uint64_t> next_{0};
  std::mutex error_mutex_;
  std::string error_;
};

}  // namespace

void launch(dim3 grid, dim3 block, std::size_t shared_bytes, Kernel kernel) {
  if (Worker::running() != nullptr) fail("a launch from inside a kernel is not modelled");
  check_shape(grid, block, shared_bytes);

  static std::mutex one_at_a_time;
  static std::vector<std::unique_ptr<Worker>> pool;
  const std::lock_guard lock(one_at_a_time);

  const Config& c = config();
  const LaunchShape shape{grid,
                          block,
                          shared_bytes,
                          kernel,
                          c.schedule,
                          static_cast<long>(c.time_limit.count()),
                          c.exited_threads_may_skip_barriers};
  const std::uint64_t count = std::uint64_t{grid.x} * grid.y * grid.z;
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  const auto workers = std::min<std::uint64_t>(c.workers == 0 ? cores : c.workers, count);
  while (pool.size() < workers) pool.push_back(std::make_unique<Worker>());

  Blocks blocks(shape, count);
  catch_faults();
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < workers; ++i) others.emplace_back([&, i] { blocks.work(*pool[i]); });
  blocks.work(*pool[0]);
  for (std::thread& t : others) t.join();
  stop_catching_faults();
  blocks.throw_error();
}

}  // namespace qlab::simt::cpu
