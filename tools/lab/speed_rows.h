// SPDX-License-Identifier: Apache-2.0
/// \file
/// From the seconds of every round to rows of the report, whoever timed them: this machine's clock,
/// or a GPU whose times stand in a file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/speed.h"

namespace qlab {

/// One implementation of a problem, and what it took.
struct TimedCandidate {
  std::string name;
  Isa path;
  Cost cost;
  std::vector<double> seconds;  ///< [rounds]; a learner's may be fewer
  bool yours = false;
  bool peer = false;
  std::string rung = {};  ///< of a GPU; empty on the CPU
};

/// Adds a row for every candidate but the second, which is FP16 again: how far it is from the first
/// is the noise. \param candidates  FP16, FP16 again, the others
void add_speed_rows(const std::string& operation, const std::vector<TimedCandidate>& candidates,
                    std::uint64_t seed, std::vector<SpeedRow>& rows);

/// When all rows are there: their shares of the roofline. And the noise: an operation may agree
/// with itself by luck, so none counts as quieter than the middle one.
void finish_speed_rows(Speed& speed);

}  // namespace qlab
