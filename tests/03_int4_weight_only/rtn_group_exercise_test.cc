// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise rtn_group: scales, zero points and codes are compared exactly, with an oracle
/// that tries every code.
#include "03_int4_weight_only/rtn_group.h"

#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "03_int4_weight_only/rtn_group_checks.h"
#include "03_int4_weight_only/rtn_group_refusals.h"
#include "support/fenced.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

constexpr std::int64_t kLongest = std::numeric_limits<std::int64_t>::max();

TEST(RtnGroup, GivesSevenStepsToTheLargestMagnitude) {
  check_groups("symmetric ranges", kSymmetric,
               {{7, -3, 1, 0}, {-7, 3, 1, 0}, {-3.5F, 0.5F}, {14, 2, -28, 4}, {0.1F, 0.7F, -0.2F}});
}

TEST(RtnGroup, GivesFifteenStepsToTheWholeRange) {
  check_groups("asymmetric ranges", kAsymmetric,
               {{-3, 0, 1, 12}, {12, -3}, {-7.5F, 7.5F, 1}, {-1, 0.25F, 0.4F}, {30, -30, 3, 8}});
}

TEST(RtnGroup, WidensTheRangeToHoldZero) {
  check_groups("weights on one side of 0", kAsymmetric,
               {{10, 15, 11}, {-10, -15, -11}, {0.5F, 1}, {-2, -3}, {100, 101, 102}});
}

TEST(RtnGroup, RoundsTheZeroPoint) {
  std::vector<std::vector<float>> groups;
  for (int steps = 0; steps < 15; ++steps) {
    for (const float part : {0.25F, 0.5F, 0.75F}) {  // the scale is 2⁻³, exactly
      const float low = (static_cast<float>(steps) + part) / 8;
      groups.push_back({-low, 15.0F / 8 - low, 0.25F});
    }
  }
  check_groups("zero points between two codes", kAsymmetric, groups);
}

TEST(RtnGroup, KeepsTheZeroPointWithinTheCodes) {
  // 22 / 15 of the smallest FP16 number rounds down to it: the range has 22 of its steps.
  check_groups("scales that FP16 rounds by much", kAsymmetric,
               {{-22 * 0x1p-24F, 0, -0x1p-24F}, {-21 * 0x1p-24F, 0x1p-24F}, {-1, -2, -15}});
}

TEST(RtnGroup, RoundsTiesToEven) {
  for (const Int4Range range : kBoth) {
    // Out of order: a code that is one too high would be told as its neighbour's.
    std::vector<float> group = {range == kSymmetric ? -7.0F / 8 : 12.0F / 8, -3.0F / 8};
    for (const int steps : {0, 5, 2, -2, 3, 1, -3, 4, -1}) {
      group.push_back((static_cast<float>(steps) + 0.5F) / 8);
    }
    check_groups("halves of a step", range, {group});
  }
}

TEST(RtnGroup, ClampsBothEnds) {
  check_groups("both ends round outwards", kAsymmetric, {{-7.5F, 7.5F}, {-2.5F, 12.5F}});
  check_groups("scales that FP16 rounds by much", kSymmetric,
               {{-10 * 0x1p-24F, 0x1p-24F}, {10 * 0x1p-24F, -9 * 0x1p-24F}});
  check_groups("scales that FP16 rounds by much", kAsymmetric, {{22 * 0x1p-24F, 0, 0x1p-24F}});
}

TEST(RtnGroup, RoundsWithTheScaleThatIsStored) {
  // FP16 has steps of 2 there: 2049 is a tie and goes to 2048. 15361 / 2048 is above the tie 7.5, and
  // 15361 / 2049 below it; likewise for 3.5.
  check_groups("scales of 2049", kAsymmetric,
               {{0, 15 * 2049, 15361}, {-15 * 2049, 0, -15361}, {-7169, 15 * 2049 - 7169, 1}});
  check_groups("scales of 2049", kSymmetric, {{7 * 2049, 7169, -7169, 100}});
}

TEST(RtnGroup, GivesZerosBackExactly) {
  for (const Int4Range range : kBoth) {
    check_groups("zeros", range, {{0, -0.0F, 0}, {0}});
    const TestSeed seed;
    Random random(seed);
    std::vector<Answer> answers;
    for (int draw = 0; draw < 50; ++draw) {
      const float middle = static_cast<float>(2 * (draw % 3) - 2);  // -2, 0, 2
      const Operand<float> weight = matrix_of({{static_cast<float>(random.normal()) + middle, 0,
                                                static_cast<float>(random.normal()) + middle}});
      const Quantized got = quantized(weight.view(), 3, range);
      answers.push_back({"0 in " + list_text({weight.view().row(0), 3}) + ", as code " +
                             std::to_string(got.codes(0, 1)) + " with zero point " +
                             std::to_string(got.zero_of(0, 1)),
                         static_cast<float>(got.value(0, 1)), 0});
    }
    judge_answers("zeros among others, seed " + std::to_string(seed), answers);
  }
}

TEST(RtnGroup, GivesAShortLastGroupItsOwnScale) {
  for (const Int4Range range : kBoth) {
    check_rtn("weights that grow along a row", growing_rows(3, 9).view(), 4, range);
    check_rtn("weights that grow along a row", growing_rows(2, 100).view(), 32, range);
    check_rtn("weights that grow along a row", growing_rows(3, 8).view(), kLongest, range);
  }
}

TEST(RtnGroup, TreatsEachGroupOnItsOwn) {
  const TestSeed seed;
  Random random(seed);
  for (const Int4Range range : kBoth) {
    Operand<float> weight(3, 45);
    fill(weight.view(), Values::kNormal, random);
    Quantized expected = quantized(weight.view(), 16, range);
    Quantized alone(1, 16, 16);
    weight.view()(1, 20) = 50;  // group 1 of row 1: all else stays
    const MatrixView<const float> group(weight.view().row(1) + 16, 1, 16, 16);
    rtn_group_ref(group, 16, range, alone.view());
    for (std::int64_t k = 0; k < 16; ++k) expected.codes(1, 16 + k) = alone.codes(0, k);
    expected.scale(1, 1) = alone.scale(0, 0);
    expected.zero_point(1, 1) = alone.zero_point(0, 0);
    judge_rtn("all as before but group 1 of row 1, which got an outlier", weight.view(), range,
              quantized(weight.view(), 16, range), expected);
  }
}

TEST(RtnGroup, FindsTheCodesOfItsOwnValues) {
  const TestSeed seed;
  Random random(seed);
  for (int draw = 0; draw < 1000; ++draw) {
    const half_t scale = from_float<half_t>(static_cast<float>(std::exp2(random.uniform(-14, 15))));
    for (const Int4Range range : kBoth) {
      const int zero = range == kSymmetric ? 0 : static_cast<int>(random.below(16));
      check_own_values("values of every code, seed " + std::to_string(seed), range, scale, zero);
    }
    if (HasFailure()) return;
  }
}

TEST(RtnGroup, ErrsByAtMostHalfAStep) {
  const TestSeed seed;
  Random random(seed);
  for (const Int4Range range : kBoth) {
    for (const double middle : {0.0, 1.0, -3.0}) {
      Operand<float> weight(4, 70);
      fill(weight.view(), Values::kNormal, random);
      for (std::int64_t n = 0; n < 4; ++n) {
        for (std::int64_t k = 0; k < 70; ++k) weight.view()(n, k) += static_cast<float>(middle);
      }
      check_errors(
          "normal weights around " + number_text(middle) + ", seed " + std::to_string(seed),
          weight.view(), 32, range);
      if (HasFailure()) return;
    }
  }
}

TEST(RtnGroup, NeverGivesAPartALargerScaleThanTheWhole) {
  const TestSeed seed;
  Random random(seed);
  Operand<float> weight(4, 96);
  fill(weight.view(), Values::kLogUniform, random);
  std::vector<Answer> answers;
  for (const Int4Range range : kBoth) {
    const Quantized fine = quantized(weight.view(), 8, range);
    const Quantized coarse = quantized(weight.view(), 32, range);
    for (std::int64_t n = 0; n < 4; ++n) {
      for (std::int64_t g = 0; g < 3; ++g) {
        float largest = 0;
        for (std::int64_t i = 0; i < 4; ++i) {
          largest = std::max(largest, to_float(fine.scale(n, 4 * g + i)));
        }
        // The largest magnitude of a whole is that of one of its parts; a range is at least as wide
        // as any of theirs.
        const float whole = to_float(coarse.scale(n, g));
        answers.push_back({std::string(range == kSymmetric ? "symmetric" : "asymmetric") +
                               ": the largest of four scales of 8 weights, row " +
                               std::to_string(n) + ", where their 32 have one of " +
                               number_text(whole),
                           largest, range == kSymmetric ? whole : std::min(largest, whole)});
      }
    }
  }
  judge_answers("parts and wholes, seed " + std::to_string(seed), answers);
}

TEST(RtnGroup, MatchesTheGoldenNumbers) {
  EXPECT_EQ(check_golden_groups(), 6) << "golden/rtn_group.txt cannot be read to its end";
}

TEST(RtnGroup, AgreesWithQuantizeInt4Rtn) {
  const TestSeed seed;
  Random random(seed);
  Operand<float> weight(5, 203);
  fill(weight.view(), Values::kOutlierChannel, random);
  const Int4Matrix packed = quantize_int4_rtn(weight.view(), 64);
  Quantized expected(5, 203, 64);
  expected.scale = packed.scale;
  expected.zero_point = packed.zero_point;
  for (std::int64_t n = 0; n < 5; ++n) {
    for (std::int64_t k = 0; k < 203; ++k) {
      expected.codes(n, k) = static_cast<std::int8_t>(packed.view().code(n, k));
    }
  }
  judge_rtn("the codes that the lab's own model runs with, seed " + std::to_string(seed),
            weight.view(), kAsymmetric, quantized(weight.view(), 64, kAsymmetric), expected);
}

TEST(RtnGroup, AgreesWithTheOracleOnManyWeights) {
  const TestSeed seed;
  Random random(seed);
  for (const NamedValues& kind : kAllValues) {
    for (const auto& [N, K] : {std::pair{1, 1}, {3, 45}, {2, 96}}) {
      for (const std::int64_t group_size : {1, 7, 32, 96}) {
        Operand<float> weight(N, K);
        fill(weight.view(), kind.values, random);
        for (const Int4Range range : kBoth) {
          check_rtn(std::string(kind.name) + ", seed " + std::to_string(seed), weight.view(),
                    group_size, range);
        }
        if (HasFailure()) return;
      }
    }
  }
}

TEST(RtnGroup, BuysAccuracyWithSmallGroups) {
  const TestSeed seed;
  Random random(seed);
  constexpr std::int64_t kMatrices = 64, kSizes[] = {128, 64, 32};
  double signal = 0, error[3] = {}, symmetric_error = 0, difference[2] = {}, square[2] = {};
  for (std::int64_t i = 0; i < kMatrices; ++i) {
    Operand<float> weight(4, 256);
    fill(weight.view(), Values::kNormal, random);
    double of_this[3];
    for (std::size_t s = 0; s < 3; ++s) {
      of_this[s] = squared_error(weight.view(), quantized(weight.view(), kSizes[s], kAsymmetric));
      error[s] += of_this[s];
    }
    for (std::size_t s = 0; s < 2; ++s) {
      difference[s] += of_this[s] - of_this[s + 1];
      square[s] += std::pow(of_this[s] - of_this[s + 1], 2);
    }
    symmetric_error += squared_error(weight.view(), quantized(weight.view(), 32, kSymmetric));
    signal += squared_error(weight.view(), Quantized(4, 256, 256));
  }
  // Fewer weights in a group have a smaller range, on average. 64 paired differences, in deviations
  // of their mean: 4 or more do not come by chance.
  std::vector<Answer> answers;
  for (std::size_t s = 0; s < 2; ++s) {
    const double mean = difference[s] / kMatrices;
    const double deviation = std::sqrt((square[s] / kMatrices - mean * mean) / (kMatrices - 1));
    const double t = mean / deviation;
    answers.push_back({"how surely groups of " + std::to_string(kSizes[s]) + " err more than of " +
                           std::to_string(kSizes[s + 1]) + ", in deviations (4 or more)",
                       static_cast<float>(t), std::max(t, 4.0), 1e-3 * std::abs(t)});
  }
  // A step of the symmetric range is max|w| / 7; of the other one (max - min) / 15. For normal
  // weights both sides reach about equally far, max|w| ≥ (max - min) / 2: at least 15 / 14 as wide.
  answers.push_back({"the error of symmetric codes over that of asymmetric ones, 1.15 or more",
                     static_cast<float>(symmetric_error / error[2]),
                     std::max(symmetric_error / error[2], 15.0 * 15 / (14 * 14)), 1e-3});
  judge_answers("64 matrices of normal weights, seed " + std::to_string(seed), answers);
  const auto decibels = [&](double noise) { return 10 * std::log10(signal / noise); };
  // Of a file: 16 for a group's scale, 4 for its zero point.
  const auto bits = [](double group_size, double of_group) { return 4 + of_group / group_size; };
  std::ostringstream fact;
  fact.precision(3);
  fact << "Normal weights keep " << decibels(error[0]) << ", " << decibels(error[1]) << " and "
       << decibels(error[2]) << " dB in groups of 128, 64 and 32, at " << bits(128, 20) << ", "
       << bits(64, 20) << " and " << bits(32, 20)
       << " bits a weight; symmetric codes in groups of 32 keep " << decibels(symmetric_error)
       << " dB at " << bits(32, 16) << ".";
  RecordProperty("fact", fact.str());
}

TEST(RtnGroup, ReadsNothingOutsideItsInputs) {
  RecordProperty("guards", "a read past the end, which ends the program and is no mutant's output");
  const TestSeed seed;
  Random random(seed);
  for (const std::int64_t K : {0, 1, 7, 32, 33}) {
    Operand<float> weight(3, K);
    fill(weight.view(), Values::kNormal, random);
    const Fenced<float> fenced(weight.view());
    for (const Int4Range range : kBoth)
      check_rtn("memory ends behind weight", fenced.view(), 8, range);
  }
}

TEST(RtnGroup, RefusesWhatHasNoCode) {
  RecordProperty("guards", "the checks above and between the regions, which are given");
  check_rtn_group_refusals();
}

}  // namespace
}  // namespace qlab::test
