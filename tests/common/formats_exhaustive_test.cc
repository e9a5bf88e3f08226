// SPDX-License-Identifier: Apache-2.0
/// \file
/// All 2³² floats through every conversion; some minutes, so it runs only when asked for.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "common/format_reference.h"
#include "common/isa.h"

#if QLAB_X86
#include <immintrin.h>
#endif

namespace qlab::test {
namespace {

constexpr std::uint32_t kFloatInfinity = 0x7F80'0000;

template <class Format>
class FormatsExhaustive : public testing::Test {};
using All = testing::Types<half_t, bf16_t, fp8_e4m3_t, fp8_e5m2_t>;
TYPED_TEST_SUITE(FormatsExhaustive, All);

TYPED_TEST(FormatsExhaustive, GiveTheNearestCodeForEveryFloat) {
  // Floats in rising order: the code moves on where they pass the midpoint to the next value.
  using Reference = FormatReference<TypeParam>;
  constexpr FormatDefinition definition = Reference::definition;
  const Reference reference;
  const std::vector<double>& values = reference.values();
  std::uint32_t nearest = 0;
  double tie = (values[0] + values[1]) / 2;
  for (std::uint32_t bits = 0; bits <= kFloatInfinity; ++bits) {
    const auto x = std::bit_cast<float>(bits);
    while (nearest <= definition.largest && (x > tie || (x == tie && nearest % 2 == 1))) {
      ++nearest;
      if (nearest <= definition.largest) tie = (values[nearest] + values[nearest + 1]) / 2;
    }
    const bool clamp = nearest > definition.largest && definition.saturates;
    const std::uint32_t saturated = clamp ? definition.largest : nearest;
    ASSERT_EQ(from_float_nosat<TypeParam>(x).bits, nearest) << x;
    ASSERT_EQ(from_float<TypeParam>(x).bits, saturated) << x;
    ASSERT_EQ(from_float_nosat<TypeParam>(-x).bits, Reference::sign | nearest) << x;
    ASSERT_EQ(from_float<TypeParam>(-x).bits, Reference::sign | saturated) << x;
  }
  EXPECT_EQ(nearest, definition.largest + 1) << "every code was passed";
}

TYPED_TEST(FormatsExhaustive, KeepEveryNan) {
  for (std::uint32_t bits = kFloatInfinity + 1; bits <= 0x7FFF'FFFF; ++bits) {
    for (const std::uint32_t sign : {0u, 0x8000'0000u}) {
      const auto nan = std::bit_cast<float>(sign | bits);
      ASSERT_TRUE(std::isnan(to_float(from_float<TypeParam>(nan)))) << bits;
      ASSERT_TRUE(std::isnan(to_float(from_float_nosat<TypeParam>(nan)))) << bits;
    }
  }
}

#if QLAB_X86
QLAB_AVX2 std::uint16_t half_by_processor(float x) {
  return static_cast<std::uint16_t>(_cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT));
}
QLAB_AVX2 float float_by_processor(std::uint16_t half) { return _cvtsh_ss(half); }

TEST(FormatsExhaustiveHalf, AgreesWithTheProcessor) {
  if (best_isa() < Isa::kAvx2) GTEST_SKIP() << "no F16C";
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; ++bits) {
    const auto x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (!std::isnan(x)) {
      ASSERT_EQ(from_float<half_t>(x).bits, half_by_processor(x)) << x;
    }
  }
  for (std::uint32_t code = 0; code < 1u << 16; ++code) {
    const half_t half{static_cast<std::uint16_t>(code)};
    const float expected = float_by_processor(half.bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(to_float(half))) << code;
    } else {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(to_float(half)),
                std::bit_cast<std::uint32_t>(expected));
    }
  }
}
#endif

}  // namespace
}  // namespace qlab::test
