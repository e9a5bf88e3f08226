// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of Int4Panels: where a code, a scale and a zero point lie after packing.
#include "03_int4_weight_only/int4_panels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "common/random.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr std::int64_t kLongest = std::numeric_limits<std::int64_t>::max();

/// Random codes and parameters; for an odd K with a nibble that is no code.
Int4Matrix random_weights(std::int64_t N, std::int64_t K, std::int64_t group_size,
                          std::uint64_t seed) {
  Random random(seed);
  Int4Matrix weight(N, K, group_size);
  for (std::size_t i = 0; i < weight.qweight.bytes(); ++i) {
    weight.qweight.data()[i] = static_cast<std::uint8_t>(random.below(256));
  }
  for (std::size_t i = 0; i < weight.zero_point.bytes(); ++i) {
    weight.zero_point.data()[i] = static_cast<std::uint8_t>(random.below(16));
    weight.scale.data()[i] = {static_cast<std::uint16_t>(1 + random.below(0x7BFF))};
  }
  return weight;
}

TEST(Int4Panels, LiesInMemoryAsDrawn) {
  // Two groups, of 9 and of 3: two chunks and one. Column 1 holds 1, 2, 3 … and the others 0.
  Int4Matrix weight(2, 12, 9);
  for (std::int64_t j = 0; j < 6; ++j) {
    weight.qweight(1, j) = static_cast<std::uint8_t>((2 * j + 1) | (2 * j + 2) << 4);
  }
  weight.scale(0, 0) = {0x0102};
  weight.scale(1, 0) = {0x0304};
  weight.scale(1, 1) = {0x0506};
  weight.zero_point(0, 0) = 13;
  weight.zero_point(1, 0) = 14;
  weight.zero_point(1, 1) = 15;
  std::vector<int> expected(2 * 128 + 96 + 128 + 96);
  expected[4] = 0x51;  // k = 0 below, k = 4 above
  expected[5] = 0x62;
  expected[6] = 0x73;
  expected[7] = 0x84;
  expected[128 + 4] = 0x09;  // the second chunk of group 0 has one k
  expected[256] = 0x02;      // scales, the low byte first
  expected[257] = 0x01;
  expected[258] = 0x04;
  expected[259] = 0x03;
  expected[320] = 13;
  expected[321] = 14;
  expected[352 + 4] = 0x0A;  // group 1: k = 9, 10, 11
  expected[352 + 5] = 0x0B;
  expected[352 + 6] = 0x0C;
  expected[480 + 2] = 0x06;
  expected[480 + 3] = 0x05;
  expected[544 + 1] = 15;
  const Int4PanelMatrix packed = pack_panels(weight.view());
  const auto bytes = packed.panels.view().row(0, 0, packed.panels.cols());
  EXPECT_EQ(std::vector<int>(bytes.begin(), bytes.end()), expected);
}

TEST(Int4Panels, HoldsEveryCodeScaleAndZeroPoint) {
  const TestSeed seed;
  for (const std::int64_t N : {1, 31, 32, 33, 70}) {
    for (const std::int64_t K : {1, 7, 8, 9, 64, 257}) {
      for (const std::int64_t group_size : {std::int64_t{1}, std::int64_t{5}, std::int64_t{8},
                                            std::int64_t{32}, std::int64_t{250}, kLongest}) {
        const Int4Matrix weight = random_weights(N, K, group_size, seed);
        const Int4PanelMatrix packed = pack_panels(weight.view());
        const Int4Panels W = packed.view();
        for (std::int64_t n = 0; n < N; ++n) {
          for (std::int64_t g = 0; g < W.groups(); ++g) {
            ASSERT_EQ(W.scale(n, g).bits, weight.scale(n, g).bits);
            ASSERT_EQ(W.zero_point(n, g), weight.zero_point(n, g));
            for (std::int64_t i = 0; i < W.group_length(g); ++i) {
              ASSERT_EQ(W.code(n, g, i), weight.view().code(n, g * group_size + i))
                  << "N=" << N << " K=" << K << " group_size=" << group_size << ": row " << n
                  << ", group " << g << ", code " << i;
            }
          }
        }
      }
    }
  }
}

TEST(Int4Panels, TakesNoMoreBytesThanWeightsThatFillThem) {
  EXPECT_EQ(Int4PanelMatrix(4096, 4096, 128).bytes(), Int4Matrix(4096, 4096, 128).bytes());
  EXPECT_EQ(Int4PanelMatrix(64, 80, 32).bytes(), Int4Matrix(64, 80, 32).bytes());
  EXPECT_EQ(Int4PanelMatrix(33, 9, 9).bytes(), 2 * (2 * 128 + 96));
  EXPECT_EQ(Int4PanelMatrix(0, 9, 9).bytes(), 0);
  EXPECT_EQ(Int4PanelMatrix(33, 0, 9).bytes(), 0);
}

TEST(Int4Panels, RefusesAZeroPointThatIsNoCode) {
  Int4Matrix weight(3, 10, 4);
  weight.zero_point(2, 1) = 16;
  EXPECT_THAT([&] { pack_panels(weight.view()); },
              ThrowsMessage<ContractError>(
                  HasSubstr("pack_panels: zero_point[2, 1] = 16 is no code; choose one from 0")));
}

TEST(Int4Panels, RefusesWeightsWhosePartsDoNotFit) {
  const Int4Matrix weight(3, 10, 4), other(3, 10, 5);
  Int4Weights torn = weight.view();
  torn.scale = other.view().scale;
  EXPECT_THAT(
      [&] { pack_panels(torn); },
      ThrowsMessage<ContractError>(HasSubstr("pack_panels: scale is [3, 2], expected [3, 3]")));
  EXPECT_THAT([] { Int4PanelMatrix(3, 10, 0); },
              ThrowsMessage<ContractError>(HasSubstr("Int4PanelMatrix: group_size is 0; choose")));
  EXPECT_THAT([] { Int4PanelMatrix(3, -1, 4); },
              ThrowsMessage<ContractError>(HasSubstr("Int4PanelMatrix: W is [3, -1]")));
}

}  // namespace
}  // namespace qlab::test
