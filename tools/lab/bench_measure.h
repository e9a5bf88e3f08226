// SPDX-License-Identifier: Apache-2.0
/// \file
/// Times a ladder: one M, and all that was asked for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/bench_ladders.h"
#include "lab/bench_results.h"
#include "lab/interleaved.h"
#include "lab/perf_counters.h"

namespace qlab {

/// What a ladder is timed with.
struct BenchSetting {
  const Machine& machine;
  ThreadPool& one_thread;  ///< for the rung that a learner's kernel is compared with
  const Mine& mine;
  PerfCounters& counters;
  Pace pace;
  std::uint64_t seed;
};

/// Decode passes a model through the caches between two uses of a weight; a prompt does not.
constexpr bool starts_cold(const BenchLadder& ladder, std::int64_t M) {
  return ladder.of_context || M <= 16;
}

/// Times every rung that the machine can run, turn by turn, and with it the learner's kernel and
/// its aim, rung 1 on one thread; then checks all outputs and counts one more call each. Shares are
/// not set yet, and `bytes_per_second` only for warm operands.
/// \throws WrongOutput when a rung of ours is wrong.
BenchTable measure_ladder(const BenchLadder& ladder, const std::string& label,
                          const BenchProblem& problem, const BenchShape& shape, std::int64_t M,
                          const BenchSetting& setting);

/// What is measured of a ladder.
struct BenchPlan {
  BenchShape shape;                 ///< most_m and seed are filled in
  std::vector<std::int64_t> sizes;  ///< M of each table
  Isa isa;
  int threads;
  Pace pace;
  Mine mine;
  std::uint64_t seed;
};

/// Ceilings before and after, of which the better reading counts, and every part of the ladder in
/// between.
BenchResults measure_bench(const BenchLadder& ladder, const BenchPlan& plan,
                           const Terminal& terminal);

}  // namespace qlab
