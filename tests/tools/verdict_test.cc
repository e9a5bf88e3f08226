// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the judgement: an interval on the claimed side, on the other, on the border, in the margin.
#include "lab/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <string>

namespace qlab::test {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();

struct Case {
  const char* name;
  const char* predicate;
  Interval interval;
  double margin;
  double noise;
  Outcome outcome;
};

class Judge : public testing::TestWithParam<Case> {};

TEST_P(Judge, DecidesByTheWholeInterval) {
  const Case& c = GetParam();
  const ClaimVerdict verdict =
      judge(parse_predicate(c.predicate), Measurement{c.interval, c.margin, c.noise});
  EXPECT_EQ(verdict.outcome, c.outcome) << verdict.reason;
  const std::string name = c.name;
  const bool in_margin = name == "WithinTheMarginIsNoGain" || name == "GreaterWithinTheMargin";
  if (in_margin) {
    EXPECT_EQ(verdict.reason, "inside the margin of 2 %");
  }
  EXPECT_EQ(verdict.reason.empty(), c.outcome != Outcome::kNotMeasured && !in_margin);
}

INSTANTIATE_TEST_SUITE_P(
    , Judge,
    testing::Values(
        Case{"BelowTheBorderHolds", "< 1", {0.8, 0.7, 0.9}, 0, 0, Outcome::kHeld},
        Case{"AboveTheBorderDoesNot", "< 1", {1.2, 1.1, 1.3}, 0, 0, Outcome::kDidNotHold},
        Case{"AStraddleDecidesNothing", "< 1", {0.97, 0.9, 1.04}, 0, 0, Outcome::kNotMeasured},
        Case{"TheBorderItselfIsNotBelowIt", "< 1", {1, 1, 1}, 0, 0, Outcome::kDidNotHold},
        Case{"WithinTheMarginIsNoGain", "< 1", {0.985, 0.982, 0.99}, 0.02, 0, Outcome::kDidNotHold},
        Case{"BeyondTheMarginIs", "< 1", {0.95, 0.94, 0.96}, 0.02, 0, Outcome::kHeld},
        Case{"AStraddleOfTheMarginDecidesNothing",
             "< 1",
             {0.98, 0.97, 0.99},
             0.02,
             0,
             Outcome::kNotMeasured},
        Case{"GreaterMirrorsLess", "> 1", {1.2, 1.1, 1.3}, 0.02, 0, Outcome::kHeld},
        Case{"GreaterWithinTheMargin", "> 1", {1.01, 1.005, 1.015}, 0.02, 0, Outcome::kDidNotHold},
        Case{"GreaterThanZeroHasNoMargin", "> 0", {0.1, 0.05, 0.2}, 0.02, 0, Outcome::kHeld},
        Case{"ZeroIsNotGreater", "> 0", {0, 0, 0}, 0, 0, Outcome::kDidNotHold},
        Case{"NegativeBorders", "< -0.25", {-2, -2.5, -1.5}, 0.02, 0, Outcome::kHeld},
        Case{"ABandHoldsOnItsBorders", "within 16 … 16", {16, 16, 16}, 0, 0, Outcome::kHeld},
        Case{"ABandIsLeftBelow", "within 0.5 … 0.52", {0.4, 0.4, 0.4}, 0, 0, Outcome::kDidNotHold},
        Case{"ABandIsLeftAbove", "within 0.5 … 0.52", {0.6, 0.6, 0.6}, 0, 0, Outcome::kDidNotHold},
        Case{"AWideIntervalDecidesNothingAboutABand",
             "within -0.02 … 0.02",
             {0, -0.03, 0.03},
             0,
             0,
             Outcome::kNotMeasured},
        Case{
            "NoiseWidensWhatWouldHold", "< 1", {0.9, 0.85, 0.95}, 0.02, 0.1, Outcome::kNotMeasured},
        Case{
            "NoiseLeavesWhatIsFarFromTheBorder", "< 1", {0.5, 0.4, 0.6}, 0.02, 0.1, Outcome::kHeld},
        Case{"NoiseWidensWhatWouldNotHold",
             "< 1",
             {1.05, 1.02, 1.1},
             0.02,
             0.1,
             Outcome::kNotMeasured},
        Case{"NoiseDecidesNoBand",
             "within 0.4 … 0.67",
             {0.5, 0.45, 0.65},
             0,
             0.1,
             Outcome::kNotMeasured},
        Case{"NaNIsNeverHeld", "< 1", {kNan, kNan, kNan}, 0, 0, Outcome::kNotMeasured},
        Case{"NaNEndIsNeverHeld", "< 1", {0.5, kNan, 0.6}, 0, 0, Outcome::kNotMeasured}),
    [](const auto& test_info) { return test_info.param.name; });

Claim claim_about(const std::string& measure) {
  return {.id = "C01", .measure = measure, .holds = parse_predicate("< 1")};
}

TEST(JudgeClaim, GivesTheReasonOfWhatWasNotMeasured) {
  const ClaimVerdict verdict = judge(claim_about("kl(a)"), {{"kl(a)", NotMeasured{"no memory"}}});
  EXPECT_EQ(verdict.outcome, Outcome::kNotMeasured);
  EXPECT_EQ(verdict.reason, "no memory");
}

TEST(JudgeClaim, RefusesAMeasureThatNothingMeasures) {
  EXPECT_THAT(
      [] {
        judge(claim_about("kl(b)"), {{"kl(a)", NotMeasured{}}});
      },
      testing::ThrowsMessage<std::logic_error>(
          testing::HasSubstr("C01 measures `kl(b)`, which nothing measures")));
}

TEST(Verdict, AnEndlessIntervalStaysEndless) {
  const double inf = std::numeric_limits<double>::infinity();
  const ClaimVerdict verdict =
      judge(parse_predicate("within 2 … 256"), Measurement{.interval = {8, 4, inf}, .noise = 0});
  EXPECT_EQ(verdict.outcome, Outcome::kNotMeasured);
  EXPECT_EQ(verdict.reason, "inside the noise: 4 … inf");
}

}  // namespace
}  // namespace qlab::test
