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
#include "simt/cpu/sanitizers.h"
#include "simt/cpu/worker.h"

namespace qlab::simt {

Config& config() {
  static Config the = [] {
    Config c;
    if (const char* text = std::getenv("SIMT_SCHEDULE"))
      c.schedule = std::strtoull(text, nullptr, 10);
    if (const char* text = std::getenv("SIMT_WORKERS")) {
      c.workers = static_cast<unsigned>(std::strtoul(text, nullptr, 10));
    }
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
}

void stop_catching_faults() {
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

}  // namespace

void launch(dim3 grid, dim3 block, std::size_t shared_bytes, Kernel kernel) {
  if (Worker::running() != nullptr) fail("a launch from inside a kernel is not modelled");
  check_shape(grid, block, shared_bytes);

  static std::mutex one_at_a_time;
  static std::vector<std::unique_ptr<Worker>> pool;
  const std::lock_guard lock(one_at_a_time);

  const Config& c = config();
  const LaunchShape shape{grid,   block,      shared_bytes,
                          kernel, c.schedule, c.exited_threads_may_skip_barriers};
  const std::uint64_t blocks = std::uint64_t{grid.x} * grid.y * grid.z;
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  const auto workers = std::min<std::uint64_t>(c.workers == 0 ? cores : c.workers, blocks);
  while (pool.size() < workers) pool.push_back(std::make_unique<Worker>());

  const std::vector<std::uint64_t> order = block_order(blocks, c.schedule);
  std::atomic<std::uint64_t> next{0};
  std::mutex error_mutex;
  std::string error;
  const auto work = [&](Worker& worker) {
    worker.attach();
    for (std::uint64_t i; (i = next.fetch_add(1)) < blocks;) {
      const std::uint64_t b = order[i];
      const uint3 index{static_cast<unsigned>(b % grid.x),
                        static_cast<unsigned>(b / grid.x % grid.y),
                        static_cast<unsigned>(b / grid.x / grid.y)};
      try {
        worker.run_block(shape, index);
      } catch (const Error& e) {
        const std::lock_guard error_lock(error_mutex);
        if (error.empty()) error = e.what();
        next = blocks;  // the others finish the block they are in
      }
    }
    worker.detach();
  };

  catch_faults();
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < workers; ++i) others.emplace_back([&, i] { work(*pool[i]); });
  work(*pool[0]);
  for (std::thread& t : others) t.join();
  stop_catching_faults();
  if (!error.empty()) throw Error(error);
}

}  // namespace qlab::simt::cpu
