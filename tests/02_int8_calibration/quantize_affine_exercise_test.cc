// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise quantize_affine: parameters and codes are compared exactly, with an oracle
/// that tries every code.
#include "02_int8_calibration/quantize_affine.h"

#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "02_int8_calibration/quantize_affine_checks.h"
#include "02_int8_calibration/quantize_rows.h"
#include "02_int8_calibration/quantize_static.h"
#include "support/fenced.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kNormal = std::numeric_limits<float>::min();

TEST(QuantizeAffine, SpreadsTheRangeOver255Steps) {
  check_parameters("ranges on both sides of 0", {{-1, 3},
                                                 {3, -1},
                                                 {-128, 127},
                                                 {-0.25F, 0, 7},
                                                 {-100, 2, 3, 4},
                                                 {-kLargest / 4, kLargest / 2}});
}

TEST(QuantizeAffine, WidensTheRangeToHoldZero) {
  check_parameters("values on one side of 0",
                   {{0.5F, 6}, {6, 0.5F}, {-6, -0.5F}, {100, 101, 102}, {-3, -2}, {0, 6}, {-2, 0}});
}

TEST(QuantizeAffine, RoundsTheZeroPoint) {
  std::vector<std::vector<float>> rows;
  for (int steps = 1; steps < 255; steps += 7) {
    for (const float part : {0.25F, 0.75F}) {  // the scale is 2⁻³, exactly
      const float lo = -(static_cast<float>(steps) + part) / 8;
      rows.push_back({lo, 255.0F / 8 + lo});
    }
  }
  check_parameters("0 lies a quarter or three quarters of a step above a code", rows);
}

TEST(QuantizeAffine, GivesZerosTheScaleOne) {
  check_parameters("only zeros, or nothing", {{0}, {0, 0, 0}, {-0.0F, 0}, {}});
}

TEST(QuantizeAffine, KeepsTheScaleNormal) {
  check_parameters("(hi - lo) / 255 is subnormal, or just not",
                   {{kNormal}, {-kNormal}, {-kNormal / 2, 64 * kNormal}, {300 * kNormal}});
}

TEST(QuantizeAffine, GivesConstantRowsBack) {
  std::vector<Answer> answers;
  for (const float constant : {0.0F, 1.0F, -1.0F, 0.3F, -700.0F, 1e-30F}) {
    const std::vector<float> x(3, constant);
    const AffineScale p = exercise::affine_scale(x);
    const float code = codes_of("equal values", x, p)[2];
    const std::int8_t codes[] = {static_cast<std::int8_t>(code)};
    const std::string of = " of three times " + number_text(constant);
    answers.push_back({"the code" + of, code, constant > 0 ? 127.0 : -128.0});
    // 255 steps of c / 255: the division and the product round, 2⁻²⁴ each.
    answers.push_back(
        {"the value" + of, values_of(codes, p)[0], constant, std::fabs(constant) * 2.01 * 0x1p-24});
  }
  judge_answers("equal values", answers);
}

TEST(QuantizeAffine, AddsTheZeroPoint) {
  check_codes("whole numbers", {0, 1, 2, 3, -1, -2, -3}, {1, 10});
  check_codes("whole numbers", {0, 1, 2, 3, -1, -2, -3}, {1, -64});
}

TEST(QuantizeAffine, RoundsToTheNearest) {
  for (const std::int32_t zero_point : kZeroPoints) {
    check_codes("a quarter and three quarters of a step", quarters(-400, 400),
                {0.125F, zero_point});
    if (HasFailure()) return;  // one zero point is enough to read
  }
}

TEST(QuantizeAffine, RoundsTiesToEvenBeforeTheZeroPoint) {
  std::vector<float> ties;
  for (int n = -64; n < 64; ++n) ties.push_back((static_cast<float>(n) + 0.5F) / 8);
  check_codes("ties, even zero point", ties, {0.125F, 10});
  check_codes("ties, odd zero point", ties, {0.125F, -7});
}

TEST(QuantizeAffine, ClampsAfterTheZeroPoint) {
  // With zero point 100 the values run from -228 to 27 steps, with -100 from -28 to 227.
  const std::vector<float> x = {-300, -229, -228, -200, -129, 0, 26, 27, 28, 127, 200, 227, 228};
  check_codes("codes near both ends", x, {1, 100});
  check_codes("codes near both ends", x, {1, -100});
}

TEST(QuantizeAffine, UsesAll256Codes) {
  std::vector<float> x;
  for (int code = -128; code <= 127; ++code) x.push_back(static_cast<float>(code));
  check_codes("one value a code", x, {1, 0});
}

TEST(QuantizeAffine, ClipsWhatNoIntegerHolds) {
  const std::vector<float> x = signed_values({300, 3e9F, 1e19F, 1e30F, kLargest, kInfinity});
  check_codes("far outside the range", x, {1, -50});
  check_codes("x / scale overflows FP32", x, {kNormal, 50});
}

TEST(QuantizeAffine, GivesEveryCodeItsValue) {
  for (const std::int32_t zero_point : kZeroPoints) {
    check_values("every code", {0.1F, zero_point});
    if (HasFailure()) return;
  }
}

TEST(QuantizeAffine, CountsFromTheZeroPoint) {
  // Codes of 0 … 255 as in a uint8 are these with 128 added to code and zero point.
  const std::vector<float> low = values_of(codes_between(-128, 0), {0.3F, -90});
  const std::vector<float> high = values_of(codes_between(-1, 127), {0.3F, 37});
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < low.size(); ++i) {
    const int code = static_cast<int>(i) - 1;
    answers.push_back({"the value of code " + std::to_string(code) + ", zero point 37: that of " +
                           std::to_string(code - 127) + ", zero point -90",
                       high[i], low[i]});
  }
  judge_answers("codes and zero point moved by 127", answers);
}

TEST(QuantizeAffine, FindsTheCodeOfItsOwnValue) {
  const TestSeed seed;
  Random random(seed);
  for (int draw = 0; draw < 100; ++draw) {
    const AffineScale p{static_cast<float>(std::exp2(random.uniform(-100, 100))),
                        static_cast<std::int32_t>(random.below(256) - 128)};
    check_round_trip("codes to values to codes, seed " + std::to_string(seed), p);
    if (HasFailure()) return;
  }
}

TEST(QuantizeAffine, GivesZeroBackExactly) {
  const TestSeed seed;
  Random random(seed);
  std::vector<Answer> answers;
  for (int draw = 0; draw < 50; ++draw) {
    const std::vector<float> x = {0, static_cast<float>(random.normal()),
                                  static_cast<float>(random.normal() + 1)};
    const AffineScale p = exercise::affine_scale(x);
    const std::int8_t code[] = {static_cast<std::int8_t>(codes_of("zero", x, p)[0])};
    answers.push_back({"0 in x = " + list_text(x) + ", as code " + std::to_string(code[0]) +
                           " with " + text_of(p),
                       values_of(code, p)[0], 0});
  }
  judge_answers("zeros, seed " + std::to_string(seed), answers);
}

TEST(QuantizeAffine, ErrsByAtMostHalfAStep) {
  const TestSeed seed;
  Random random(seed);
  for (const double middle : {0.0, 1.0, -3.0, 20.0}) {
    std::vector<float> x(500);
    for (float& value : x) value = static_cast<float>(middle + random.normal());
    check_errors("normal values around " + number_text(middle) + ", seed " + std::to_string(seed),
                 x);
    if (HasFailure()) return;
  }
}

TEST(QuantizeAffine, IsSymmetricWithZeroPointZero) {
  std::vector<float> x = quarters(-508, 508);
  for (int n = -127; n < 127; ++n) x.push_back((static_cast<float>(n) + 0.5F) / 8);
  const auto n = static_cast<std::int64_t>(x.size());
  Matrix<std::int8_t> expected(1, n);
  quantize_static_ref({x.data(), 1, n, n}, 0.125F, expected.view());
  const std::vector<float> got = codes_of("zero point 0", x, {0.125F, 0});
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < x.size(); ++i) {
    answers.push_back({"the code of x / scale = " + number_text(x[i] * 8), got[i],
                       static_cast<double>(expected.data()[i])});
  }
  judge_answers("zero point 0, within ±127 steps: the codes of quantize_symmetric", answers);
}

TEST(QuantizeAffine, MatchesTheGoldenNumbers) {
  EXPECT_EQ(check_golden_ranges(), 7) << "golden/quantize_affine.csv cannot be read to its end";
}

TEST(QuantizeAffine, AgreesWithTheOracleOnManyValues) {
  const TestSeed seed;
  Random random(seed);
  for (const NamedValues& kind : kAllValues) {
    for (const std::int64_t n : {1, 7, 33, 1000}) {
      Matrix<float> x(1, n);
      fill(x.view(), kind.values, random);
      const std::string name = std::string(kind.name) + ", seed " + std::to_string(seed);
      const std::vector<float> values(x.data(), x.data() + n);
      const AffineScale p = affine_scale_ref(values);
      check_parameters(name, {values});
      check_codes(name, values, p);
      check_codes(name, values, {p.scale / 3, p.zero_point / 3});  // clips
      if (HasFailure()) return;
    }
  }
}

TEST(QuantizeAffine, GainsABitOnOneSidedValues) {
  const TestSeed seed;
  Random random(seed);
  constexpr std::int64_t kCount = 100'000;
  std::vector<float> x(kCount);
  for (float& value : x) value = std::max(0.0F, static_cast<float>(random.normal()));
  const AffineScale p = exercise::affine_scale(x);
  std::vector<std::int8_t> affine(kCount), symmetric(kCount);
  exercise::quantize_affine(x, p, affine);
  float scale = 0;
  quantize_rows_ref({x.data(), 1, kCount, kCount}, Granularity::kPerRow,
                    {symmetric.data(), 1, kCount, kCount}, &scale);
  double signal = 0, noise = 0, symmetric_noise = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    signal += double{x[i]} * x[i];
    noise += std::pow(double{p.scale} * (affine[i] - p.zero_point) - x[i], 2);
    symmetric_noise += std::pow(double{scale} * symmetric[i] - x[i], 2);
  }
  // Steps of 1/255 and 1/127 of the range. Each sum of 50,000 squared errors deviates by 0.4 %.
  const double ratio = 255.0 * 255 / (127 * 127);
  judge_answers("values after ReLU, seed " + std::to_string(seed),
                {{"mean square error of symmetric codes over that of yours",
                  static_cast<float>(symmetric_noise / noise), ratio, 0.04 * ratio}});
  std::ostringstream fact;
  fact.precision(3);
  fact << "100,000 values after ReLU keep " << 10 * std::log10(signal / noise)
       << " dB in your affine codes and " << 10 * std::log10(signal / symmetric_noise)
       << " dB in symmetric ones, which leave half of theirs unused.";
  RecordProperty("fact", fact.str());
}

TEST(QuantizeAffine, ReadsNothingOutsideItsInputs) {
  RecordProperty("guards", "a read past the end, which ends the program and is no mutant's output");
  const std::vector<float> x = {0, 1, 2, 255, 5};
  const Fenced<float> fenced({x.data(), 1, 5, 5});
  const AffineScale p = exercise::affine_scale(fenced.view().row(0, 0, 5));
  EXPECT_EQ(p.scale, 1);
  const std::vector<float> codes = codes_of("memory ends behind x", fenced.view().row(0, 0, 5), p);
  const std::vector<std::int8_t> bytes(codes.begin(), codes.end());
  const Fenced<std::int8_t> fenced_codes({bytes.data(), 1, 5, 5});
  EXPECT_EQ(values_of(fenced_codes.view().row(0, 0, 5), p), x);
}

TEST(QuantizeAffine, RefusesWhatItCannotScale) {
  RecordProperty("guards", "the checks above the regions, which are given");
  std::vector<float> x = {1, 2, 3, 4};
  std::vector<std::int8_t> codes(4), three(3);
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    x[2] = bad;
    expect_refused("x[2] is not finite", "affine_scale: x[2] is ",
                   [&] { exercise::affine_scale(x); });
  }
  x[2] = kNan;
  expect_refused("x[2] is NaN", "quantize_affine: x[2] is nan", [&] {
    exercise::quantize_affine(x, {1, 0}, codes);
  });
  x[2] = 3;
  for (const AffineScale& p : {AffineScale{0, 0}, {-1, 0}, {kNan, 0}, {1, 128}, {1, -129}}) {
    expect_refused("parameters that are none",
                   "quantize_affine: ", [&] { exercise::quantize_affine(x, p, codes); });
    expect_refused("parameters that are none",
                   "dequantize_affine: ", [&] { exercise::dequantize_affine(codes, p, x); });
  }
  expect_refused("3 codes for 4 values", "x has 4 values and codes has 3", [&] {
    exercise::quantize_affine(x, {1, 0}, three);
  });
  expect_refused("3 codes for 4 values", "x has 4 values and codes has 3", [&] {
    exercise::dequantize_affine(three, {1, 0}, x);
  });
  expect_refused("a range wider than FP32", "affine_scale: the range from ", [&] {
    exercise::affine_scale(std::vector<float>{kLargest, -kLargest});
  });
}

}  // namespace
}  // namespace qlab::test
