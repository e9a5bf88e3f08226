// SPDX-License-Identifier: Apache-2.0
/// \file
/// tradeoff: your turn. Replace each todo() with your code, then run `./lab check tradeoff`.
#include "05_serving/tradeoff.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace qlab::exercise {

double predict_ratio(const FormatWork& work, KernelPath path, const ServedDevice& device) {
  check_prediction(work, device);
  double fp16_seconds = 0, seconds = 0;
  // TODO [tradeoff_ratio] Time the format, and FP16
  // Set `fp16_seconds`: the operation with its operand in FP16. Set `seconds`: the operation in the
  // format, on `path`. A pass takes the longer of its loads and its arithmetic; passes add up.
  todo("tradeoff_ratio");
  return seconds / fp16_seconds;
}

Outcome judge_interval(const Interval& interval, const Borders& borders, Precision precision) {
  check_claim(borders, precision);
  const auto& [value, low, high] = interval;
  // The median of a skewed sample may lie outside; NaN always does. Neither can be judged.
  if (!(low <= value && value <= high)) return Outcome::kNotMeasured;
  Outcome outcome = Outcome::kNotMeasured;
  // TODO [tradeoff_interval] Judge the whole interval
  // Set `outcome`. Move each finite border towards the claimed side, and grow the interval. Borders
  // and ends may be negative. Closed borders belong to the claimed side, open ones do not.
  todo("tradeoff_interval");
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
  // TODO [tradeoff_score] Count right and wrong
  // Set total.right, total.wrong and total.not_measured, and append to total.surprises each measured
  // claim, its index and its factor, in the order of claims. A factor is 1 or more.
  todo("tradeoff_score");
  // TODO [tradeoff_surprises] Put the largest surprise first
  // Sort total.surprises by factor, the largest first. Equal ones keep the order of claims.
  todo("tradeoff_surprises");
  return total;
}

}  // namespace qlab::exercise
