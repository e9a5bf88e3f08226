// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the call that chooses a rung of quantize_rows: what it refuses, and empty rows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "02_int8_calibration/quantize_rows.h"
#include "common/matrix.h"

namespace qlab::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(QuantizeRowsCall, RefusesWhatIsNotFiniteAndNamesTheFirst) {
  ThreadPool threads(2);
  const auto expect_refused = [&](Isa isa, Granularity granularity, float bad, std::int64_t r,
                                  std::int64_t k) {
    Matrix<float> x(4, 21);
    x(3, 20) = kNan;
    x(r, k) = bad;
    Matrix<std::int8_t> codes(4, 21);
    float scale[4];
    EXPECT_THAT(
        [&] {
          quantize_rows(x.view(), granularity, codes.view(), scale,
                        {.threads = threads, .isa = isa});
        },
        testing::ThrowsMessage<ContractError>(
            testing::HasSubstr("x[" + std::to_string(r) + ", " + std::to_string(k) + "] is ")));
  };
  for (const Isa isa : {Isa::kScalar, best_isa()}) {
    for (const Granularity granularity : {Granularity::kPerRow, Granularity::kPerTensor}) {
      for (std::int64_t k = 0; k < 21; ++k) {
        for (const float bad : {kNan, -kNan, kInfinity, -kInfinity}) {
          expect_refused(isa, granularity, bad, 0, k);
          expect_refused(isa, granularity, bad, 3, k);
        }
      }
    }
  }
}

TEST(QuantizeRowsCall, RefusesCodesOfAnotherShape) {
  ThreadPool threads(1);
  const Matrix<float> x(2, 3);
  Matrix<std::int8_t> codes(3, 2);
  float scale[3];
  EXPECT_THAT(
      [&] { quantize_rows(x.view(), Granularity::kPerRow, codes.view(), scale, {threads}); },
      testing::ThrowsMessage<ContractError>(
          testing::HasSubstr("quantize_rows: codes is [3, 2], expected [2, 3]")));
}

TEST(QuantizeRowsCall, GivesRowsWithoutColumnsAScale) {
  ThreadPool threads(2);
  const Matrix<float> x(2, 0);
  Matrix<std::int8_t> codes(2, 0);
  float scale[2] = {};
  quantize_rows(x.view(), Granularity::kPerRow, codes.view(), scale, {threads});
  EXPECT_THAT(scale, testing::Each(1));
}

}  // namespace
}  // namespace qlab::test
