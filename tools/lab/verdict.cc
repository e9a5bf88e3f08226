// SPDX-License-Identifier: Apache-2.0
/// \file
/// Judges claims. An interval that straddles a border is never rounded to held.
#include "lab/verdict.h"

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

namespace qlab {
namespace {

/// The borders, each moved inwards by the margin. An infinite one stays where it is.
Predicate with_margin(Predicate predicate, double margin) {
  if (std::isfinite(predicate.low)) predicate.low += margin * std::abs(predicate.low);
  if (std::isfinite(predicate.high)) predicate.high -= margin * std::abs(predicate.high);
  return predicate;
}

Interval with_noise(const Interval& interval, double noise) {
  return {interval.value, interval.low - noise * std::abs(interval.low),
          interval.high + noise * std::abs(interval.high)};
}

bool surely_inside(const Predicate& claimed, const Interval& found) {
  return claimed.closed ? claimed.low <= found.low && found.high <= claimed.high
                        : claimed.low < found.low && found.high < claimed.high;
}

bool surely_outside(const Predicate& claimed, const Interval& found) {
  return claimed.closed ? found.high < claimed.low || claimed.high < found.low
                        : found.high <= claimed.low || claimed.high <= found.low;
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
  const Predicate claimed = with_margin(predicate, measurement.margin);
  const Interval found = with_noise(interval, measurement.noise);
  if (surely_inside(claimed, found)) return {Outcome::kHeld, ""};
  if (surely_outside(claimed, found)) return {Outcome::kDidNotHold, ""};
  return {Outcome::kNotMeasured,
          fmt::format("inside the noise: {:.3g} … {:.3g}", found.low, found.high)};
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
