// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of quantize_rows: every rung against the oracle, bit for bit, and the invariants of a
/// symmetric quantizer.
#include "02_int8_calibration/quantize_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "support/fenced.h"
#include "support/guarded.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

constexpr Granularity kBoth[] = {Granularity::kPerRow, Granularity::kPerTensor};
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

using Run = decltype(quantize_rows_v1_scalar);

class QuantizeRows : public testing::TestWithParam<Rung<Run>> {
 protected:
  void SetUp() override {
    if (GetParam().needs > best_isa()) {
      GTEST_SKIP() << "needs " << isa_name(GetParam().needs) << ", this processor has "
                   << isa_name(best_isa());
    }
  }
};
INSTANTIATE_TEST_SUITE_P(, QuantizeRows, testing::ValuesIn(kQuantizeRowsRungs),
                         [](const auto& rung) { return std::string(rung.param.name); });

struct Quantized {
  Quantized(std::int64_t rows, std::int64_t cols, unsigned char poison = 0xA5)
      : codes(rows, cols, poison), scale(1, rows) {}
  Guarded<std::int8_t> codes;
  Guarded<float> scale;

  std::vector<int> row(std::int64_t r) const {
    const std::int8_t* const first = codes.view().row(r);
    return {first, first + codes.view().cols()};
  }
  float scale_of(std::int64_t r) const { return scale.view()(0, r); }
};

Quantized run(Run* rung, MatrixView<const float> x, Granularity granularity, int threads = 1,
              unsigned char poison = 0xA5) {
  Quantized out(x.rows(), x.cols(), poison);
  ThreadPool pool(threads);
  rung(x, granularity, out.codes.view(), out.scale.view().row(0), pool);
  return out;
}

Quantized run_one_row(Run* rung, const std::vector<float>& x) {
  const auto K = static_cast<std::int64_t>(x.size());
  return run(rung, {x.data(), 1, K, K}, Granularity::kPerRow);
}

/// \param of  names the case
void expect_same(const Quantized& got, const Quantized& expected, const std::string& of) {
  for (std::int64_t r = 0; r < got.codes.view().rows(); ++r) {
    ASSERT_EQ(got.scale_of(r), expected.scale_of(r)) << of << ": scale of row " << r;
    for (std::int64_t k = 0; k < got.codes.view().cols(); ++k) {
      ASSERT_EQ(int{got.codes.view()(r, k)}, int{expected.codes.view()(r, k)})
          << of << ": code [" << r << ", " << k << "], scale " << expected.scale_of(r);
    }
  }
}

TEST_P(QuantizeRows, MatchesPaperAndPencil) {
  const struct {
    std::vector<float> x;
    float scale;
    std::vector<int> codes;
    const char* lesson;
  } cases[] = {
      {{127, 0.5, 1.5, 2.5, -0.5, -1.5}, 1, {127, 0, 2, 2, 0, -2}, "ties go to the even code"},
      {{0.25, 0.75, -1.25, -63.5}, 0.5, {0, 2, -2, -127}, "the largest may be negative"},
      {{0, -0.0, 0}, 1, {0, 0, 0}, "zeros have a scale that divides"},
      {{254}, 2, {127}, "one value is its own largest"},
      {{1, 1, 1}, 1.0F / 127, {127, 127, 127}, "equal values are the end of the range"},
  };
  for (const auto& c : cases) {
    const Quantized out = run_one_row(GetParam().run, c.x);
    EXPECT_EQ(out.scale_of(0), c.scale) << c.lesson;
    EXPECT_EQ(out.row(0), c.codes) << c.lesson;
  }
}

TEST_P(QuantizeRows, MatchesTheOracleBitForBit) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : kGemmShapes) {
    for (const NamedValues& values : kAllValues) {
      for (const Granularity granularity : kBoth) {
        Operand<float> x(shape.M, shape.K);
        fill(x.view(), values.values, random);
        Quantized expected(shape.M, shape.K);
        quantize_rows_ref(x.view(), granularity, expected.codes.view(),
                          expected.scale.view().row(0));
        const std::string of = std::string(values.name) + " " + std::to_string(shape.M) + " x " +
                               std::to_string(shape.K);
        expect_same(run(GetParam().run, x.view(), granularity), expected, of);
      }
    }
  }
}

TEST_P(QuantizeRows, DividesNearTiesWhereAReciprocalWouldNot) {
  // (n + ½) · scale, rounded: divided by scale it is often the tie again, times 1 / scale not.
  const TestSeed seed;
  Random random(seed);
  for (int draw = 0; draw < 100; ++draw) {
    const auto scale = static_cast<float>(random.uniform(0.5, 1));
    std::vector<float> x = {127 * scale};
    for (int n = -127; n < 127; ++n) x.push_back((static_cast<float>(n) + 0.5F) * scale);
    Quantized expected(1, 255);
    quantize_rows_ref({x.data(), 1, 255, 255}, Granularity::kPerRow, expected.codes.view(),
                      expected.scale.view().row(0));
    expect_same(run_one_row(GetParam().run, x), expected, "ties of " + std::to_string(scale));
  }
}

TEST_P(QuantizeRows, GivesARowThatIsNotFiniteAScaleThatIsNotAndNoCodes) {
  const float data[] = {1, kNan, 127, 1};
  const Quantized out = run(GetParam().run, {data, 2, 2, 2}, Granularity::kPerRow);
  EXPECT_FALSE(std::isfinite(out.scale_of(0)));
  EXPECT_THAT(out.row(0), testing::Each(int{static_cast<std::int8_t>(0xA5)}));  // as it was
  EXPECT_EQ(out.row(1), (std::vector<int>{127, 1}));
}

TEST_P(QuantizeRows, MatchesNumbersMadeElsewhere) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/02_int8_calibration/golden/quantize_rows.txt");
  std::string comment;
  std::int64_t rows = 0, K = 0;
  ASSERT_TRUE(std::getline(file, comment) && file >> rows >> K);
  for (std::int64_t r = 0; r < rows; ++r) {
    std::vector<float> x(static_cast<std::size_t>(K));
    std::vector<int> codes(x.size());
    float scale = 0;
    for (float& value : x) file >> value;
    file >> scale;
    for (int& code : codes) file >> code;
    ASSERT_TRUE(file) << "row " << r << " of quantize_rows.txt ends early";
    const Quantized out = run_one_row(GetParam().run, x);
    EXPECT_EQ(out.scale_of(0), scale) << "row " << r;
    EXPECT_EQ(out.row(0), codes) << "row " << r;
  }
}

TEST_P(QuantizeRows, WritesAllOfItsOutputsAndNothingElse) {
  for (const Granularity granularity : kBoth) {
    Operand<float> x(5, 37);
    Random random(1);
    fill(x.view(), Values::kNormal, random);
    const Quantized one = run(GetParam().run, x.view(), granularity);
    const Quantized two = run(GetParam().run, x.view(), granularity, 1, 0x5A);
    EXPECT_TRUE(one.codes.written_exactly(two.codes));
    EXPECT_TRUE(one.scale.written_exactly());
  }
}

TEST_P(QuantizeRows, ReadsNothingOutsideItsInput) {
  for (std::int64_t K = 1; K <= 33; ++K) {
    Operand<float> x(3, K);
    Random random(1);
    fill(x.view(), Values::kNormal, random);
    const Fenced<float> fenced(x.view());
    for (const Granularity granularity : kBoth) run(GetParam().run, fenced.view(), granularity);
  }
}

TEST_P(QuantizeRows, GivesTheSameBitsForEveryNumberOfThreads) {
  Operand<float> x(17, 129);
  const TestSeed seed;
  Random random(seed);
  fill(x.view(), Values::kOutlierChannel, random);
  for (const Granularity granularity : kBoth) {
    const Quantized one = run(GetParam().run, x.view(), granularity, 1);
    for (const int threads : {2, 3}) {
      expect_same(run(GetParam().run, x.view(), granularity, threads), one,
                  std::to_string(threads) + " threads");
    }
  }
}

TEST_P(QuantizeRows, ErrsByAtMostHalfAStep) {
  // x / scale rounds once in FP32 before it rounds to a code: half a step, and 2⁻²⁴ of 127 steps.
  const TestSeed seed;
  Random random(seed);
  Operand<float> x(9, 100);
  for (const Values values : {Values::kNormal, Values::kLogUniform, Values::kOutlierChannel}) {
    fill(x.view(), values, random);
    const Quantized out = run(GetParam().run, x.view(), Granularity::kPerRow);
    for (std::int64_t r = 0; r < 9; ++r) {
      for (std::int64_t k = 0; k < 100; ++k) {
        const double scale = out.scale_of(r);
        const double error = std::fabs(scale * out.codes.view()(r, k) - x.view()(r, k));
        ASSERT_TRUE(error <= scale * (0.5 + 127 * 0x1p-24)) << "[" << r << ", " << k << "]";
      }
    }
  }
}

TEST_P(QuantizeRows, FollowsSignsPowersOfTwoAndPermutations) {
  const TestSeed seed;
  Random random(seed);
  std::vector<float> x(53), negated, scaled, reversed;
  for (float& value : x) value = static_cast<float>(random.normal());
  for (const float value : x) {
    negated.push_back(-value);
    scaled.push_back(value * 0x1p20F);
    reversed.insert(reversed.begin(), value);
  }
  const Quantized out = run_one_row(GetParam().run, x);
  std::vector<int> codes = out.row(0);
  EXPECT_EQ(run_one_row(GetParam().run, scaled).row(0), codes);
  EXPECT_EQ(run_one_row(GetParam().run, scaled).scale_of(0), out.scale_of(0) * 0x1p20F);
  EXPECT_EQ(run_one_row(GetParam().run, reversed).row(0),
            std::vector<int>(codes.rbegin(), codes.rend()));
  for (int& code : codes) code = -code;
  EXPECT_EQ(run_one_row(GetParam().run, negated).row(0), codes);
}

TEST_P(QuantizeRows, GivesItsOwnOutputTheSameCodes) {
  // code · scale and its division back err by less than 2⁻²², far from half a code.
  const TestSeed seed;
  Random random(seed);
  for (int draw = 0; draw < 1000; ++draw) {
    const auto scale = static_cast<float>(std::exp2(random.uniform(-100, 100)));
    std::vector<float> x;
    std::vector<int> codes;
    for (int code = -127; code <= 127; ++code) {
      codes.push_back(code);
      x.push_back(static_cast<float>(code) * scale);
    }
    ASSERT_EQ(run_one_row(GetParam().run, x).row(0), codes) << "scale " << scale;
  }
}

TEST_P(QuantizeRows, SharesOneScaleOnlyWhenAskedTo) {
  const float data[] = {1, 2, -127, 63.5, 254, 2};
  const MatrixView<const float> x(data, 3, 2, 2);
  const Quantized alone = run(GetParam().run, x, Granularity::kPerRow);
  const Quantized shared = run(GetParam().run, x, Granularity::kPerTensor);
  EXPECT_EQ(alone.scale_of(1), 1);
  EXPECT_EQ(alone.row(0), (std::vector<int>{64, 127}));  // 63.5 is a tie
  for (std::int64_t r = 0; r < 3; ++r) EXPECT_EQ(shared.scale_of(r), 2) << r;
  EXPECT_EQ(shared.row(0), (std::vector<int>{0, 1}));
  EXPECT_EQ(shared.row(1), (std::vector<int>{-64, 32}));
}

TEST_P(QuantizeRows, TakesTheSmallestAndTheLargestFloats) {
  constexpr float kLeast = std::numeric_limits<float>::denorm_min();
  constexpr float kNormal = std::numeric_limits<float>::min();
  // A scale of absmax / 127 would be 0 for the first, and subnormal up to 127 · kNormal.
  for (const float absmax : {kLeast, 63 * kLeast, 190 * kLeast, kNormal, 126 * kNormal}) {
    const Quantized out = run_one_row(GetParam().run, {absmax, -absmax / 3, 0});
    EXPECT_EQ(out.scale_of(0), kNormal);
    EXPECT_EQ(out.row(0)[0], static_cast<int>(std::nearbyint(absmax / kNormal))) << absmax;
  }
  EXPECT_GT(run_one_row(GetParam().run, {128 * kNormal}).scale_of(0), kNormal);
  constexpr float kLargest = std::numeric_limits<float>::max();
  const Quantized out = run_one_row(GetParam().run, {kLargest, -kLargest, 1});
  EXPECT_EQ(out.row(0), (std::vector<int>{127, -127, 0}));
}

}  // namespace
}  // namespace qlab::test
