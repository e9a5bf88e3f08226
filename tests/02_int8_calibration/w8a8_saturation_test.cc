// SPDX-License-Identifier: Apache-2.0
/// \file
/// Why the rungs of w8a8_gemm before VNNI widen their codes: vpmaddubsw multiplies bytes as they are,
/// but keeps the sum of two products in 16 bits, where it saturates in silence.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "common/isa.h"

#if QLAB_X86
#include <immintrin.h>
#endif

namespace qlab::test {
namespace {

/// One lane of vpmaddubsw: two products of an unsigned and a signed byte, added with saturation.
int maddubs(int u0, int s0, int u1, int s1) {
  return std::clamp(u0 * s0 + u1 * s1, INT16_MIN, INT16_MAX);
}

TEST(Vpmaddubsw, SaturatesWhereTwoLargeProductsMeet) {
  EXPECT_EQ(255 * 127 + 255 * 127, 64770);
  EXPECT_EQ(maddubs(255, 127, 255, 127), 32767);
  EXPECT_EQ(maddubs(255, -128, 255, -128), -32768);
  EXPECT_EQ(maddubs(255, 127, 255, -128), -255);  // of opposite signs they cancel
  // It is no corner: of all pairs of codes, each met twice in a row, one in seven saturates.
  int wrong = 0;
  for (int u = 0; u < 256; ++u) {
    for (int s = -128; s < 128; ++s) wrong += maddubs(u, s, u, s) != 2 * u * s ? 1 : 0;
  }
  EXPECT_EQ(wrong, 9979) << "of 65,536";
}

TEST(Vpmaddubsw, IsExactForUnsignedCodesOfSevenBits) {
  // 2 · 127 · 128 = 32,512 fits: a rung may use it if activations have 7 bits.
  for (int u = 0; u <= 127; ++u) {
    for (int s = -128; s < 128; ++s) ASSERT_EQ(maddubs(u, s, u, s), 2 * u * s) << u << " * " << s;
  }
  EXPECT_NE(maddubs(129, -128, 129, -128), 2 * 129 * -128) << "128 is the last that fits";
}

#if QLAB_X86

/// All pairs of codes, each beside itself and beside the largest product.
QLAB_AVX2 void compare_instruction_with_model() {
  for (int u = 0; u < 256; ++u) {
    for (int s = -128; s < 128; ++s) {
      // Bytes from the lowest up: (u, u), (u, 255) against (s, s), (s, 127).
      const __m128i unsigned_bytes =
          _mm_setr_epi8(static_cast<char>(u), static_cast<char>(u), static_cast<char>(u),
                        static_cast<char>(255), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
      const __m128i signed_bytes =
          _mm_setr_epi8(static_cast<char>(s), static_cast<char>(s), static_cast<char>(s), 127, 0, 0,
                        0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
      const auto lanes = static_cast<std::uint32_t>(
          _mm_cvtsi128_si32(_mm_maddubs_epi16(unsigned_bytes, signed_bytes)));
      ASSERT_EQ(static_cast<std::int16_t>(lanes & 0xFFFF), maddubs(u, s, u, s)) << u << " * " << s;
      ASSERT_EQ(static_cast<std::int16_t>(lanes >> 16), maddubs(u, s, 255, 127)) << u << " * " << s;
    }
  }
}

TEST(Vpmaddubsw, DoesWhatTheModelSays) {
  if (best_isa() < Isa::kAvx2) GTEST_SKIP() << "needs avx2";
  compare_instruction_with_model();
}

/// One lane of vpdpbusd on four equal pairs.
QLAB_AVX512_VNNI std::int32_t dpbusd(std::int32_t sum, int u, int s) {
  return _mm_cvtsi128_si32(_mm_dpbusd_epi32(_mm_cvtsi32_si128(sum),
                                            _mm_set1_epi8(static_cast<char>(u)),
                                            _mm_set1_epi8(static_cast<char>(s))));
}

TEST(Vpdpbusd, IsExactForAllPairsOfCodes) {
  if (best_isa() < Isa::kAvx512Vnni) GTEST_SKIP() << "needs avx512_vnni";
  for (int u = 0; u < 256; ++u) {
    for (int s = -128; s < 128; ++s) ASSERT_EQ(dpbusd(5, u, s), 5 + 4 * u * s) << u << " * " << s;
  }
}

TEST(Vpdpbusd, WrapsAroundPast31Bits) {
  if (best_isa() < Isa::kAvx512Vnni) GTEST_SKIP() << "needs avx512_vnni";
  // The rung relies on it: sums of x + 128 may pass 2³¹ where those of x do not. vpdpbusds clamps.
  EXPECT_EQ(dpbusd(INT32_MAX, 1, 1), INT32_MIN + 3);
  EXPECT_EQ(dpbusd(INT32_MIN, 1, -1), INT32_MAX - 3);
}

#endif

}  // namespace
}  // namespace qlab::test
