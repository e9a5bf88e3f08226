// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of the operations at the layer shapes of a 7B model, interleaved, as ratios to FP16 and to
/// this machine's read bandwidth and multiply-add peak.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/contract.h"
#include "common/isa.h"
#include "common/statistics.h"
#include "lab/terminal.h"
#include "lab/verdict.h"

namespace qlab {

/// One implementation to be timed against others on the same problem.
struct Candidate {
  std::string name;
  Isa path;
  Cost cost;
  std::function<void()> run;
};

/// Seconds of every call: times[candidate][round].
using Times = std::vector<std::vector<double>>;

struct Pace {
  std::int64_t min_rounds, max_rounds;
  double seconds;  ///< rounds after the first min_rounds stop when this is spent
  bool cold;       ///< caches are emptied before every call
};

/// Runs all candidates once a round, in a fresh random order each, after one round that is not
/// counted.
Times interleaved(const std::vector<Candidate>& candidates, const Pace& pace, std::uint64_t seed,
                  const std::function<void()>& empty_caches);

/// The median over rounds of a's time / b's time in the same round, and its interval.
Interval time_ratio(const std::vector<double>& a, const std::vector<double>& b, std::uint64_t seed);

struct SpeedRow {
  std::string operation;  ///< "linear 4096×4096, M = 1" or "decode attention, 4096 tokens"
  std::string name;       ///< of the configuration, with " on scalar" for a forced fallback
  Isa path;
  Interval seconds;
  Interval to_fp16;                 ///< time / FP16's time, round by round
  double read_bandwidth_share;      ///< bytes a second / read bandwidth of this run
  double fma_peak_share;            ///< operations a second / FMA peak of this run
  std::int64_t rounds;
};

struct Speed {
  double read_bytes_per_second, fma_flops_per_second;  ///< measured in this run
  double margin;  ///< twice what FP16 differs from itself, at least 2 %
  std::vector<SpeedRow> rows;
};

Speed measure_speed(bool quick, std::uint64_t seed, const Machine& machine, Progress& progress,
                    Measurements& measurements);

/// Units of work that measure_speed reports, from `done` on.
inline constexpr double kSpeedWork = 1;

}  // namespace qlab
