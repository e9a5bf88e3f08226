// SPDX-License-Identifier: Apache-2.0
/// \file
/// Words the judgement of claims, which is that of the exercise tradeoff.
#include "lab/verdict.h"

#include <fmt/format.h>

#include <stdexcept>

namespace qlab {
namespace {

bool claims(const Predicate& predicate, double value) {
  const auto& [low, high, closed, text] = predicate;
  return closed ? low <= value && value <= high : low < value && value < high;
}

}  // namespace

std::string outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kHeld:
      return "held";
    case Outcome::kDidNotHold:
      return "did not hold here";
    case Outcome::kNotMeasured:
      return "not measured here";
  }
  return "";
}

ClaimVerdict judge(const Predicate& predicate, const Measurement& measurement) {
  const Interval& interval = measurement.interval;
  const Outcome outcome =
      judge_interval(interval, {predicate.low, predicate.high, predicate.closed},
                     {measurement.margin, measurement.noise});
  if (outcome == Outcome::kHeld) return {outcome, ""};
  if (outcome == Outcome::kDidNotHold) {
    // A reader would take 0.802 for > 0.8.
    const bool near = claims(predicate, interval.value);
    return {outcome,
            near ? fmt::format("inside the margin of {:.2g} %", 100 * measurement.margin) : ""};
  }
  if (!(interval.low <= interval.value && interval.value <= interval.high)) {
    return {outcome, fmt::format("{:.3g} lies outside its interval {:.3g} … {:.3g}", interval.value,
                                 interval.low, interval.high)};
  }
  const Interval found = with_noise(interval, measurement.noise);
  return {outcome, fmt::format("inside the noise: {:.3g} … {:.3g}", found.low, found.high)};
}

ClaimVerdict judge(const Claim& claim, const Measurements& measurements) {
  const auto found = measurements.find(claim.measure);
  if (found == measurements.end()) {
    throw std::logic_error(fmt::format("the plan's {} measures `{}`, which nothing measures",
                                       claim.id, claim.measure));
  }
  if (const auto* missing = std::get_if<NotMeasured>(&found->second)) {
    return {Outcome::kNotMeasured, missing->reason};
  }
  return judge(claim.holds, std::get<Measurement>(found->second));
}

}  // namespace qlab
