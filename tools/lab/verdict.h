// SPDX-License-Identifier: Apache-2.0
/// \file
/// Measurements by name, and the judgement of a claim on one of them.
#pragma once

#include <map>
#include <string>
#include <variant>

#include "05_serving/tradeoff.h"
#include "common/statistics.h"
#include "lab/plan.h"

namespace qlab {

/// A number with its 95 % interval.
struct Measurement {
  Interval interval;
  double margin = 0;      ///< relative distance from a border that does not matter, 2 % for times
  double noise = 0;       ///< relative distance that two measurements of one thing had in this run
  std::string unit = {};  ///< "bits/byte", …
};

/// Why there is no number.
struct NotMeasured {
  std::string reason;
};

/// All that one run measured. The names are those in the plan, such as "kl(kv_int8)".
using Measurements = std::map<std::string, std::variant<Measurement, NotMeasured>>;

struct ClaimVerdict {
  Outcome outcome;
  std::string reason;  ///< of kNotMeasured; of kDidNotHold where the value alone would not say it
};

/// "held", "did not hold here", "not measured here".
std::string outcome_name(Outcome outcome);

/// What judge_interval() of 05_serving/tradeoff.h says, and why nothing could be said.
ClaimVerdict judge(const Predicate& predicate, const Measurement& measurement);

/// The same, for a claim among all measurements. A measure that nothing was measured for by any name
/// is an error of ours. \throws std::logic_error naming claim and measure.
ClaimVerdict judge(const Claim& claim, const Measurements& measurements);

}  // namespace qlab
