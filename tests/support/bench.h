// SPDX-License-Identifier: Apache-2.0
/// \file
/// bench_call: what every bench does with one rung: skip or time it, and state shares of ceilings.
#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <map>

#include "common/contract.h"
#include "common/isa.h"
#include "support/roofline.h"

namespace qlab::test {

enum class Cache {
  kWarm,  ///< operands may still lie in the caches: a prompt, which uses each weight many times
  kCold,  ///< they are flushed before each call: decode, where a model passes through in between
};

struct Ceilings {
  double read_bytes_per_second, fma_flops_per_second;
};

/// Measured once in this run for each number of threads.
inline const Ceilings& ceilings(ThreadPool& threads) {
  static std::map<int, Ceilings> measured;
  const auto known = measured.find(threads.size());
  if (known != measured.end()) return known->second;
  const Ceilings now{read_bytes_per_second(threads), fma_flops_per_second(threads)};
  return measured.emplace(threads.size(), now).first->second;
}

/// Times call() as the rung `needs` allows; the benchmark must be registered with UseManualTime().
template <class Call>
void bench_call(benchmark::State& state, Isa needs, Cache cache, Cost cost, ThreadPool& threads,
                Call&& call) {
  if (needs > best_isa()) {
    state.SkipWithError("this processor lacks the instructions of the rung");
    return;
  }
  const Ceilings& ceiling = ceilings(threads);
  double seconds = 0;
  for (auto _ : state) {
    if (cache == Cache::kCold) flush_caches();
    const auto start = std::chrono::steady_clock::now();
    call();
    benchmark::ClobberMemory();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(elapsed.count());
    seconds += elapsed.count();
  }
  const double calls_per_second = static_cast<double>(state.iterations()) / seconds;
  state.SetBytesProcessed(cost.bytes * state.iterations());
  state.counters["of_read_bandwidth"] =
      calls_per_second * static_cast<double>(cost.bytes) / ceiling.read_bytes_per_second;
  state.counters["of_fma_peak"] =
      calls_per_second * static_cast<double>(cost.flops) / ceiling.fma_flops_per_second;
}

}  // namespace qlab::test
