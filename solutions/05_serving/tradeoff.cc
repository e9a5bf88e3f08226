// SPDX-License-Identifier: Apache-2.0
/// \file
/// tradeoff: a roofline for each claim, the judgement of an interval, and what to explain first.
///
/// Bottleneck   none: a handful of operations for each claim
/// Teaches      a prediction that can be wrong, a verdict that may be open, a surprise that explains
/// Leaves out   caches, launches, and what unpacking costs beside its bytes: that is the surprise
#include "05_serving/tradeoff.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace qlab::exercise {

double predict_ratio(const FormatWork& work, KernelPath path, const ServedDevice& device) {
  check_prediction(work, device);
  double fp16_seconds = 0, seconds = 0;
  // BEGIN SOLUTION [tradeoff_ratio] Time the format, and FP16
  // Set `fp16_seconds`: the operation with its operand in FP16. Set `seconds`: the operation in the
  // format, on `path`. A pass takes the longer of its loads and its arithmetic; passes add up.

  const auto pass = [&](std::int64_t bytes, double peak) {
    return std::max(static_cast<double>(bytes) / device.bytes_per_second,
                    static_cast<double>(work.flops) / peak);
  };
  fp16_seconds = pass(work.fp16_bytes + work.other_bytes, device.fp16_flops);
  if (path == KernelPath::kMadeForIt) {
    // Fewer bits are fewer bytes. They are more FLOPs a second only where the units compute in them.
    const bool int8 = work.arithmetic == Arithmetic::kInt8;
    seconds =
        pass(work.stored_bytes + work.other_bytes, int8 ? device.int8_flops : device.fp16_flops);
  } else {
    // Nothing overlaps: the product begins when the weights stand there in FP16.
    const auto unpacked = static_cast<double>(work.stored_bytes + work.fp16_bytes);
    seconds = unpacked / device.bytes_per_second + fp16_seconds;
  }
  // END SOLUTION [tradeoff_ratio]
  return seconds / fp16_seconds;
}

Outcome judge_interval(const Interval& interval, const Borders& borders, Precision precision) {
  check_claim(borders, precision);
  const auto& [value, low, high] = interval;
  // The median of a skewed sample may lie outside; NaN always does. Neither can be judged.
  if (!(low <= value && value <= high)) return Outcome::kNotMeasured;
  Outcome outcome = Outcome::kNotMeasured;
  // BEGIN SOLUTION [tradeoff_interval] Judge the whole interval
  // Set `outcome`. Move each finite border towards the claimed side, and grow the interval. Borders
  // and ends may be negative. Closed borders belong to the claimed side, open ones do not.

  // A border of 0 does not move: a share of nothing is nothing. An endless one times 0 would be NaN.
  const auto margin_at = [&](double border) {
    return std::isfinite(border) ? precision.margin * std::abs(border) : 0;
  };
  const double from = borders.low + margin_at(borders.low);
  const double to = borders.high - margin_at(borders.high);
  const double least = low - precision.noise * std::abs(low);
  const double most = high + precision.noise * std::abs(high);
  const auto before = [&](double a, double b) { return borders.closed ? a <= b : a < b; };
  const auto beyond = [&](double a, double b) { return borders.closed ? a < b : a <= b; };
  if (before(from, least) && before(most, to)) outcome = Outcome::kHeld;
  // Not wholly on the claimed side is not yet off it: what straddles stays not measured.
  if (beyond(most, from) || beyond(to, least)) outcome = Outcome::kDidNotHold;
  // END SOLUTION [tradeoff_interval]
  return outcome;
}

// A prediction is an interval too, of no width and without noise: it cannot straddle a border.
Outcome predict_outcome(double predicted, const Borders& borders, double margin) {
  QLAB_CHECK(std::isfinite(predicted), "tradeoff: the prediction is ", predicted,
             "; it is a finite number");
  return exercise::judge_interval({predicted, predicted, predicted}, borders, {.margin = margin});
}

PredictionScore score(std::span<const PredictedClaim> claims) {
  check_predictions(claims);
  PredictionScore total;
  // BEGIN SOLUTION [tradeoff_score] Count right and wrong
  // Set total.right, total.wrong and total.not_measured, and append to total.surprises each measured
  // claim, its index and its factor, in the order of claims. A factor is 1 or more.

  for (std::size_t i = 0; i < claims.size(); ++i) {
    const auto& [id, predicted, expected, measured, verdict] = claims[i];
    if (verdict == Outcome::kNotMeasured) {
      ++total.not_measured;
      continue;
    }
    ++(verdict == expected ? total.right : total.wrong);
    // Half and twice are equally far off; as differences, 0.5 and 1 would not be.
    const double off = std::abs(std::log(measured / predicted));
    total.surprises.push_back({.claim = i, .factor = std::exp(off)});
  }
  // END SOLUTION [tradeoff_score]
  // BEGIN SOLUTION [tradeoff_surprises] Put the largest surprise first
  // Sort total.surprises by factor, the largest first. Equal ones keep the order of claims.

  // Right verdicts as well: a number that is far off may be on the right side by luck.
  std::stable_sort(total.surprises.begin(), total.surprises.end(),
                   [](const Surprise& a, const Surprise& b) { return a.factor > b.factor; });
  // END SOLUTION [tradeoff_surprises]
  return total;
}

}  // namespace qlab::exercise
