// SPDX-License-Identifier: Apache-2.0
/// \file
/// Timing of rivals in one process, turn by turn, so that a machine that changes its speed changes it
/// for all of them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/contract.h"
#include "common/isa.h"
#include "common/statistics.h"

namespace qlab {

/// One implementation to be timed against others on the same problem.
struct Candidate {
  std::string name;
  Isa path;
  Cost cost;
  std::function<void()> run;
  std::function<void()> check;  ///< throws when the output of the last run is wrong
};

/// Seconds of every call: times[candidate][round].
using Times = std::vector<std::vector<double>>;

struct Pace {
  std::int64_t min_rounds, max_rounds;
  double seconds;  ///< no round beyond min_rounds starts when this is spent
  bool cold;       ///< caches are emptied before every call
};

/// Runs all candidates once a round, each round in a fresh random order, after one round that is not
/// counted; then checks their outputs.
Times interleaved(const std::vector<Candidate>& candidates, const Pace& pace, std::uint64_t seed,
                  const std::function<void()>& empty_caches);

/// The median over rounds of a's time / b's time in the same round, with its 95 % interval.
Interval time_ratio(const std::vector<double>& a, const std::vector<double>& b, std::uint64_t seed);

}  // namespace qlab
