// SPDX-License-Identifier: Apache-2.0
/// \file
/// tradeoff: predict the verdicts of the tradeoff table, judge what was measured, and compare both.
///
/// Bottleneck   none: a handful of operations for each claim
/// Bytes moved  none
/// FLOPs        none
/// Teaches      what a roofline knows of a format, and what only a measurement does
/// Leaves out   quality, which no roofline predicts; the measuring itself (`./lab compare`)
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "05_serving/cost_model.h"
#include "common/statistics.h"

namespace qlab {

/// An operation with one operand that a format may shrink: the weights of a linear layer, or the K
/// and V that decode attention reads. Every byte is moved once.
struct FormatWork {
  std::int64_t stored_bytes;  ///< of that operand as it is stored, with its scales; ≥ 1
  std::int64_t fp16_bytes;    ///< of that operand in FP16; ≥ 1
  std::int64_t other_bytes;  ///< inputs and outputs, which are FP16 and FP32 in every format; ≥ 0
  std::int64_t flops;        ///< the same in every format; ≥ 1
  Arithmetic arithmetic;     ///< of a kernel made for the format
};

/// Decode attention of one layer: the query of one new token against a sequence's K and V.
struct AttentionSides {
  std::int64_t n_heads;     ///< of queries; a multiple of n_kv_heads
  std::int64_t n_kv_heads;  ///< ≥ 1
  std::int64_t head_dim;    ///< ≥ 1
  std::int64_t tokens;      ///< attended to; ≥ 1
};

/// Is there a kernel that reads the format as it is stored? If not, servers unpack the operand to
/// FP16 in memory, and the FP16 kernel goes on from there. The lab's portable paths unpack code by
/// code instead: no second pass, and many instructions. They are predicted as kUnpackFirst too.
enum class KernelPath { kMadeForIt, kUnpackFirst };

/// The side that a claim's measurement must fall on: "< 0.9" has no lower border, "> 1" no upper one.
struct Borders {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool closed = false;  ///< "within a … b" holds on its borders; "< b" and "> a" do not
};

/// A claim is never rounded to held: kNotMeasured is an answer as well.
enum class Outcome { kHeld, kDidNotHold, kNotMeasured };

/// How sure a measurement is.
struct Precision {
  double margin = 0;  ///< relative distance from a border that does not matter; finite, ≥ 0
  double noise = 0;   ///< relative distance that two measurements of one thing had; ≥ 0
};

/// A claim about a ratio of times, before and after measuring.
struct PredictedClaim {
  std::string id;    ///< "C12"
  double predicted;  ///< the ratio; finite and over 0
  Outcome expected;  ///< the verdict that it leads to: held or did not hold
  double measured;   ///< finite and over 0, or anything where verdict is kNotMeasured
  Outcome verdict;   ///< of the measurement
};

/// A claim, and the factor between prediction and measurement.
struct Surprise {
  std::size_t claim;  ///< its index
  double factor;      ///< how far off: 2 for twice the predicted ratio, and for half of it; ≥ 1
};

/// How well the claims were predicted.
struct PredictionScore {
  std::int64_t right = 0, wrong = 0;  ///< of the claims that were measured
  std::int64_t not_measured = 0;
  std::vector<Surprise> surprises =
      {};  ///< every measured claim, right or wrong; the largest first
};

/// Given: a linear layer, as linear_cost() counts it.
/// \throws ContractError  a side outside 1 … 2^20, bits outside 1 … 16, a negative group_size, more
///                        than 8 bits in INT8 arithmetic
FormatWork linear_work(GemmSides sides, WeightStorage storage, Arithmetic arithmetic);

/// Given: decode attention; it computes in FP16. Queries come and outputs go in FP32.
/// \param kv_bytes_per_token  of K and V in one layer, scales included (kv_budget); 1 … 2^24
/// \throws ContractError  heads, head_dim or tokens that are not as described above, or over 2^20
FormatWork attention_work(AttentionSides sides, std::int64_t kv_bytes_per_token);

/// \throws ContractError  bytes or FLOPs that are not as described above; see also check_device()
void check_prediction(const FormatWork& work, const ServedDevice& device);

/// \throws ContractError  a border that is NaN, low over high, margin or noise negative or endless
void check_claim(const Borders& borders, const Precision& precision);

/// \throws ContractError  a ratio that has no logarithm, or an expected verdict that is none
void check_predictions(std::span<const PredictedClaim> claims);

/// Given: the interval, grown by the noise at both ends.
Interval with_noise(const Interval& interval, double noise);

/// The exercise: these are written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// The time of an operation in a format, as a share of its time in FP16, which has a kernel on every
/// machine. Each pass over memory takes the longer of its loads and its arithmetic. Source: Williams,
/// Waterman, Patterson, "Roofline", CACM 52(4), 2009.
/// With kUnpackFirst there are two passes, one after the other: one reads the stored operand and
/// writes it as FP16, its arithmetic not counted; the other is the operation in FP16.
/// step_overhead_seconds belongs to a step of many operations and is not counted.
/// \throws ContractError  see check_prediction()
double predict_ratio(const FormatWork& work, KernelPath path, const ServedDevice& device);

/// What a measurement says of a claim. Each finite border moves towards the claimed side by margin
/// times its own size; the interval grows at both ends by noise times their sizes. Held when the
/// interval is then wholly on the claimed side, did not hold when wholly off it, and else not
/// measured, since the answer is inside the noise. So is an interval without its own value, or NaN.
/// \throws ContractError  see check_claim()
Outcome judge_interval(const Interval& interval, const Borders& borders, Precision precision);

/// The verdict that a predicted number leads to: it has no width and no noise, so it is on one side.
/// \throws ContractError  a prediction that is not finite; see also check_claim()
Outcome predict_outcome(double predicted, const Borders& borders, double margin);

/// Predictions against verdicts. What was not measured proves nobody wrong and surprises nobody.
/// Surprises go by |ln(measured / predicted)|, the largest first, equal ones in the order of claims.
/// \throws ContractError  see check_predictions()
PredictionScore score(std::span<const PredictedClaim> claims);

}  // namespace exercise

/// The same, given: the oracle. `./lab compare` judges its claims by this judge_interval().
double predict_ratio(const FormatWork& work, KernelPath path, const ServedDevice& device);
/// The same, given.
Outcome judge_interval(const Interval& interval, const Borders& borders, Precision precision);
/// The same, given.
Outcome predict_outcome(double predicted, const Borders& borders, double margin);
/// The same, given.
PredictionScore score(std::span<const PredictedClaim> claims);

}  // namespace qlab
