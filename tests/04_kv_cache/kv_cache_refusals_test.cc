// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of what KvCache refuses, and that a refusal leaves it as it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "04_kv_cache/kv_rows.h"
#include "common/matrix.h"

namespace qlab::test {
namespace {

/// Appends a row of K and V in which one value is `bad`, expects a refusal that says `sentence`,
/// and that nothing has changed.
void expect_refused(KvFormat format, bool in_v, float bad, const std::string& sentence) {
  const std::int64_t D = fitting_dim(format, 3);
  KvCache cache(format, 2, 2, D, 5);
  Matrix<float> good(3, 2 * D), worse(2, 2 * D);
  for (std::int64_t i = 0; i < 4 * D; ++i) worse.data()[i] = 7;
  cache.append(1, good.view(), good.view());
  const auto before = bytes_of(cache, 1);
  worse(1, D + 1) = bad;
  worse(1, D + 2) = std::numeric_limits<float>::quiet_NaN();  // not the first
  const MatrixView<const float> fine(good.data(), 2, 2 * D, 2 * D);
  EXPECT_THAT([&] { cache.append(1, in_v ? fine : worse.view(), in_v ? worse.view() : fine); },
              testing::ThrowsMessage<ContractError>(testing::HasSubstr(sentence)));
  EXPECT_EQ(cache.length(1), 3);
  EXPECT_EQ(bytes_of(cache, 1), before) << sentence;
}

TEST(KvCache, RefusesWhatIsNotFiniteNamesItAndWritesNothing) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const KvFormat format : kKvFormats) {
    const std::string place = " at layer 1, token 4, head 1, channel 1; ";
    expect_refused(format, false, -kInfinity, "k is -inf" + place);
    expect_refused(format, true, kInfinity, "v is inf" + place);
    expect_refused(format, true, std::numeric_limits<float>::quiet_NaN(), "v is nan" + place);
  }
}

TEST(KvCache, RefusesWhatItsFormatCannotHold) {
  // Halfway from FP16's largest, 65504, to the next step, 65536, a value rounds to infinity.
  const float below = std::nextafter(65520.0F, 0.0F);
  EXPECT_EQ(bits_of<half_t>(cache_of(KvFormat::kFp16, {below}).layer(0).k, 1)[0], 0x7BFF);
  EXPECT_EQ(int8_row({std::nextafter(127 * 65520.0F, 0.0F)}).scale, 65504);
  expect_refused(KvFormat::kFp16, true, 65520, "fp16 holds finite values under 65520");
  expect_refused(KvFormat::kFp16, false, -1e5F, "k is -100000 at layer 1, token 4, head 1");
  expect_refused(KvFormat::kInt8, true, 127 * 65520.0F,
                 "int8 holds finite values under 8.32104e+06");
}

TEST(KvCache, RefusesMoreTokensThanItsCapacityAndStaysAsItWas) {
  KvCache cache(KvFormat::kFp16, 1, 1, 2, 3);
  Matrix<float> two(2, 2);
  cache.append(0, two.view(), two.view());
  two(0, 0) = 1;
  const auto before = bytes_of(cache, 0);
  EXPECT_THAT([&] { cache.append(0, two.view(), two.view()); },
              testing::ThrowsMessage<ContractError>(testing::HasSubstr(
                  "2 tokens after 2 pass the capacity 3; make the cache larger")));
  EXPECT_EQ(cache.length(0), 2);
  EXPECT_EQ(bytes_of(cache, 0), before);
}

TEST(KvCache, RefusesShapesAndLayersThatDoNotFit) {
  using testing::HasSubstr;
  using testing::ThrowsMessage;
  KvCache cache(KvFormat::kInt8, 2, 2, 3, 4);
  const Matrix<float> right(1, 6), narrow(1, 5), longer(2, 6);
  EXPECT_THAT([&] { cache.append(0, narrow.view(), right.view()); },
              ThrowsMessage<ContractError>(HasSubstr("k is [1, 5], expected [1, 6]")));
  EXPECT_THAT([&] { cache.append(0, right.view(), longer.view()); },
              ThrowsMessage<ContractError>(HasSubstr("v is [2, 6], expected [1, 6]")));
  EXPECT_THAT([&] { cache.append(2, right.view(), right.view()); },
              ThrowsMessage<ContractError>(HasSubstr("layer 2 is not in 0 … 1")));
  EXPECT_THAT([&] { cache.layer(-1); },
              ThrowsMessage<ContractError>(HasSubstr("layer -1 is not in 0 … 1")));
  EXPECT_THAT([] { KvCache(KvFormat::kInt8, 1, 0, 3, 4); },
              ThrowsMessage<ContractError>(HasSubstr("every side must be at least 1")));
}

}  // namespace
}  // namespace qlab::test
