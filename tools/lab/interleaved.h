// SPDX-License-Identifier: Apache-2.0
/// \file
/// Timing of rivals in one process, turn by turn, so that a machine that changes its speed changes it
/// for all of them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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
  /// Of a learner's kernel: what it threw or got wrong, nothing so far; null for ours.
  std::shared_ptr<std::string> trouble = nullptr;

  bool yours() const { return trouble != nullptr; }
};

/// Seconds of every call: times[candidate][round].
using Times = std::vector<std::vector<double>>;

struct Pace {
  std::int64_t min_rounds, max_rounds;
  double seconds;  ///< no round beyond min_rounds starts when this is spent
  bool cold;       ///< caches are emptied before every call
};

/// Runs all candidates once a round, each round in a fresh random order, after one round that is not
/// counted; then checks their outputs. A learner's kernel, which may be slow, takes part in the first
/// `min_rounds` only and its seconds do not count, so that ours get as many rounds beside it as alone.
Times interleaved(const std::vector<Candidate>& candidates, const Pace& pace, std::uint64_t seed,
                  const std::function<void()>& empty_caches);

/// The median over rounds of a's time / b's time in the same round, with its 95 % interval; b may
/// have been timed in more rounds.
Interval time_ratio(const std::vector<double>& a, const std::vector<double>& b, std::uint64_t seed);

}  // namespace qlab
