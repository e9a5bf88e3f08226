// SPDX-License-Identifier: Apache-2.0
/// \file
/// What every bench does: one rung is skipped or timed beside this run's ceilings, a ladder of GEMMs
/// meets the projections of a 7B model.
#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <map>
#include <string>

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
    if (cache == Cache::kCold) flush_caches(threads);
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

/// Registers bench(state, rung) for every rung of a GEMM, from decode (M = 1) to a prompt; the bench
/// finds M, N and K in state.range(0 … 2).
template <class Run, std::size_t kCount, class Bench>
void register_gemm(const std::string& operation, const Rung<Run> (&ladder)[kCount], Bench bench) {
  for (const Rung<Run>& rung : ladder) {
    benchmark::RegisterBenchmark((operation + "/" + std::string(rung.name)).c_str(), bench, rung)
        ->ArgNames({"M", "N", "K"})
        ->ArgsProduct({{1, 4, 16, 256}, {4096}, {4096}})
        ->Args({1, 4096, 11008})
        ->Args({256, 4096, 11008})
        ->Unit(benchmark::kMillisecond)
        ->UseManualTime();
  }
}

/// Decode passes a model through the caches between two uses of a weight; a prompt does not.
inline Cache gemm_cache(std::int64_t M) { return M <= 16 ? Cache::kCold : Cache::kWarm; }

/// The main of a bench, after its registrations.
inline int run_benches(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace qlab::test
