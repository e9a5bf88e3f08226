// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise quantize_symmetric: scales and codes are compared exactly, with oracles that
/// try every code.
#include "02_int8_calibration/quantize_symmetric.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "02_int8_calibration/quantize_symmetric_checks.h"
#include "support/fenced.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kNormal = std::numeric_limits<float>::min();
constexpr float kLeast = std::numeric_limits<float>::denorm_min();

TEST(QuantizeSymmetric, DividesTheLargestMagnitudeBy127) {
  check_scales("by hand", {{127}, {1, 254, 3}, {0.5F, 1}, {63.5F}, {1, 2, 3, 4, 5, 6}, {kLargest}});
}

TEST(QuantizeSymmetric, TakesTheMagnitudeOfNegativeValues) {
  check_scales("the largest is negative",
               {{-127}, {-3, -1, -2}, {1, -254, 3}, {5, 4, -6}, {-kLargest, 1}});
}

TEST(QuantizeSymmetric, GivesZerosTheScaleOne) {
  check_scales("only zeros, or nothing", {{0}, {0, 0, 0}, {-0.0F, 0, -0.0F}, {}});
}

TEST(QuantizeSymmetric, KeepsTheScaleNormal) {
  check_scales("absmax / 127 is subnormal, or just not",
               {{kLeast}, {63 * kLeast}, {kNormal}, {126 * kNormal, 0}, {128 * kNormal}});
}

TEST(QuantizeSymmetric, ScalesSmallValuesLikeLargeOnes) {
  std::vector<std::vector<float>> rows;
  for (int exponent = -100; exponent <= 120; exponent += 20) {
    rows.push_back({std::ldexp(1.25F, exponent), std::ldexp(-0.3F, exponent)});
  }
  check_scales("1.25 · 2^-100 … 1.25 · 2^120", rows);
}

TEST(QuantizeSymmetric, RoundsToTheNearest) {
  std::vector<float> x;
  for (int n = 0; n < 127; ++n) {
    x.push_back((static_cast<float>(n) + 0.25F) / 8);
    x.push_back((static_cast<float>(n) + 0.75F) / 8);
  }
  check_codes("a quarter and three quarters of a step", signed_values(x), 0.125F);
}

TEST(QuantizeSymmetric, RoundsTiesToEven) {
  std::vector<float> x;
  for (int n = 0; n < 127; ++n) x.push_back((static_cast<float>(n) + 0.5F) / 8);
  check_codes("ties between two codes", signed_values(x), 0.125F);
}

TEST(QuantizeSymmetric, StopsAtMinus127) {
  // The scale is given: it need not be that of these values.
  check_codes("just outside the range", signed_values({127, 127.4F, 127.5F, 127.6F, 128, 129}), 1);
}

TEST(QuantizeSymmetric, ClipsBeforeItNarrows) {
  check_codes("outside the range", signed_values({150, 200, 255, 256, 300, 1000, 65536 + 5}), 1);
}

TEST(QuantizeSymmetric, ClipsWhatNoIntegerHolds) {
  const std::vector<float> x = signed_values({3e9F, 1e19F, 1e30F, kLargest, kInfinity});
  check_codes("far outside the range", x, 1);
  check_codes("x / scale overflows FP32", x, kNormal);
}

TEST(QuantizeSymmetric, DividesAndDoesNotMultiplyByTheReciprocal) {
  // (n + ½) · scale, rounded: divided by scale it is often the tie again, times 1 / scale not.
  const TestSeed seed;
  Random random(seed);
  for (int draw = 0; draw < 20; ++draw) {
    const auto scale = static_cast<float>(random.uniform(0.5, 1));
    std::vector<float> x;
    for (int n = -127; n < 127; ++n) x.push_back((static_cast<float>(n) + 0.5F) * scale);
    check_codes("near ties, seed " + std::to_string(seed), x, scale);
    if (HasFailure()) return;  // one scale is enough to read
  }
}

TEST(QuantizeSymmetric, GivesEveryCodeItsValue) {
  const std::vector<std::int8_t> codes = all_codes();
  for (const float scale : {1.0F, 0.1F, 0x1p-100F}) {
    const std::vector<float> values = values_of(codes, scale);
    std::vector<Answer> answers;
    for (std::size_t i = 0; i < codes.size(); ++i) {
      answers.push_back(
          {"the value of code " + std::to_string(codes[i]) + " with scale " + number_text(scale),
           values[i], scale * static_cast<float>(codes[i])});
    }
    judge_answers("every code", answers);
    if (HasFailure()) return;
  }
}

TEST(QuantizeSymmetric, FindsTheCodeOfItsOwnValue) {
  // code · scale and its division back err by less than 2⁻²² of the code, far from half a code.
  const std::vector<std::int8_t> codes = all_codes();
  const TestSeed seed;
  Random random(seed);
  for (int draw = 0; draw < 100; ++draw) {
    const auto scale = static_cast<float>(std::exp2(random.uniform(-100, 100)));
    const std::vector<float> got =
        codes_of("codes to values to codes", values_of(codes, scale), scale);
    std::vector<Answer> answers;
    for (std::size_t i = 0; i < codes.size(); ++i) {
      answers.push_back({"code " + std::to_string(codes[i]) + ", to a value and back, scale " +
                             number_text(scale),
                         got[i], static_cast<double>(codes[i])});
    }
    judge_answers("codes to values to codes, seed " + std::to_string(seed), answers);
    if (HasFailure()) return;
  }
}

TEST(QuantizeSymmetric, ErrsByAtMostHalfAStep) {
  const TestSeed seed;
  Random random(seed);
  const std::vector<float> x = normal_values(1000, random);
  const float scale = exercise::symmetric_scale(x);
  std::vector<std::int8_t> codes(x.size());
  exercise::quantize_symmetric(x, scale, codes);
  const std::vector<float> values = values_of(codes, scale);
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < x.size(); ++i) {
    // Half a step, and two roundings of at most 127 steps in FP32: the quotient and the product.
    answers.push_back({"x = " + number_text(x[i]) + ", which became code " +
                           std::to_string(codes[i]) + " with scale " + number_text(scale),
                       values[i], x[i], scale * (0.5 + 2 * 127 * 0x1p-24)});
  }
  judge_answers("normal values with their own scale, seed " + std::to_string(seed), answers);
}

TEST(QuantizeSymmetric, NegatesAndScalesAndReorders) {
  const TestSeed seed;
  Random random(seed);
  const std::vector<float> x = normal_values(100, random);
  std::vector<float> other(x.rbegin(), x.rend());
  for (float& value : other) value *= -0x1p10F;
  const std::string name = "-1024 times the values, in reverse, seed " + std::to_string(seed);
  const float scale = exercise::symmetric_scale(x);
  const std::vector<float> codes = codes_of(name, x, scale);
  const std::vector<float> others = codes_of(name, other, exercise::symmetric_scale(other));
  std::vector<Answer> answers = {
      {"the scale", exercise::symmetric_scale(other), 0x1p10 * double{scale}}};
  for (std::size_t i = 0; i < x.size(); ++i) {
    answers.push_back({"the code of " + number_text(other[i]) + ": minus that of " +
                           number_text(x[x.size() - 1 - i]),
                       others[i], -codes[x.size() - 1 - i]});
  }
  judge_answers(name, answers);
}

TEST(QuantizeSymmetric, QuantizesItsOwnValuesTheSame) {
  const TestSeed seed;
  Random random(seed);
  const std::string name = "values of codes, quantized again, seed " + std::to_string(seed);
  const std::vector<float> x = normal_values(200, random);
  const float scale = exercise::symmetric_scale(x);
  const std::vector<float> codes = codes_of(name, x, scale);
  const std::vector<float> values =
      values_of(std::vector<std::int8_t>(codes.begin(), codes.end()), scale);
  const float again = exercise::symmetric_scale(values);
  const std::vector<float> codes_again = codes_of(name, values, again);
  // The largest code is 127 or -127; its product with the scale rounds, and so does the division.
  std::vector<Answer> answers = {{"the scale of these values", again, scale, 0x1p-23 * scale}};
  for (std::size_t i = 0; i < x.size(); ++i) {
    answers.push_back({"the code of " + number_text(values[i]) + ", itself the value of a code",
                       codes_again[i], codes[i]});
  }
  judge_answers(name, answers);
}

TEST(QuantizeSymmetric, MatchesTheGoldenCodes) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/02_int8_calibration/golden/quantize_symmetric.csv");
  std::string line;
  ASSERT_TRUE(std::getline(file, line)) << "golden/quantize_symmetric.csv cannot be read";
  std::vector<Answer> answers;
  while (std::getline(file, line)) {
    std::istringstream cells(line);
    std::string x, scale, code;
    for (std::string* cell : {&x, &scale, &code}) std::getline(cells, *cell, ',');
    const float value = std::stof(x);
    answers.push_back({"the code of x = " + x + " with scale " + scale,
                       codes_of("golden", {&value, 1}, std::stof(scale))[0], std::stod(code)});
  }
  ASSERT_EQ(answers.size(), 23u);
  judge_answers("golden codes", answers);
}

TEST(QuantizeSymmetric, AgreesWithTheOracleOnManyValues) {
  const TestSeed seed;
  Random random(seed);
  for (const NamedValues& kind : kAllValues) {
    for (const std::int64_t n : {1, 7, 33, 1000}) {
      Matrix<float> x(1, n);
      fill(x.view(), kind.values, random);
      const std::string name = std::string(kind.name) + ", seed " + std::to_string(seed);
      const std::vector<float> values(x.data(), x.data() + n);
      check_scales(name, {values});
      check_codes(name, values, scale_ref(values));
      check_codes(name, values, scale_ref(values) / 4);  // clips
      if (HasFailure()) return;
    }
  }
}

TEST(QuantizeSymmetric, PaysForAnOutlierWithEveryStep) {
  const TestSeed seed;
  Random random(seed);
  std::vector<float> x = normal_values(100'000, random);
  double signal = 0;
  for (const float value : x) signal += double{value} * value;
  std::vector<Answer> answers;
  const auto decibels = [&](const std::string& what) {
    const float scale = exercise::symmetric_scale(x);
    std::vector<std::int8_t> codes(x.size());
    exercise::quantize_symmetric(x, scale, codes);
    double noise = 0;  // of the normal values alone
    for (std::size_t i = 0; i < 100'000; ++i) {
      noise += std::pow(double{scale} * codes[i] - x[i], 2);
    }
    // Errors spread evenly over a step have a mean square of 1/12; its own deviation is 0.3 % for
    // 100,000 values, and 2 % leaves six of them for chance.
    answers.push_back({what + ": mean square error in steps²",
                       static_cast<float>(noise / 1e5 / scale / scale), 1.0 / 12, 0.02 / 12});
    return 10 * std::log10(signal / noise);
  };
  const double alone = decibels("100,000 normal values");
  x.push_back(60);
  const double beside = decibels("the same beside a value of 60");
  judge_answers("normal values, seed " + std::to_string(seed), answers);
  std::ostringstream fact;
  fact.precision(3);
  fact << "100,000 normal values keep " << alone
       << " dB in your INT8 codes. Beside one value of 60 "
       << "they keep " << beside << " dB: it stretches everybody's step.";
  RecordProperty("fact", fact.str());
}

TEST(QuantizeSymmetric, ReadsNothingOutsideItsInputs) {
  RecordProperty("guards", "a read past the end, which ends the program and is no mutant's output");
  const std::vector<float> x = {3, -1, 2, 127, 5};
  const Fenced<float> fenced(one_row(x));
  EXPECT_EQ(exercise::symmetric_scale(fenced.view().row(0, 0, 5)), 1);
  EXPECT_EQ(codes_of("memory ends behind x", fenced.view().row(0, 0, 5), 1), x);
  const std::vector<std::int8_t> codes = {3, -1, 2, 127, 5};
  const Fenced<std::int8_t> fenced_codes({codes.data(), 1, 5, 5});
  EXPECT_EQ(values_of(fenced_codes.view().row(0, 0, 5), 1), x);
}

TEST(QuantizeSymmetric, RefusesWhatItCannotScale) {
  RecordProperty("guards", "the checks above the regions, which are given");
  std::vector<float> x = {1, 2, 3, 4};
  std::vector<std::int8_t> codes(4), three(3);
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    x[2] = bad;
    expect_refused("x[2] is not finite", "symmetric_scale: x[2] is ",
                   [&] { exercise::symmetric_scale(x); });
  }
  x[2] = kNan;
  expect_refused("x[2] is NaN", "quantize_symmetric: x[2] is nan",
                 [&] { exercise::quantize_symmetric(x, 1, codes); });
  x[2] = 3;
  expect_refused("3 codes for 4 values", "x has 4 values and codes has 3",
                 [&] { exercise::quantize_symmetric(x, 1, three); });
  expect_refused("3 codes for 4 values", "x has 4 values and codes has 3",
                 [&] { exercise::dequantize_symmetric(three, 1, x); });
  for (const float scale : {0.0F, -1.0F, kNan, kInfinity, kNormal / 2}) {
    expect_refused("a scale that is none", "quantize_symmetric: scale is ",
                   [&] { exercise::quantize_symmetric(x, scale, codes); });
    expect_refused("a scale that is none", "dequantize_symmetric: scale is ",
                   [&] { exercise::dequantize_symmetric(codes, scale, x); });
  }
  EXPECT_EQ(exercise::symmetric_scale(x), 4.0F / 127) << "the values are finite again";
}

}  // namespace
}  // namespace qlab::test
