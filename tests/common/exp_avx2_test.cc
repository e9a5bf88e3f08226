// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the vector exp against the one of the library, in double.
#include "common/exp_avx2.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "common/isa.h"

namespace qlab::test {
namespace {

#if QLAB_X86

QLAB_AVX2 float exp_of(float x) { return _mm256_cvtss_f32(exp_avx2(_mm256_set1_ps(x))); }

TEST(ExpAvx2, ErrsByAtMostTwoUnitsInTheLastPlace) {
  if (best_isa() < Isa::kAvx2) GTEST_SKIP() << "needs avx2";
  for (std::int64_t i = -87'33600; i <= 88'00000; ++i) {
    const float x = static_cast<float>(i) * 1e-5F;
    const double expected = std::exp(double{x});
    const double unit = std::ldexp(1.0, std::ilogb(expected) - 23);
    ASSERT_TRUE(std::fabs(exp_of(x) - expected) <= 2 * unit) << x;
  }
}

TEST(ExpAvx2, IsExactAtZeroAndZeroFarBelow) {
  if (best_isa() < Isa::kAvx2) GTEST_SKIP() << "needs avx2";
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(exp_of(0.0F), 1);
  EXPECT_EQ(exp_of(-0.0F), 1);
  for (const float x : {-87.34F, -88.0F, -1e4F, -3e38F, -kInfinity}) EXPECT_EQ(exp_of(x), 0) << x;
  EXPECT_TRUE(std::isnan(exp_of(std::numeric_limits<float>::quiet_NaN())));
}

#else

TEST(ExpAvx2, NeedsX86) { GTEST_SKIP() << "no x86 processor"; }

#endif

}  // namespace
}  // namespace qlab::test
