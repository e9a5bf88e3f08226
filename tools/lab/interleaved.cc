// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rounds in random order, and the ratio of two candidates round by round.
#include "lab/interleaved.h"

#include <chrono>
#include <numeric>
#include <utility>

#include "common/random.h"

namespace qlab {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Times interleaved(const std::vector<Candidate>& candidates, const Pace& pace, std::uint64_t seed,
                  const std::function<void()>& empty_caches) {
  Random random(seed);
  std::vector<std::size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Times times(candidates.size());
  const Clock::time_point start = Clock::now();
  double of_learner = 0;
  // Round -1 warms up: page tables, clocks, thread-local buffers.
  for (std::int64_t round = -1; round < pace.max_rounds; ++round) {
    if (round >= pace.min_rounds && seconds_since(start) - of_learner > pace.seconds) break;
    for (std::size_t i = order.size() - 1; i > 0; --i) {
      std::swap(order[i],
                order[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(i) + 1))]);
    }
    for (const std::size_t which : order) {
      const bool yours = candidates[which].yours();
      if (yours && round >= pace.min_rounds) continue;
      const Clock::time_point turn = Clock::now();
      if (pace.cold) empty_caches();
      const Clock::time_point before = Clock::now();
      candidates[which].run();
      const double elapsed = seconds_since(before);
      if (round >= 0) times[which].push_back(elapsed);
      if (yours) of_learner += seconds_since(turn);
    }
  }
  for (const Candidate& candidate : candidates) candidate.check();
  return times;
}

Interval time_ratio(const std::vector<double>& a, const std::vector<double>& b,
                    std::uint64_t seed) {
  std::vector<double> ratios(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) ratios[i] = a[i] / b[i];
  return median_interval(ratios, seed);
}

}  // namespace qlab
