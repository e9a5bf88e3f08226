// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the table of packed layouts: every value has one place, and comes back from it.
#include "03_int4_weight_only/pack_int4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "common/random.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(PackInt4Table, GivesEveryValueOnePlace) {
  for (const PackedTensor tensor : kPackedTensors) {
    const PackedShape shape = packed_shape(tensor, 16, 24);
    std::set<std::pair<std::int64_t, std::int64_t>> seen;
    for (std::int64_t r = 0; r < shape.rows; ++r) {
      for (std::int64_t c = 0; c < shape.cols; ++c) {
        for (int i = 0; i < 8; ++i) {
          const auto [n, k] = packed_element(tensor, r, c, i);
          EXPECT_TRUE(n >= 0 && n < 16 && k >= 0 && k < 24) << n << ", " << k;
          EXPECT_TRUE(seen.insert({n, k}).second) << n << ", " << k << " stands in two places";
        }
      }
    }
    EXPECT_EQ(seen.size(), 16U * 24) << packed_layout(tensor).name;
  }
}

TEST(PackInt4Table, SaysWhoStandsInAWord) {
  const auto at = [](PackedTensor tensor, int nibble) {
    const PackedElement element = packed_element(tensor, 2, 1, nibble);
    return std::pair{element.n, element.k};
  };
  EXPECT_EQ(at(PackedTensor::kGptqQweight, 3), (std::pair{1L, 19L}));
  EXPECT_EQ(at(PackedTensor::kGptqQzerosV1, 3), (std::pair{11L, 2L}));
  EXPECT_EQ(at(PackedTensor::kGptqQzerosV2, 3), (std::pair{11L, 2L}));
  EXPECT_EQ(at(PackedTensor::kAwqQweight, 3), (std::pair{14L, 2L}));
  EXPECT_EQ(at(PackedTensor::kAwqQzeros, 4), (std::pair{9L, 2L}));
  EXPECT_EQ(at(PackedTensor::kWeightPacked, 3), (std::pair{2L, 11L}));
  EXPECT_EQ(at(PackedTensor::kWeightZeroPoint, 3), (std::pair{19L, 1L}));
}

TEST(PackInt4Table, GivesValuesBack) {
  const TestSeed seed;
  Random random(seed);
  for (const PackedTensor tensor : kPackedTensors) {
    Operand<std::uint8_t> values(24, 8), again(24, 8);
    for (std::int64_t n = 0; n < 24; ++n) {
      for (std::int64_t k = 0; k < 8; ++k) {
        values.view()(n, k) = static_cast<std::uint8_t>(1 + random.below(15));
      }
    }
    const PackedShape shape = packed_shape(tensor, 24, 8);
    Operand<std::uint32_t> words(shape.rows, shape.cols);
    pack_int4(tensor, values.view(), words.view());
    unpack_int4(tensor, words.view(), again.view());
    for (std::int64_t n = 0; n < 24; ++n) {
      for (std::int64_t k = 0; k < 8; ++k) {
        EXPECT_EQ(int{again.view()(n, k)}, int{values.view()(n, k)})
            << packed_layout(tensor).name << " [" << n << ", " << k << "]";
      }
    }
  }
}

TEST(PackInt4Table, RefusesWhatHasNoPlace) {
  Matrix<std::uint8_t> values(8, 16), ragged(7, 9);
  Matrix<std::uint32_t> words(2, 8), zeros(16, 1);
  values(6, 13) = 16;
  const auto refused = [](const auto& call, const char* text) {
    EXPECT_THAT(call, ThrowsMessage<ContractError>(HasSubstr(text)));
  };
  refused([&] { pack_int4(PackedTensor::kGptqQweight, values.view(), words.view()); },
          "GPTQ qweight: value [6, 13] is 16; it must be 0 … 15");
  refused([&] { pack_int4(PackedTensor::kGptqQzerosV1, values.view(), zeros.view()); },
          "GPTQ v1 qzeros: value [0, 0] is 0; it must be 1 … 15");
  refused([&] { pack_int4(PackedTensor::kGptqQweight, ragged.view(), words.view()); },
          "GPTQ qweight: K = 9 is no multiple of 8");
  refused([&] { pack_int4(PackedTensor::kAwqQweight, ragged.view(), words.view()); },
          "AWQ qweight: N = 7 is no multiple of 8");
  refused([&] { unpack_int4(PackedTensor::kWeightPacked, words.view(), values.view()); },
          "unpack_int4: weight_packed is [2, 8], expected [8, 2]");
  refused([] { packed_element(PackedTensor::kAwqQweight, 0, 0, 8); }, "nibble is 8");
  zeros(5, 0) = 0x0F000000;
  refused([&] { unpack_int4(PackedTensor::kGptqQzerosV1, zeros.view(), values.view()); },
          "GPTQ v1 qzeros: nibble 6 of word [5, 0] is 15, the zero point 16");
}

}  // namespace
}  // namespace qlab::test
