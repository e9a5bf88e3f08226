// SPDX-License-Identifier: Apache-2.0
/// \file
/// The kinds of INT8 activations that a linear layer knows, each equal to another where both must agree.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "01_fp16_baseline/fp16_gemm.h"
#include "common/matrix.h"
#include "common/random.h"
#include "model/linear.h"
#include "model/narrow.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

constexpr std::int64_t kM = 5, kN = 23, kK = 70;

Operand<float> normal_operand(std::int64_t rows, std::int64_t cols, Random& random) {
  Operand<float> x(rows, cols);
  fill(x.view(), Values::kNormal, random);
  return x;
}

/// INT8 with these activations, on operands with an outlier column, and what it makes of them.
class Int8Kinds : public testing::Test {
 protected:
  Int8Kinds() : weight_(normal_operand(kN, kK, random_)), x_(normal_operand(kM, kK, random_)) {
    for (std::int64_t m = 0; m < kM; ++m) x_.view()(m, 5) *= 40;
  }
  Matrix<float> run(const Int8Activations& activations) {
    Matrix<float> y(kM, kN);
    make_linear(weight_.view(), {WeightFormat::kInt8, 0, activations}, machine_)
        ->run(x_.view(), y.view(), machine_);
    return y;
  }
  float largest() const {
    float absmax = 0;
    for (std::int64_t m = 0; m < kM; ++m) {
      for (std::int64_t k = 0; k < kK; ++k) absmax = std::max(absmax, std::abs(x_.view()(m, k)));
    }
    return absmax;
  }
  static bool same_bits(const Matrix<float>& a, const Matrix<float>& b) {
    return std::memcmp(a.data(), b.data(), a.bytes()) == 0;
  }

  const TestSeed seed_;
  Random random_{seed_};
  ThreadPool threads_{2};
  Machine machine_{threads_};
  Operand<float> weight_, x_;
};

TEST_F(Int8Kinds, AScaleFixedOnTheCallItselfIsOneScaleACall) {
  EXPECT_TRUE(same_bits(run({.absmax = largest()}), run({.granularity = Granularity::kPerTensor})));
}

TEST_F(Int8Kinds, AFixedScaleClipsWhatLiesBeyond) {
  const float threshold = largest() / 16;
  const Matrix<float> clipped = run({.absmax = threshold});
  for (std::int64_t m = 0; m < kM; ++m) {
    for (std::int64_t k = 0; k < kK; ++k) {
      float& x = x_.view()(m, k);
      x = std::clamp(x, -threshold, threshold);
    }
  }
  EXPECT_TRUE(same_bits(clipped, run({.granularity = Granularity::kPerTensor})));
}

TEST_F(Int8Kinds, WithoutOutliersLlmInt8IsAScaleAToken) {
  EXPECT_TRUE(same_bits(run({.outliers_from = 1e6F}), run({})));
}

TEST_F(Int8Kinds, WithNothingButOutliersLlmInt8IsFp16) {
  for (std::int64_t m = 0; m < kM; ++m) {
    for (std::int64_t k = 0; k < kK; ++k) x_.view()(m, k) += x_.view()(m, k) < 0 ? -1.0F : 1.0F;
  }
  Matrix<float> y(kM, kN);
  fp16_gemm(narrow<half_t>("x", x_.view(), machine_).view(),
            narrow<half_t>("weight", weight_.view(), machine_).view(), y.view(), machine_);
  EXPECT_TRUE(same_bits(run({.outliers_from = 0.5F}), y));
}

TEST_F(Int8Kinds, OnlyLlmInt8KeepsASecondCopy) {
  const auto bytes = [&](const Int8Activations& activations) {
    return make_linear(weight_.view(), {WeightFormat::kInt8, 0, activations}, machine_)->bytes();
  };
  // One panel of 32 rows, K padded to twice 64 bytes; beside each row its scale and its sum.
  const std::int64_t panels = 32 * 128 + 32 * (4 + 4);
  EXPECT_EQ(bytes({}), panels);
  EXPECT_EQ(bytes({.absmax = 1.0F}), panels);
  EXPECT_EQ(bytes({.outliers_from = 6.0F}), 3 * kN * kK + 4 * kN);
  EXPECT_EQ(bytes({.outliers_from = 6.0F, .outliers_from_codes = true}), kN * kK + 4 * kN);
}

TEST_F(Int8Kinds, RefuseAFixedScaleWithOutlierColumns) {
  EXPECT_THAT([&] { run({.absmax = 1.0F, .outliers_from = 6.0F}); },
              testing::ThrowsMessage<ContractError>(testing::HasSubstr("exclude each other")));
}

}  // namespace
}  // namespace qlab::test
