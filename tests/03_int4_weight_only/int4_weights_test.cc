// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of Int4Weights and quantize_int4_rtn: how codes lie in memory, and what rounding promises.
#include "03_int4_weight_only/int4_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "support/fenced.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr std::int64_t kLongest = std::numeric_limits<std::int64_t>::max();

/// One row of weights.
Matrix<float> row(const std::vector<float>& weights) {
  Matrix<float> out(1, std::ssize(weights));
  for (std::size_t k = 0; k < weights.size(); ++k) out.data()[k] = weights[k];
  return out;
}

std::vector<int> codes_of_row(const Int4Matrix& quantized, std::int64_t n) {
  std::vector<int> codes;
  for (std::int64_t k = 0; k < quantized.K; ++k) codes.push_back(quantized.view().code(n, k));
  return codes;
}

float scale_of(const Int4Matrix& quantized, std::int64_t n, std::int64_t g) {
  return to_float(quantized.scale(n, g));
}

/// scale · (code - zero_point), which float holds exactly.
float real(const Int4Matrix& quantized, std::int64_t n, std::int64_t k) {
  const std::int64_t g = k / quantized.group_size;
  return scale_of(quantized, n, g) *
         static_cast<float>(quantized.view().code(n, k) - quantized.zero_point(n, g));
}

/// The codes one by one, and the bytes: for an odd K they hold a nibble behind the last code.
void expect_same(const Int4Matrix& got, const Int4Matrix& expected) {
  for (std::int64_t n = 0; n < got.qweight.rows(); ++n) {
    EXPECT_EQ(codes_of_row(got, n), codes_of_row(expected, n)) << "row " << n;
    EXPECT_TRUE(std::ranges::equal(got.qweight.view().row(n, 0, got.qweight.cols()),
                                   expected.qweight.view().row(n, 0, got.qweight.cols())));
    for (std::int64_t g = 0; g < got.scale.cols(); ++g) {
      EXPECT_EQ(got.scale(n, g).bits, expected.scale(n, g).bits) << "row " << n << " group " << g;
      EXPECT_EQ(int{got.zero_point(n, g)}, int{expected.zero_point(n, g)})
          << "row " << n << " group " << g;
    }
  }
}

TEST(Int4Weights, KeepsTheEvenCodeInTheLowNibble) {
  Int4Matrix matrix(2, 5, 2);
  EXPECT_EQ(matrix.qweight.cols(), 3);
  EXPECT_EQ(matrix.scale.cols(), 3);
  const std::vector<int> bytes = {0x21, 0x43, 0xF5, 0x0A, 0xB0, 0x0C};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    matrix.qweight.data()[i] = static_cast<std::uint8_t>(bytes[i]);
  }
  EXPECT_EQ(codes_of_row(matrix, 0), (std::vector{1, 2, 3, 4, 5}));
  EXPECT_EQ(codes_of_row(matrix, 1), (std::vector{10, 0, 0, 11, 12}));
}

TEST(Int4Weights, CountsTheBytesItKeeps) {
  EXPECT_EQ(Int4Matrix(3, 256, 128).bytes(), 3 * (128 + 2 * 3));
  EXPECT_EQ(Int4Matrix(3, 257, 128).bytes(), 3 * (129 + 3 * 3));
  EXPECT_EQ(Int4Matrix(3, 257, kLongest).bytes(), 3 * (129 + 3));
}

TEST(Int4Weights, RefusesPartsThatDoNotFit) {
  const Int4Matrix matrix(3, 10, 4), other(2, 12, 8);
  const auto message = [&](auto change) {
    Int4Weights view = matrix.view();
    change(view);
    try {
      check_int4_weights("op", view);
    } catch (const ContractError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(message([](Int4Weights&) {}), "accepted");
  EXPECT_EQ(message([](Int4Weights& W) { W.group_size = 0; }),
            "op: group_size is 0; choose 1 or more, for example 128");
  EXPECT_EQ(message([](Int4Weights& W) { W.K = -1; }),
            "op: K is -1; a row cannot have a negative length");
  EXPECT_EQ(message([](Int4Weights& W) { W.K = 11; }), "op: qweight is [3, 5], expected [3, 6]");
  EXPECT_EQ(message([&](Int4Weights& W) { W.scale = other.view().scale; }),
            "op: scale is [2, 2], expected [3, 3]");
  EXPECT_EQ(message([&](Int4Weights& W) { W.zero_point = other.view().zero_point; }),
            "op: zero_point is [2, 2], expected [3, 3]");
  EXPECT_THAT([] { Int4Matrix(1, 1, 0); }, ThrowsMessage<ContractError>(HasSubstr("group_size")));
}

struct ByHand {
  const char* name;
  std::vector<float> weights;  // one group
  float scale;
  int zero_point;
  std::vector<int> codes;
  const char* lesson;  // printed when the case fails
};

class QuantizeInt4RtnByHand : public testing::TestWithParam<ByHand> {};

TEST_P(QuantizeInt4RtnByHand, MatchesPaperAndPencil) {
  const ByHand& c = GetParam();
  const Int4Matrix quantized = quantize_int4_rtn(row(c.weights).view(), std::ssize(c.weights));
  EXPECT_EQ(scale_of(quantized, 0, 0), c.scale) << c.lesson;
  EXPECT_EQ(int{quantized.zero_point(0, 0)}, c.zero_point) << c.lesson;
  EXPECT_EQ(codes_of_row(quantized, 0), c.codes) << c.lesson;
}

// 15 steps of 2⁻³ from -3·2⁻³ to 12·2⁻³.
constexpr float kStep = 0.125F;
INSTANTIATE_TEST_SUITE_P(
    , QuantizeInt4RtnByHand,
    testing::Values(
        ByHand{"SpansTheRange", {-3, 0, 1, 12}, 1, 3, {0, 3, 4, 15}, "low is code 0, high is 15"},
        ByHand{"RoundsTiesToEven",
               {-3 * kStep, -2.5F * kStep, -1.5F * kStep, -0.5F * kStep, 0.5F * kStep, 1.5F * kStep,
                2.5F * kStep, 12 * kStep},
               kStep,
               3,
               {0, 1, 1, 3, 3, 5, 5, 15},
               "w / scale rounds to even, then 3 is added"},
        ByHand{"KeepsZeroForPositive", {10, 15}, 1, 0, {10, 15}, "the range must hold 0"},
        ByHand{"KeepsZeroForNegative", {-10, -15}, 1, 15, {5, 0}, "the range must hold 0"},
        ByHand{"ClampsAfterRounding", {-7.5, 7.5}, 1, 8, {0, 15}, "7.5 → 8, 8 + 8 is no code"},
        ByHand{"RoundsZeroToEven", {-2.5, 12.5}, 1, 2, {0, 14}, "2.5 steps under 0: zero point 2"},
        ByHand{"TakesAllZeros", {0, -0.0F}, 1, 0, {0, 0}, "no division by a scale of 0"},
        // FP16 has steps of 2 there: 2049 is a tie, and goes to 2048.
        ByHand{"RoundsTheScaleToFp16", {0, 15 * 2049}, 2048, 0, {0, 15}, "the scale is stored"},
        // 15361 / 2048 lies above the tie at 7.5; divided by 2049 it would lie below.
        ByHand{"UsesTheStoredScale", {0, 15 * 2049, 15361}, 2048, 0, {0, 15, 8}, "stored scale"},
        ByHand{"ClampsUnderACoarseScale",
               {0, 22 * 0x1p-24F, 0x1p-24F},
               0x1p-24F,
               0,
               {0, 15, 1},
               "22 / 15 of the smallest FP16 rounds down to it: the top is clipped"},
        ByHand{"TakesTheLargestScale", {-7 * 65504.0F, 8 * 65504.0F}, 65504, 7, {0, 15}, "65504"}),
    [](const auto& test_info) { return test_info.param.name; });

TEST(QuantizeInt4Rtn, MatchesNumbersMadeElsewhere) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/03_int4_weight_only/golden/rtn.txt");
  std::string comment;
  std::int64_t N = 0, K = 0, group_size = 0;
  ASSERT_TRUE(std::getline(file, comment) && file >> N >> K >> group_size);
  Matrix<float> weight(N, K);
  Int4Matrix expected(N, K, group_size);
  const auto read = [&file](auto& to) {
    int value = -1;
    file >> value;
    to = static_cast<std::remove_reference_t<decltype(to)>>(value);
  };
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t k = 0; k < K; ++k) file >> weight(n, k);
    for (std::int64_t g = 0; g < expected.scale.cols(); ++g) read(expected.scale(n, g).bits);
    for (std::int64_t g = 0; g < expected.scale.cols(); ++g) read(expected.zero_point(n, g));
    for (std::int64_t b = 0; b < expected.qweight.cols(); ++b) read(expected.qweight(n, b));
  }
  ASSERT_TRUE(file) << "rtn.txt ends early";
  expect_same(quantize_int4_rtn(weight.view(), group_size), expected);
}

TEST(QuantizeInt4Rtn, ErrsByAtMostHalfAStep) {
  const TestSeed seed;
  Random random(seed);
  for (const NamedValues& kind : kAllValues) {
    Operand<float> weight(7, 203);
    fill(weight.view(), kind.values, random);
    const Int4Matrix quantized = quantize_int4_rtn(weight.view(), 64);
    for (std::int64_t n = 0; n < 7; ++n) {
      for (std::int64_t k = 0; k < 203; ++k) {
        const std::int64_t g = k / 64;
        const double w = weight.view()(n, k), scale = scale_of(quantized, n, g);
        const int zero_point = quantized.zero_point(n, g);
        // Outside what the codes reach, the nearest end. The quotient, at most 16 inside, is rounded
        // by 2⁻²⁴ of itself: so far from the tie it may still go the wrong way.
        const double reached = std::clamp(w, scale * -zero_point, scale * (15 - zero_point));
        const double error = std::abs(real(quantized, n, k) - reached);
        ASSERT_TRUE(error <= scale * (0.5 + 16 * 0x1p-24))
            << kind.name << ": weight[" << n << ", " << k << "] = " << w << " came back as "
            << real(quantized, n, k) << ", scale " << scale << ", zero point " << zero_point;
        if (w == 0) {
          ASSERT_EQ(real(quantized, n, k), 0) << kind.name;
        }
      }
    }
  }
}

TEST(QuantizeInt4Rtn, GivesBackEveryCodeOfEveryGrid) {
  const TestSeed seed;
  Random random(seed);
  for (int round = 0; round < 1000; ++round) {
    const half_t scale = from_float<half_t>(static_cast<float>(std::exp2(random.uniform(-14, 15))));
    for (int zero_point = 0; zero_point <= kInt4Max; ++zero_point) {
      Matrix<float> weight(1, 16);
      for (int code = 0; code <= kInt4Max; ++code) {
        weight(0, code) = to_float(scale) * static_cast<float>(code - zero_point);
      }
      const Int4Matrix quantized = quantize_int4_rtn(weight.view(), 16);
      ASSERT_EQ(quantized.scale(0, 0).bits, scale.bits);
      ASSERT_EQ(int{quantized.zero_point(0, 0)}, zero_point);
      ASSERT_THAT(codes_of_row(quantized, 0),
                  testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    }
  }
}

TEST(QuantizeInt4Rtn, ScalesWithPowersOfTwo) {
  const TestSeed seed;
  Random random(seed);
  Operand<float> weight(3, 70), scaled(3, 70);
  fill(weight.view(), Values::kNormal, random);
  for (std::int64_t n = 0; n < 3; ++n) {
    for (std::int64_t k = 0; k < 70; ++k) scaled.view()(n, k) = weight.view()(n, k) * 0x1p-5F;
  }
  Int4Matrix expected = quantize_int4_rtn(weight.view(), 32);
  for (std::int64_t i = 0; i < 9; ++i) {
    expected.scale.data()[i] = from_float<half_t>(to_float(expected.scale.data()[i]) * 0x1p-5F);
  }
  expect_same(quantize_int4_rtn(scaled.view(), 32), expected);
}

TEST(QuantizeInt4Rtn, TreatsEachGroupOnItsOwn) {
  const TestSeed seed;
  Random random(seed);
  Operand<float> weight(3, 45);
  fill(weight.view(), Values::kNormal, random);
  for (const std::int64_t group_size : {1, 2, 7, 16, 44, 45, 46}) {
    const Int4Matrix all = quantize_int4_rtn(weight.view(), group_size);
    for (std::int64_t n = 0; n < 3; ++n) {
      for (std::int64_t g = 0; g < int4_groups(45, group_size); ++g) {
        const std::int64_t first = g * group_size, count = std::min(group_size, 45 - first);
        const MatrixView<const float> group(weight.view().row(n) + first, 1, count, count);
        const Int4Matrix alone = quantize_int4_rtn(group, kLongest);
        EXPECT_EQ(all.scale(n, g).bits, alone.scale(0, 0).bits);
        EXPECT_EQ(int{all.zero_point(n, g)}, int{alone.zero_point(0, 0)});
        for (std::int64_t k = 0; k < count; ++k) {
          EXPECT_EQ(all.view().code(n, first + k), alone.view().code(0, k))
              << "group_size " << group_size << ": [" << n << ", " << first + k << "]";
        }
      }
    }
  }
}

TEST(QuantizeInt4Rtn, ReadsNothingOutsideItsInput) {
  const TestSeed seed;
  Random random(seed);
  for (const std::int64_t K : {0, 1, 7, 32, 33}) {
    Operand<float> weight(3, K);
    fill(weight.view(), Values::kNormal, random);
    const Fenced<float> fenced(weight.view());
    expect_same(quantize_int4_rtn(fenced.view(), 8), quantize_int4_rtn(weight.view(), 8));
  }
}

TEST(QuantizeInt4Rtn, RefusesWhatHasNoCode) {
  const auto refuses = [](std::vector<float> weights, std::int64_t group_size) {
    return [=] { quantize_int4_rtn(row(weights).view(), group_size); };
  };
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(refuses({1, 2}, 0), ThrowsMessage<ContractError>(HasSubstr("group_size is 0")));
  // std::min and std::max drop a NaN, so it is planted first and last in its group.
  EXPECT_THAT(refuses({1, 2, kNan, 4}, 2),
              ThrowsMessage<ContractError>(HasSubstr("weight[0, 2] is nan; only finite weights")));
  EXPECT_THAT(refuses({1, 2, 3, kNan}, 2),
              ThrowsMessage<ContractError>(HasSubstr("weight[0, 3] is nan")));
  EXPECT_THAT(refuses({1, -HUGE_VALF}, 2),
              ThrowsMessage<ContractError>(HasSubstr("weight[0, 1] is -inf")));
  // 65520 is the tie between 65504 and infinity, and goes to infinity.
  EXPECT_THAT(refuses({1, 2, 0, 15 * 65520.0F}, 2),
              ThrowsMessage<ContractError>(HasSubstr("of group 1 of row 0 is too wide")));
  EXPECT_THAT(refuses({-3e38F, 3e38F}, 2), ThrowsMessage<ContractError>(HasSubstr("is too wide")));
  // 2⁻²⁵ is the tie between 0 and 2⁻²⁴, and goes to 0.
  EXPECT_THAT(refuses({1, 2, 15 * 0x1p-25F, 0}, 2),
              ThrowsMessage<ContractError>(HasSubstr("of group 1 of row 0 is too narrow")));
}

}  // namespace
}  // namespace qlab::test
