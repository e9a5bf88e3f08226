// SPDX-License-Identifier: Apache-2.0
/// \file
/// Judges claims. An interval that straddles a border is never rounded to held.
#include "lab/verdict.h"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

namespace qlab {
namespace {

/// The interval lies between the borders, each moved inwards by the margin.
bool surely_inside(const Predicate& predicate, const Measurement& m) {
  const double low = predicate.low + m.margin * std::abs(predicate.low);
  const double high = predicate.high - m.margin * std::abs(predicate.high);
  const bool above = predicate.closed ? m.interval.low >= low : m.interval.low > low;
  const bool below = predicate.closed ? m.interval.high <= high : m.interval.high < high;
  // An infinite border times a margin of 0 is NaN; there is nothing to check on that side.
  return (std::isinf(predicate.low) || above) && (std::isinf(predicate.high) || below);
}

/// The interval lies wholly beyond one of the borders, or within the margin before it.
bool surely_outside(const Predicate& predicate, const Measurement& m) {
  const double low = predicate.low + m.margin * std::abs(predicate.low);
  const double high = predicate.high - m.margin * std::abs(predicate.high);
  const bool under = predicate.closed ? m.interval.high < low : m.interval.high <= low;
  const bool over = predicate.closed ? m.interval.low > high : m.interval.low >= high;
  return (!std::isinf(predicate.low) && under) || (!std::isinf(predicate.high) && over);
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

Verdict judge(const Predicate& predicate, const Measurement& measurement) {
  const Interval& interval = measurement.interval;
  if (!(interval.low <= interval.value && interval.value <= interval.high)) {
    // The median of a skewed sample may lie outside; NaN always does. Neither can be judged.
    return {Outcome::kNotMeasured, fmt::format("{:.3g} lies outside its interval {:.3g} … {:.3g}",
                                               interval.value, interval.low, interval.high)};
  }
  if (surely_inside(predicate, measurement)) return {Outcome::kHeld, ""};
  if (surely_outside(predicate, measurement)) return {Outcome::kDidNotHold, ""};
  return {Outcome::kNotMeasured,
          fmt::format("inside the noise: {:.3g} … {:.3g}", interval.low, interval.high)};
}

Verdict judge(const Claim& claim, const Measurements& measurements) {
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
