// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of quantize_static: every rung against the oracle, bit for bit, the invariants of a
/// symmetric quantizer whose scale is given, and what the call refuses.
#include "02_int8_calibration/quantize_static.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "02_int8_calibration/quantize_rows.h"
#include "support/fenced.h"
#include "support/guarded.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kNormal = std::numeric_limits<float>::min();

using Run = decltype(quantize_static_v1_scalar);

class QuantizeStatic : public testing::TestWithParam<Rung<Run>> {
 protected:
  void SetUp() override {
    if (GetParam().needs > best_isa()) {
      GTEST_SKIP() << "needs " << isa_name(GetParam().needs) << ", this processor has "
                   << isa_name(best_isa());
    }
  }
};
INSTANTIATE_TEST_SUITE_P(, QuantizeStatic, testing::ValuesIn(kQuantizeStaticRungs),
                         [](const auto& rung) { return std::string(rung.param.name); });

Guarded<std::int8_t> run(Run* rung, MatrixView<const float> x, float scale, int threads = 1,
                         unsigned char poison = 0xA5) {
  Guarded<std::int8_t> codes(x.rows(), x.cols(), poison);
  ThreadPool pool(threads);
  EXPECT_TRUE(rung(x, scale, codes.view(), pool)) << "said that there is a NaN";
  return codes;
}

MatrixView<const float> one_row(const std::vector<float>& x) {
  const auto K = static_cast<std::int64_t>(x.size());
  return {x.data(), 1, K, K};
}

std::vector<int> codes_of(Run* rung, const std::vector<float>& x, float scale) {
  const Guarded<std::int8_t> codes = run(rung, one_row(x), scale);
  return {codes.view().row(0), codes.view().row(0) + x.size()};
}

/// \param of  names the case
void expect_oracle(Run* rung, MatrixView<const float> x, float scale, const std::string& of,
                   int threads = 1) {
  Guarded<std::int8_t> expected(x.rows(), x.cols());
  quantize_static_ref(x, scale, expected.view());
  const Guarded<std::int8_t> got = run(rung, x, scale, threads);
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    for (std::int64_t k = 0; k < x.cols(); ++k) {
      ASSERT_EQ(int{got.view()(r, k)}, int{expected.view()(r, k)})
          << of << ": code [" << r << ", " << k << "] of " << x(r, k) << ", scale " << scale;
    }
  }
}

TEST_P(QuantizeStatic, MatchesPaperAndPencil) {
  const struct {
    float scale;
    std::vector<float> x;
    std::vector<int> codes;
    const char* lesson;
  } cases[] = {
      {1, {0.5, 1.5, 2.5, -0.5, -1.5, -0.0}, {0, 2, 2, 0, -2, 0}, "ties go to the even code"},
      {0.5, {0.25, 0.75, -1.25, -63.5}, {0, 2, -2, -127}, "the scale divides"},
      {1, {126.5, 127.5, 128, -127.5, -128, 300}, {126, 127, 127, -127, -127, 127}, "it clips"},
      {1, {1e9F, -1e9F, 3e9F, -3e9F, 1e30F, -1e30F}, {127, -127, 127, -127, 127, -127}, "so far"},
      {1, {kInfinity, -kInfinity, kLargest, -kLargest}, {127, -127, 127, -127}, "and infinity"},
      {kNormal, {1, -1, kLargest, 2 * kNormal}, {127, -127, 127, 2}, "where x / scale overflows"},
      {kLargest, {kLargest, 1, -kLargest}, {1, 0, -1}, "the largest scale"},
  };
  for (const auto& c : cases) {  // once as a tail, once filled up to a whole vector
    std::vector<float> x = c.x;
    std::vector<int> codes = c.codes;
    EXPECT_EQ(codes_of(GetParam().run, x, c.scale), codes) << c.lesson;
    expect_oracle(GetParam().run, one_row(x), c.scale, c.lesson);
    x.resize(8);
    codes.resize(8);
    EXPECT_EQ(codes_of(GetParam().run, x, c.scale), codes) << c.lesson << ", eight values";
  }
}

TEST_P(QuantizeStatic, MatchesTheOracleBitForBit) {
  const TestSeed seed;
  Random random(seed);
  for (const GemmShape& shape : kGemmShapes) {
    for (const NamedValues& values : kAllValues) {
      Operand<float> x(shape.M, shape.K);
      fill(x.view(), values.values, random);
      // From everything clipped to everything 0, and 2⁻³, on which the ties lie.
      for (const float scale : {0x1p-20F, 0.0123F, 0x1p-3F, 1000.0F}) {
        expect_oracle(GetParam().run, x.view(), scale,
                      std::string(values.name) + " " + std::to_string(shape.M) + " x " +
                          std::to_string(shape.K));
      }
    }
  }
}

TEST_P(QuantizeStatic, DividesNearTiesWhereAReciprocalWouldNot) {
  // (n + ½) · scale, rounded: divided by scale it is often the tie again, times 1 / scale not.
  const TestSeed seed;
  Random random(seed);
  for (int draw = 0; draw < 100; ++draw) {
    const auto scale = static_cast<float>(random.uniform(0.5, 1));
    std::vector<float> x;
    for (int n = -130; n < 130; ++n) x.push_back((static_cast<float>(n) + 0.5F) * scale);
    expect_oracle(GetParam().run, one_row(x), scale, "ties");
  }
}

TEST_P(QuantizeStatic, GivesTheCodesOfQuantizeRowsForItsScale) {
  const TestSeed seed;
  Random random(seed);
  ThreadPool threads(1);
  for (const NamedValues& values : kAllValues) {
    Operand<float> x(3, 77);
    fill(x.view(), values.values, random);
    Guarded<std::int8_t> expected(3, 77);
    float scale[3];
    quantize_rows(x.view(), Granularity::kPerTensor, expected.view(), scale, {threads});
    const Guarded<std::int8_t> got = run(GetParam().run, x.view(), scale[0]);
    for (std::int64_t r = 0; r < 3; ++r) {
      for (std::int64_t k = 0; k < 77; ++k) {
        ASSERT_EQ(int{got.view()(r, k)}, int{expected.view()(r, k)}) << values.name;
      }
    }
  }
}

TEST_P(QuantizeStatic, ReportsANanAndWritesZeroForIt) {
  ThreadPool pool(2);
  for (std::int64_t k = 0; k < 21; ++k) {
    for (const float nan : {kNan, -kNan}) {
      Matrix<float> x(3, 21);
      for (std::int64_t i = 0; i < 3 * 21; ++i) x.data()[i] = 5;
      x(1, k) = nan;
      Guarded<std::int8_t> codes(3, 21);
      EXPECT_FALSE(GetParam().run(x.view(), 1, codes.view(), pool)) << "NaN at [1, " << k << "]";
      for (std::int64_t i = 0; i < 21; ++i) {
        EXPECT_EQ(int{codes.view()(1, i)}, i == k ? 0 : 5) << i;
        EXPECT_EQ(int{codes.view()(2, i)}, 5) << i;
      }
    }
  }
}

TEST_P(QuantizeStatic, WritesAllOfItsOutputAndNothingElse) {
  Operand<float> x(5, 37);
  Random random(1);
  fill(x.view(), Values::kNormal, random);
  const Guarded<std::int8_t> one = run(GetParam().run, x.view(), 0.01F);
  EXPECT_TRUE(one.written_exactly(run(GetParam().run, x.view(), 0.01F, 1, 0x5A)));
}

TEST_P(QuantizeStatic, ReadsNothingOutsideItsInput) {
  for (std::int64_t K = 1; K <= 33; ++K) {
    Operand<float> x(3, K);
    Random random(1);
    fill(x.view(), Values::kNormal, random);
    const Fenced<float> fenced(x.view());
    run(GetParam().run, fenced.view(), 0.01F);
  }
}

TEST_P(QuantizeStatic, GivesTheSameBitsForEveryNumberOfThreads) {
  const TestSeed seed;
  Random random(seed);
  Operand<float> x(17, 129);
  fill(x.view(), Values::kOutlierChannel, random);
  for (const int threads : {1, 2, 3}) {
    expect_oracle(GetParam().run, x.view(), 0.02F, std::to_string(threads) + " threads", threads);
  }
}

TEST_P(QuantizeStatic, GivesItsOwnOutputTheSameCodes) {
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
    ASSERT_EQ(codes_of(GetParam().run, x, scale), codes) << "scale " << scale;
  }
}

TEST_P(QuantizeStatic, ErrsByAtMostHalfAStepAndClipsBeyond) {
  // x / scale rounds once in FP32 before it rounds to a code: half a step, and 2⁻²⁴ of 127 steps.
  const TestSeed seed;
  Random random(seed);
  Operand<float> x(9, 100);
  for (const Values values : {Values::kNormal, Values::kLogUniform, Values::kOutlierChannel}) {
    fill(x.view(), values, random);
    const float scale = 0.0137F;
    const Guarded<std::int8_t> codes = run(GetParam().run, x.view(), scale);
    for (std::int64_t r = 0; r < 9; ++r) {
      for (std::int64_t k = 0; k < 100; ++k) {
        const double value = x.view()(r, k), code = codes.view()(r, k);
        if (std::fabs(value) <= 127.0 * scale) {
          ASSERT_TRUE(std::fabs(scale * code - value) <= scale * (0.5 + 127 * 0x1p-24)) << value;
        } else {
          ASSERT_EQ(code, value > 0 ? 127 : -127) << value;
        }
      }
    }
  }
}

TEST_P(QuantizeStatic, FollowsSignsPowersOfTwoAndPermutations) {
  const TestSeed seed;
  Random random(seed);
  std::vector<float> x(53), negated, scaled, reversed;
  for (float& value : x) value = static_cast<float>(random.normal());
  for (const float value : x) {
    negated.push_back(-value);
    scaled.push_back(value * 0x1p20F);
    reversed.insert(reversed.begin(), value);
  }
  std::vector<int> codes = codes_of(GetParam().run, x, 0.01F);
  EXPECT_EQ(codes_of(GetParam().run, scaled, 0.01F * 0x1p20F), codes);
  EXPECT_EQ(codes_of(GetParam().run, reversed, 0.01F),
            std::vector<int>(codes.rbegin(), codes.rend()));
  for (int& code : codes) code = -code;
  EXPECT_EQ(codes_of(GetParam().run, negated, 0.01F), codes);
}

TEST(QuantizeStaticCall, RefusesANanAndNamesTheFirst) {
  ThreadPool threads(2);
  for (const Isa isa : {Isa::kScalar, best_isa()}) {
    for (std::int64_t k = 0; k < 21; ++k) {
      Matrix<float> x(4, 21);
      x(3, 20) = kNan;
      x(1, k) = kNan;
      x(0, k) = kInfinity;  // clipped, not refused
      Matrix<std::int8_t> codes(4, 21);
      EXPECT_THAT(
          [&] { quantize_static(x.view(), 1, codes.view(), {.threads = threads, .isa = isa}); },
          testing::ThrowsMessage<ContractError>(
              testing::HasSubstr("quantize_static: x[1, " + std::to_string(k) + "] is nan")));
    }
  }
}

TEST(QuantizeStaticCall, RefusesAScaleThatIsNotANormalNumberAboveZero) {
  ThreadPool threads(1);
  const Matrix<float> x(2, 3);
  Matrix<std::int8_t> codes(2, 3);
  for (const float scale : {0.0F, -0.0F, -1.0F, kInfinity, -kInfinity, kNan, kNormal / 2}) {
    EXPECT_THAT([&] { quantize_static(x.view(), scale, codes.view(), {threads}); },
                testing::ThrowsMessage<ContractError>(testing::HasSubstr("quantize_static: scale")))
        << scale;
  }
}

TEST(QuantizeStaticCall, RefusesCodesOfAnotherShape) {
  ThreadPool threads(1);
  const Matrix<float> x(2, 3);
  Matrix<std::int8_t> codes(3, 2);
  EXPECT_THAT([&] { quantize_static(x.view(), 1, codes.view(), {threads}); },
              testing::ThrowsMessage<ContractError>(
                  testing::HasSubstr("quantize_static: codes is [3, 2], expected [2, 3]")));
}

TEST(QuantizeStaticCall, ClipsInfinityAndTakesEmptyMatrices) {
  ThreadPool threads(2);
  const float data[] = {kInfinity, -kInfinity};
  std::int8_t codes[2] = {};
  quantize_static({data, 1, 2, 2}, 1, {codes, 1, 2, 2}, {threads});
  EXPECT_THAT(codes, testing::ElementsAre(127, -127));
  const Matrix<float> none(2, 0);
  Matrix<std::int8_t> no_codes(2, 0);
  quantize_static(none.view(), 1, no_codes.view(), {threads});
}

}  // namespace
}  // namespace qlab::test
