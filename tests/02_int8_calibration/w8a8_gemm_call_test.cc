// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of w8a8_gemm itself: empty sides, and what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "02_int8_calibration/w8a8_gemm.h"
#include "02_int8_calibration/w8a8_problem.h"
#include "support/compare.h"
#include "support/guarded.h"

namespace qlab::test {
namespace {

TEST(W8A8GemmCall, TakesEmptySides) {
  ThreadPool threads(2);
  for (const GemmShape& shape : {GemmShape{0, 3, 4}, GemmShape{3, 0, 4}, GemmShape{3, 5, 0}}) {
    for (const Isa isa : {Isa::kScalar, best_isa()}) {
      const W8A8Problem problem(shape);
      Guarded<float> y(shape.M, shape.N);
      w8a8_gemm(problem.X(), problem.W(), y.view(), {.threads = threads, .isa = isa});
      EXPECT_TRUE(matches(y.view(), Matrix<double>(shape.M, shape.N).view(), exactly())) << shape;
      EXPECT_TRUE(y.written_exactly()) << shape;
    }
  }
}

TEST(W8A8GemmCall, RefusesShapesThatDoNotFit) {
  ThreadPool threads(1);
  const W8A8Problem problem({2, 3, 4}), other({2, 3, 5});
  Matrix<float> y(2, 3), wrong(3, 2);
  EXPECT_THAT([&] { w8a8_gemm(problem.X(), other.W(), y.view(), {threads}); },
              testing::ThrowsMessage<ContractError>(
                  testing::HasSubstr("w8a8_gemm: W is [3, 5], expected [3, 4]")));
  EXPECT_THAT([&] { w8a8_gemm(problem.X(), problem.W(), wrong.view(), {threads}); },
              testing::ThrowsMessage<ContractError>(
                  testing::HasSubstr("w8a8_gemm: Y is [3, 2], expected [2, 3]")));
}

TEST(W8A8GemmCall, RefusesZeroPointsOfW) {
  ThreadPool threads(1);
  const W8A8Problem problem({2, 3, 4});
  const std::int32_t zero_point[3] = {};  // even zeros: they would have to be read
  const Int8Rows W{problem.w.view(), problem.w_scale.data(), zero_point};
  Matrix<float> y(2, 3);
  EXPECT_THAT([&] { w8a8_gemm(problem.X(), W, y.view(), {threads}); },
              testing::ThrowsMessage<ContractError>(
                  testing::HasSubstr("w8a8_gemm: W has zero points, only X may; quantize")));
}

TEST(W8A8GemmCall, RefusesAZeroPointThatIsNoCode) {
  ThreadPool threads(1);
  W8A8Problem problem({5, 3, 4});
  Matrix<float> y(5, 3);
  for (const std::int32_t zero_point : {-129, 128, 255}) {
    problem.set_zero_points({-128, 127, 0, zero_point, 0});
    EXPECT_THAT([&] { w8a8_gemm(problem.X(), problem.W(), y.view(), {threads}); },
                testing::ThrowsMessage<ContractError>(testing::HasSubstr(
                    "w8a8_gemm: X.zero_point[3] = " + std::to_string(zero_point) + " is no code")));
  }
}

TEST(W8A8GemmCall, RefusesASumThatCouldOverflow) {
  ThreadPool threads(1);
  const W8A8Problem longest({1, 1, kW8A8MaxK}), longer({1, 1, kW8A8MaxK + 1});
  Matrix<float> y(1, 1);
  EXPECT_NO_THROW(w8a8_gemm(longest.X(), longest.W(), y.view(), {threads}));
  EXPECT_THAT([&] { w8a8_gemm(longer.X(), longer.W(), y.view(), {threads}); },
              testing::ThrowsMessage<ContractError>(
                  testing::HasSubstr("K = 131072 could overflow an int32 sum; split K at 131071")));
}

TEST(W8A8GemmCall, RefusesZeroPointsWhoseSumCouldOverflow) {
  ThreadPool threads(1);
  W8A8Problem longest({1, 1, kW8A8MaxKWithZeroPoints}), longer({1, 1, kW8A8MaxKWithZeroPoints + 1});
  longest.set_zero_points({1});
  longer.set_zero_points({1});
  Matrix<float> y(1, 1);
  EXPECT_NO_THROW(w8a8_gemm(longest.X(), longest.W(), y.view(), {threads}));
  EXPECT_THAT([&] { w8a8_gemm(longer.X(), longer.W(), y.view(), {threads}); },
              testing::ThrowsMessage<ContractError>(
                  testing::HasSubstr("K = 65794 could overflow an int32 sum; split K at 65793")));
}

// The bounds are the largest K whose worst sum fits.
static_assert(kW8A8MaxK * 128 * 128 <= INT32_MAX && (kW8A8MaxK + 1) * 128 * 128 > INT32_MAX);
static_assert(kW8A8MaxKWithZeroPoints * 255 * 128 <= INT32_MAX &&
              (kW8A8MaxKWithZeroPoints + 1) * 255 * 128 > INT32_MAX);

}  // namespace
}  // namespace qlab::test
