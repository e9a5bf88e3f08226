// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise tradeoff: ratios, borders and factors are powers of two or sums of a few
/// where the answer is exact; the claims of the reference machine come from golden data.
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <sstream>
#include <string>
#include <vector>

#include "05_serving/tradeoff_checks.h"
#include "common/random.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

constexpr Arithmetic kHalf = Arithmetic::kFp16, kInt8 = Arithmetic::kInt8;
constexpr Outcome kHeld = Outcome::kHeld, kFailed = Outcome::kDidNotHold,
                  kOpen = Outcome::kNotMeasured;

void ask_ratio(std::vector<Time>& times, const FormatWork& work, KernelPath path, double expected) {
  const auto& [stored, fp16, others, flops, arithmetic] = work;
  std::ostringstream what;
  what << stored << " of " << fp16 << " bytes, " << others << " others, " << flops << " FLOPs in "
       << (arithmetic == kInt8 ? "INT8" : "FP16")
       << (path == KernelPath::kUnpackFirst ? ", unpacked first" : "");
  times.push_back({what.str(), exercise::predict_ratio(work, path, kExactDevice), expected});
}

TEST(Tradeoff, PredictsFewerBytesWhereMemoryLimits) {
  std::vector<Time> times;
  const auto ask = [&](const FormatWork& work, double expected) {
    ask_ratio(times, work, KernelPath::kMadeForIt, expected);
  };
  ask({1024, 4096, 0, 1024, kHalf}, 0.25);
  ask({2048, 4096, 0, 1024, kInt8}, 0.5);
  ask({4096, 4096, 0, 1024, kHalf}, 1);
  // Inputs and outputs do not shrink, and scales may eat up all that codes save.
  ask({1024, 4096, 4096, 1024, kHalf}, 0.625);
  ask({5120, 4096, 0, 1024, kHalf}, 1.25);
  judge_times("few FLOPs for each byte", times, 0);
}

TEST(Tradeoff, PredictsWhatTheUnitsDoWhereArithmeticLimits) {
  std::vector<Time> times;
  const auto ask = [&](const FormatWork& work, double expected) {
    ask_ratio(times, work, KernelPath::kMadeForIt, expected);
  };
  // FP16 takes 2^-18 s to compute and 2^-20 s to load.
  ask({1024, 4096, 0, 1 << 22, kHalf}, 1);
  ask({2048, 4096, 0, 1 << 22, kInt8}, 0.5);
  ask({1024, 4096, 0, 1 << 22, kInt8}, 0.5);
  // Memory limits FP16, arithmetic the format: half the time, though a quarter of the bytes.
  ask({1024, 4096, 0, 1 << 19, kHalf}, 0.5);
  ask({1024, 4096, 0, 1 << 19, kInt8}, 0.25);
  judge_times("many FLOPs for each byte", times, 0);
}

TEST(Tradeoff, AddsAPassWithoutAKernel) {
  std::vector<Time> times;
  const auto ask = [&](const FormatWork& work, double expected) {
    ask_ratio(times, work, KernelPath::kUnpackFirst, expected);
  };
  ask({1024, 4096, 0, 1024, kHalf}, 2.25);
  ask({2048, 4096, 0, 1024, kHalf}, 2.5);
  ask({1024, 4096, 4096, 1024, kHalf}, 1.625);
  ask({1024, 4096, 0, 1 << 22, kHalf}, 1.3125);
  // The second pass is the product in FP16, whatever the format's own kernel would compute in.
  ask({2048, 4096, 0, 1 << 22, kInt8}, 1.375);
  judge_times("unpacked to FP16 in memory", times, 0);
}

TEST(Tradeoff, MatchesTheGoldenRatios) {
  const GoldenTradeoff golden = read_golden_tradeoff();
  std::vector<Time> times;
  for (const GoldenClaim& claim : golden.claims) {
    const auto of = [&](const GoldenClaim::Timed& timed) {
      return exercise::predict_ratio(timed.work, timed.path, golden.device);
    };
    times.push_back({claim.id, of(claim.above) / of(claim.below), claim.predicted});
  }
  judge_times("claims of the reference machine", times);
}

TEST(Tradeoff, JudgesTheWholeInterval) {
  std::vector<Judged> judged;
  const Borders below{.high = 1}, above{.low = 1}, within{0.5, 0.75, true};
  const auto ask = [&](const Borders& borders, const Interval& interval, Outcome expected) {
    ask_interval(judged, borders, interval, {}, expected);
  };
  ask(below, {0.75, 0.5, 0.875}, kHeld);
  ask(below, {1.5, 1.25, 2}, kFailed);
  ask(below, {0.75, 0.5, 1.25}, kOpen);
  ask(below, {1.25, 0.75, 1.5}, kOpen);
  ask(above, {1.5, 1.25, 2}, kHeld);
  ask(above, {0.75, 0.5, 0.875}, kFailed);
  ask(above, {1.25, 0.75, 1.5}, kOpen);
  ask(within, {0.625, 0.5625, 0.6875}, kHeld);
  ask(within, {0.25, 0.125, 0.375}, kFailed);
  ask(within, {1, 0.875, 1.5}, kFailed);
  ask(within, {0.625, 0.25, 1}, kOpen);
  // On the border.
  ask(below, {1, 1, 1}, kFailed);
  ask(above, {1, 1, 1}, kFailed);
  ask(below, {0.75, 0.5, 1}, kOpen);
  ask(within, {0.5, 0.5, 0.75}, kHeld);
  ask(within, {0.25, 0.25, 0.5}, kOpen);
  ask({16, 16, true}, {16, 16, 16}, kHeld);
  judge_outcomes("neither margin nor noise", judged);
}

TEST(Tradeoff, MovesBordersTowardsTheClaimedSide) {
  std::vector<Judged> judged;
  const auto ask = [&](const Borders& borders, double value, Outcome expected) {
    ask_interval(judged, borders, {value, value, value}, {.margin = 0.25}, expected);
  };
  ask({.high = 1}, 0.625, kHeld);
  ask({.high = 1}, 0.875, kFailed);
  ask({.high = 1}, 0.75, kFailed);
  ask({.low = 1}, 1.125, kFailed);
  ask({.low = 1}, 1.5, kHeld);
  ask({1, 4, true}, 1.125, kFailed);
  ask({1, 4, true}, 1.25, kHeld);
  ask({1, 4, true}, 3.5, kFailed);
  // Towards the claimed side is away from 0 for a negative upper border.
  ask({.high = -4}, -4.5, kFailed);
  ask({.high = -4}, -6, kHeld);
  ask({.low = -4}, -3.5, kFailed);
  ask({.low = -4}, -2, kHeld);
  ask({.low = 0}, 0.125, kHeld);
  judge_outcomes("margin 0.25", judged);
}

TEST(Tradeoff, GrowsTheIntervalByTheNoise) {
  std::vector<Judged> judged;
  const auto ask = [&](const Borders& borders, const Interval& interval, Outcome expected) {
    ask_interval(judged, borders, interval, {.noise = 0.25}, expected);
  };
  ask({.high = 1}, {0.875, 0.875, 0.9375}, kOpen);
  ask({.high = 1}, {0.625, 0.5, 0.75}, kHeld);
  ask({.high = 1}, {1.25, 1.125, 1.25}, kOpen);
  ask({.high = 1}, {2, 1.5, 3}, kFailed);
  ask({.low = 1}, {1.25, 1.25, 1.25}, kOpen);
  ask({.low = 1}, {2, 1.5, 3}, kHeld);
  ask({.high = -1}, {-1.25, -1.5, -1.125}, kOpen);
  ask({.high = -1}, {-2, -4, -1.5}, kHeld);
  judge_outcomes("noise 0.25", judged);
}

TEST(Tradeoff, AgreesWithTheJudgeOfCompare) {
  const TestSeed seed;
  Random random(seed);
  std::vector<Judged> judged;
  const auto eighths = [&](std::int64_t most) {
    return static_cast<double>(random.below(2 * most + 1) - most) / 8;
  };
  for (int i = 0; i < 400; ++i) {
    // Multiples of powers of two, so that no two roundings decide between verdicts.
    Borders borders;
    const std::int64_t kind = random.below(4);
    if (kind != 0) borders.low = eighths(16);
    if (kind == 0) borders.high = eighths(16);
    if (kind >= 2) borders.high = borders.low + static_cast<double>(random.below(16)) / 8;
    borders.closed = kind == 3;
    const double low = eighths(20), value = low + static_cast<double>(random.below(8)) / 8;
    const Interval interval{value, low, value + static_cast<double>(random.below(8)) / 8};
    const Precision precision{static_cast<double>(random.below(3)) / 8,
                              static_cast<double>(random.below(3)) / 8};
    ask_interval(judged, borders, interval, precision,
                 qlab::judge_interval(interval, borders, precision));
  }
  judge_outcomes("random claims, seed " + std::to_string(seed), judged);
}

TEST(Tradeoff, LeavesOpenWhatIsNoInterval) {
  RecordProperty("guards", "what stands above the marked code: an interval without its value");
  std::vector<Judged> judged;
  const double nan = std::nan("");
  for (const Interval& interval :
       {Interval{0.5, 0.625, 0.75}, Interval{0.5, 0.25, 0.375}, Interval{0.5, 0.75, 0.25},
        Interval{nan, nan, nan}, Interval{0.5, nan, 0.75}, Interval{0.5, 0.25, nan}}) {
    ask_interval(judged, {.high = 1}, interval, {}, kOpen);
  }
  ask_interval(judged, {.high = 1}, {0.5, 0.25, 0.75}, {}, kHeld);
  judge_outcomes("intervals that are none, and one that is", judged);
}

TEST(Tradeoff, PredictsOneSideOfEveryBorder) {
  std::vector<Judged> judged;
  const auto ask = [&](double predicted, const Borders& borders, double margin, Outcome expected) {
    judged.push_back(
        {text_of(borders) + ", predicted " + text_of(predicted) + ", margin " + text_of(margin),
         exercise::predict_outcome(predicted, borders, margin), expected});
  };
  ask(0.5, {.high = 1}, 0, kHeld);
  ask(1, {.high = 1}, 0, kFailed);
  ask(1, {1, 1, true}, 0, kHeld);
  ask(0.875, {.high = 1}, 0.25, kFailed);
  ask(1.125, {.low = 1}, 0.25, kFailed);
  ask(1.5, {.low = 1}, 0.25, kHeld);
  ask(0.625, {0.5, 0.75, true}, 0, kHeld);
  ask(0.75, {0.5, 0.75, true}, 0, kHeld);
  ask(0.875, {0.5, 0.75, true}, 0, kFailed);
  judge_outcomes("predictions by hand", judged);
}

TEST(Tradeoff, CountsOnlyWhatWasMeasured) {
  const double nan = std::nan("");
  std::vector<Time> times;
  ask_score(times, ", five claims",
            {{"C01", 0.5, kHeld, 0.5, kHeld},
             {"C02", 0.5, kHeld, 1, kFailed},
             {"C03", 2, kFailed, nan, kOpen},
             {"C04", 2, kFailed, 2, kFailed},
             {"C05", 4, kHeld, 64, kOpen}},
            {.right = 2, .wrong = 1, .not_measured = 2, .surprises = {{1, 2}, {0, 1}, {3, 1}}});
  ask_score(times, ", nothing measured", {{"C01", 1, kHeld, 0, kOpen}}, {.not_measured = 1});
  ask_score(times, ", no claim", {}, {});
  judge_times("counts", times);
}

TEST(Tradeoff, OrdersSurprisesByRatio) {
  std::vector<Time> times;
  // As differences the first would be the largest surprise and the second the least.
  ask_score(times, ", above and below",
            {{"C01", 8, kHeld, 16, kHeld},
             {"C02", 0.5, kHeld, 0.0625, kHeld},
             {"C03", 0.25, kFailed, 1, kHeld}},
            {.right = 2, .wrong = 1, .surprises = {{1, 8}, {2, 4}, {0, 2}}});
  ask_score(times, ", equally far off",
            {{"C01", 1, kHeld, 2, kHeld},
             {"C02", 1, kHeld, 0.5, kFailed},
             {"C03", 3, kHeld, 12, kHeld},
             {"C04", 5, kHeld, 10, kHeld}},
            {.right = 3, .wrong = 1, .surprises = {{2, 4}, {0, 2}, {1, 2}, {3, 2}}});
  judge_times("orders", times);
}

TEST(Tradeoff, RefusesWhatCannotBePredictedOrJudged) { check_tradeoff_refusals(); }

TEST(Tradeoff, PredictsTheReferenceMachine) {
  const GoldenTradeoff golden = read_golden_tradeoff();
  std::vector<PredictedClaim> claims;
  std::vector<Judged> judged;
  for (const GoldenClaim& claim : golden.claims) {
    const auto of = [&](const GoldenClaim::Timed& timed) {
      return exercise::predict_ratio(timed.work, timed.path, golden.device);
    };
    const double predicted = of(claim.above) / of(claim.below);
    claims.push_back({claim.id, predicted,
                      exercise::predict_outcome(predicted, claim.borders, claim.precision.margin),
                      claim.measured.value,
                      exercise::judge_interval(claim.measured, claim.borders, claim.precision)});
    judged.push_back({claim.id + ", predicted", claims.back().expected, claim.expected});
    judged.push_back({claim.id + ", measured", claims.back().verdict, claim.verdict});
  }
  judge_outcomes("verdicts of the reference machine", judged);
  std::vector<Time> times;
  ask_score(times, " of the reference machine", claims, golden.score);
  judge_times("score of the reference machine", times);

  const PredictionScore total = exercise::score(claims);
  std::ostringstream fact;
  fact << "The roofline predicts " << total.right << " of " << total.right + total.wrong
       << " verdicts about time on the reference machine.";
  const auto tell = [&](const char* name, bool right) {
    for (const auto& [index, factor] : total.surprises) {
      const PredictedClaim& claim = claims[index];
      if ((claim.verdict == claim.expected) != right) continue;
      fact << " " << name << " " << claim.id << ": " << std::setprecision(3) << claim.predicted
           << " times predicted, " << claim.measured << " measured.";
      return;
    }
  };
  tell("Of the wrong ones farthest off is", false);
  tell("Of the right ones", true);
  fact << " A roofline counts bytes; unpacking them is not free.";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
