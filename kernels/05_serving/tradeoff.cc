// SPDX-License-Identifier: Apache-2.0
/// \file
/// The given tradeoff: times from what a byte and a FLOP cost, pass by pass; how claims are
/// judged; and surprises picked one by one, without logarithms.
#include "05_serving/tradeoff.h"

#include <cmath>

namespace qlab {
namespace {

constexpr std::int64_t kMaxSide = std::int64_t{1} << 20;

void check_count(const char* name, std::int64_t value, std::int64_t low, std::int64_t high) {
  QLAB_CHECK(value >= low && value <= high, "tradeoff: ", name, " is ", value, "; choose ", low,
             " to ", high);
}

void check_share(const char* name, double value) {
  QLAB_CHECK(value >= 0 && std::isfinite(value), "tradeoff: ", name, " is ", value,
             "; it is a finite share, 0 or more");
}

void check_ratio(const std::string& id, const char* what, double value) {
  QLAB_CHECK(value > 0 && std::isfinite(value), "tradeoff: the ", what, " ratio of ", id, " is ",
             value, "; a ratio of times is a finite number over 0");
}

double seconds_of_pass(std::int64_t bytes, std::int64_t flops, double byte, double flop) {
  const double load = static_cast<double>(bytes) * byte,
               compute = static_cast<double>(flops) * flop;
  return load > compute ? load : compute;
}

/// The borders, each moved inwards by the margin. An infinite one stays where it is.
Borders with_margin(Borders borders, double margin) {
  if (std::isfinite(borders.low)) borders.low += margin * std::abs(borders.low);
  if (std::isfinite(borders.high)) borders.high -= margin * std::abs(borders.high);
  return borders;
}

bool surely_inside(const Borders& claimed, const Interval& found) {
  return claimed.closed ? claimed.low <= found.low && found.high <= claimed.high
                        : claimed.low < found.low && found.high < claimed.high;
}

bool surely_outside(const Borders& claimed, const Interval& found) {
  return claimed.closed ? found.high < claimed.low || claimed.high < found.low
                        : found.high <= claimed.low || claimed.high <= found.low;
}

}  // namespace

FormatWork linear_work(GemmSides sides, WeightStorage storage, Arithmetic arithmetic) {
  check_count("M", sides.M, 1, kMaxSide);
  check_count("N", sides.N, 1, kMaxSide);
  check_count("K", sides.K, 1, kMaxSide);
  check_count("bits", storage.bits, 1, 16);
  check_count("group_size", storage.group_size, 0, kMaxSide);
  QLAB_CHECK(arithmetic == Arithmetic::kFp16 || storage.bits <= 8, "tradeoff: ", storage.bits,
             " bits do not fit in INT8 arithmetic; choose kFp16");
  const Cost whole = linear_cost(sides, storage);
  const std::int64_t others = 2 * sides.M * sides.K + 4 * sides.M * sides.N;
  return {.stored_bytes = whole.bytes - others,
          .fp16_bytes = 2 * sides.N * sides.K,
          .other_bytes = others,
          .flops = whole.flops,
          .arithmetic = arithmetic};
}

FormatWork attention_work(AttentionSides sides, std::int64_t kv_bytes_per_token) {
  const auto& [n_heads, n_kv_heads, head_dim, tokens] = sides;
  check_count("n_heads", n_heads, 1, kMaxSide);
  check_count("n_kv_heads", n_kv_heads, 1, kMaxSide);
  check_count("head_dim", head_dim, 1, 1 << 16);
  check_count("tokens", tokens, 1, kMaxSide);
  check_count("kv_bytes_per_token", kv_bytes_per_token, 1, 1 << 24);
  QLAB_CHECK(n_heads % n_kv_heads == 0, "tradeoff: n_heads ", n_heads,
             " is no multiple of n_kv_heads = ", n_kv_heads);
  return {.stored_bytes = tokens * kv_bytes_per_token,
          .fp16_bytes = tokens * n_kv_heads * head_dim * 2 * 2,
          .other_bytes = n_heads * head_dim * (4 + 4),
          .flops = 4 * n_heads * head_dim * tokens,  // two products, two FLOPs each
          .arithmetic = Arithmetic::kFp16};
}

void check_prediction(const FormatWork& work, const ServedDevice& device) {
  constexpr std::int64_t kMost = std::int64_t{1} << 61;
  check_count("stored_bytes", work.stored_bytes, 1, kMost);
  check_count("fp16_bytes", work.fp16_bytes, 1, kMost);
  check_count("other_bytes", work.other_bytes, 0, kMost);
  check_count("flops", work.flops, 1, kMost);
  check_device(device);
}

void check_claim(const Borders& borders, const Precision& precision) {
  QLAB_CHECK(!std::isnan(borders.low) && !std::isnan(borders.high), "tradeoff: a border is NaN (",
             borders.low, " … ", borders.high, "); leave it out where there is none");
  QLAB_CHECK(borders.low <= borders.high, "tradeoff: the lower border ", borders.low,
             " is over the upper one, ", borders.high, "; swap them");
  check_share("margin", precision.margin);
  check_share("noise", precision.noise);
}

void check_predictions(std::span<const PredictedClaim> claims) {
  for (const PredictedClaim& claim : claims) {
    QLAB_CHECK(claim.expected != Outcome::kNotMeasured, "tradeoff: ", claim.id,
               " expects \"not measured\"; a prediction is held or did not hold");
    check_ratio(claim.id, "predicted", claim.predicted);
    if (claim.verdict != Outcome::kNotMeasured) check_ratio(claim.id, "measured", claim.measured);
  }
}

Interval with_noise(const Interval& interval, double noise) {
  const auto wider = [noise](double end, double sign) {
    return std::isinf(end) ? end : end + sign * noise * std::abs(end);  // 0 · ∞ would be NaN
  };
  return {interval.value, wider(interval.low, -1), wider(interval.high, 1)};
}

double predict_ratio(const FormatWork& work, KernelPath path, const ServedDevice& device) {
  check_prediction(work, device);
  const double byte = 1 / device.bytes_per_second, fp16_flop = 1 / device.fp16_flops;
  const auto& [stored, fp16, others, flops, arithmetic] = work;
  const double in_fp16 = seconds_of_pass(fp16 + others, flops, byte, fp16_flop);
  if (path == KernelPath::kUnpackFirst) {
    return (seconds_of_pass(stored + fp16, 0, byte, fp16_flop) + in_fp16) / in_fp16;
  }
  const double flop = arithmetic == Arithmetic::kInt8 ? 1 / device.int8_flops : fp16_flop;
  return seconds_of_pass(stored + others, flops, byte, flop) / in_fp16;
}

Outcome judge_interval(const Interval& interval, const Borders& borders, Precision precision) {
  check_claim(borders, precision);
  if (!(interval.low <= interval.value && interval.value <= interval.high)) {
    // The median of a skewed sample may lie outside; NaN always does. Neither can be judged.
    return Outcome::kNotMeasured;
  }
  const Borders claimed = with_margin(borders, precision.margin);
  const Interval found = with_noise(interval, precision.noise);
  if (surely_inside(claimed, found)) return Outcome::kHeld;
  if (surely_outside(claimed, found)) return Outcome::kDidNotHold;
  return Outcome::kNotMeasured;
}

Outcome predict_outcome(double predicted, const Borders& borders, double margin) {
  check_claim(borders, {.margin = margin});
  QLAB_CHECK(std::isfinite(predicted), "tradeoff: the prediction is ", predicted,
             "; it is a finite number");
  const Borders claimed = with_margin(borders, margin);
  const bool touches = predicted == claimed.low || predicted == claimed.high;
  const bool between = claimed.low <= predicted && predicted <= claimed.high;
  return between && (borders.closed || !touches) ? Outcome::kHeld : Outcome::kDidNotHold;
}

PredictionScore score(std::span<const PredictedClaim> claims) {
  check_predictions(claims);
  PredictionScore total;
  std::vector<Surprise> left;
  for (std::size_t i = 0; i < claims.size(); ++i) {
    const PredictedClaim& claim = claims[i];
    if (claim.verdict == Outcome::kNotMeasured) {
      ++total.not_measured;
      continue;
    }
    ++(claim.verdict == claim.expected ? total.right : total.wrong);
    const double up = claim.measured / claim.predicted, down = claim.predicted / claim.measured;
    left.push_back({.claim = i, .factor = up > down ? up : down});
  }
  while (!left.empty()) {
    auto largest = left.begin();
    for (auto next = left.begin(); next != left.end(); ++next) {
      if (next->factor > largest->factor) largest = next;
    }
    total.surprises.push_back(*largest);
    left.erase(largest);
  }
  return total;
}

}  // namespace qlab
