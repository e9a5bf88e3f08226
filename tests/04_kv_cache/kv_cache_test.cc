// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of KvCache: what a token's bytes are, and where they stand.
#include "04_kv_cache/kv_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "04_kv_cache/kv_rows.h"
#include "support/fenced.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

template <class T>
std::vector<T> read(std::istream& file, std::size_t count) {
  std::vector<T> values(count);
  for (T& value : values) file >> value;
  return values;
}

TEST(KvCache, MatchesNumbersMadeElsewhere) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/04_kv_cache/golden/kv_rows.txt");
  std::string comment;
  std::size_t rows = 0, D = 0;
  ASSERT_TRUE(std::getline(file, comment) && file >> rows >> D);
  for (std::size_t r = 0; r < rows; ++r) {
    const auto x = read<float>(file, D);
    const auto half = read<int>(file, D), fp8 = read<int>(file, D);
    const auto scale_bits = read<std::uint16_t>(file, 1);
    const auto codes = read<int>(file, D);
    ASSERT_TRUE(file) << "row " << r << " of kv_rows.txt ends early";
    EXPECT_EQ(codes_of<float>(cache_of(KvFormat::kFp32, x).layer(0).v, D), x);
    EXPECT_EQ(bits_of<half_t>(cache_of(KvFormat::kFp16, x).layer(0).v, D), half) << "row " << r;
    EXPECT_EQ(bits_of<fp8_e4m3_t>(cache_of(KvFormat::kFp8E4m3, x).layer(0).v, D), fp8)
        << "row " << r;
    EXPECT_EQ(int8_row(x).scale, to_float(half_t{scale_bits[0]}));
    EXPECT_EQ(int8_row(x).codes, codes) << "row " << r;
  }
}

TEST(KvCache, RoundsInt8ByHand) {
  const struct {
    std::vector<float> x;
    float scale;
    std::vector<int> codes;
    const char* lesson;
  } cases[] = {
      {{127, 0.5, 1.5, -2.5, -127}, 1, {127, 0, 2, -2, -127}, "ties go to the even code"},
      {{0, -0.0F}, 1, {0, 0}, "zeros have a scale that divides"},
      {{1, -0.49999F}, 0x1.02p-7F, {127, -64}, "1/127 would give -63: the stored scale counts"},
      {{0x1p-20F, -0x1p-24F}, 0x1p-24F, {16, -1}, "a 127th would be 0: the least scale"},
      {{178 * 0x1p-24F, 100 * 0x1p-24F}, 0x1p-24F, {127, 100}, "178/127 rounds to 1: clipped"},
      {{127 * 65504.0F, -1e6F}, 65504, {127, -15}, "the largest scale"},
  };
  for (const auto& c : cases) {
    const Int8Row row = int8_row(c.x);
    EXPECT_EQ(row.scale, c.scale) << c.lesson;
    EXPECT_EQ(row.codes, c.codes) << c.lesson;
  }
}

TEST(KvCache, ErrsInInt8ByHalfAStepOfTheStoredScale) {
  // The quotient rounds once in FP32 (2⁻²⁴ of 127 steps), and absmax / scale may pass 127 by the
  // 2⁻¹¹ that FP16 rounded the scale by, which stays within half a step. Under the normal scales
  // a clipped value may be off by 127 · 2⁻²⁵.
  const TestSeed seed;
  Random random(seed);
  for (int draw = 0; draw < 2000; ++draw) {
    const double size = std::exp2(random.uniform(-30, 10));
    std::vector<float> x(33);
    for (float& value : x) value = static_cast<float>(size * random.normal());
    const Int8Row row = int8_row(x);
    const double clipped = row.scale < 0x1p-14F ? 127 * 0x1p-25 : 0;
    for (std::size_t d = 0; d < x.size(); ++d) {
      const double error = std::fabs(double{row.scale} * row.codes[d] - x[d]);
      ASSERT_TRUE(error <= row.scale * (0.5 + 127 * 0x1p-24) + clipped) << x[d];
    }
  }
}

TEST(KvCache, SaturatesInFp8) {
  const KvCache cache = cache_of(KvFormat::kFp8E4m3, {448, 465, 1e30F, -1e30F, 0x1p-9F});
  EXPECT_EQ(bits_of<fp8_e4m3_t>(cache.layer(0).k, 5),
            (std::vector<int>{0x7E, 0x7E, 0x7E, 0xFE, 0x01}));
}

TEST(KvCache, PutsEveryTokenHeadAndChannelInItsPlace) {
  constexpr std::int64_t kHeads = 3, kDim = 5, kTokens = 4, kCapacity = 6;
  KvCache cache(KvFormat::kFp32, 2, kHeads, kDim, kCapacity);
  const auto number = [](std::int64_t layer, std::int64_t t, std::int64_t c) {
    return static_cast<float>(500 * layer + 20 * t + c);
  };
  for (const std::int64_t layer : {0, 1}) {
    Operand<float> k(kTokens, kHeads * kDim), v(kTokens, kHeads * kDim, 7);
    for (std::int64_t t = 0; t < kTokens; ++t) {
      for (std::int64_t c = 0; c < kHeads * kDim; ++c) {
        k.view()(t, c) = number(layer, t, c);
        v.view()(t, c) = -number(layer, t, c);
      }
    }
    cache.append(layer, k.view(), v.view());
  }
  for (const std::int64_t layer : {0, 1}) {
    const KvView view = cache.layer(layer);
    EXPECT_EQ(view.length, kTokens);
    EXPECT_EQ(view.capacity, kCapacity);
    for (std::int64_t i = 0; i < kHeads * kTokens * kDim; ++i) {
      const std::int64_t head = i / kDim % kHeads, t = i / kDim / kHeads, d = i % kDim;
      const float expected = number(layer, t, head * kDim + d);
      EXPECT_EQ(view.row<float>(view.k, head, t)[d], expected);
      EXPECT_EQ(view.row<float>(view.v, head, t)[d], -expected);
    }
  }
}

TEST(KvCache, PutsEveryInt8ScaleInItsPlace) {
  KvCache cache(KvFormat::kInt8, 2, 2, 1, 4);
  const float k[] = {127, 127 * 2, 127 * 3, 127 * 4}, v[] = {127 * 5, 127 * 6, 127 * 7, 127 * 8};
  cache.append(1, {k, 2, 2, 2}, {v, 2, 2, 2});  // [token, head]
  const KvView view = cache.layer(1);
  for (std::int64_t head = 0; head < 2; ++head) {
    for (std::int64_t t = 0; t < 2; ++t) {
      EXPECT_EQ(to_float(view.k.scale[head * 4 + t]), static_cast<float>(1 + 2 * t + head));
      EXPECT_EQ(to_float(view.v.scale[head * 4 + t]), static_cast<float>(5 + 2 * t + head));
    }
  }
}

TEST(KvCache, IsTheSameWrittenAtOnceOrInParts) {
  const TestSeed seed;
  Random random(seed);
  for (const KvFormat format : kKvFormats) {
    const std::int64_t D = fitting_dim(format, 19);
    Operand<float> k(167, 2 * D), v(167, 2 * D);  // five windows and a part of one
    fill(k.view(), Values::kOutlierChannel, random);
    fill(v.view(), Values::kLogUniform, random);
    KvCache whole(format, 2, 2, D, 168), parts(format, 2, 2, D, 168), single(format, 2, 2, D, 168);
    whole.append(1, k.view(), v.view());
    std::int64_t t = 0;
    for (const std::int64_t count : {4, 0, 2, 25, 1, 1, 31, 100, 3}) {
      parts.append(1, k.view().rows_from(t, count), v.view().rows_from(t, count));
      t += count;
    }
    ASSERT_EQ(t, 167);
    for (t = 0; t < 167; ++t) {
      single.append(1, k.view().rows_from(t, 1), v.view().rows_from(t, 1));
    }
    EXPECT_EQ(bytes_of(whole, 1), bytes_of(parts, 1)) << kv_format_name(format);
    EXPECT_EQ(bytes_of(whole, 1), bytes_of(single, 1)) << kv_format_name(format);
    EXPECT_EQ(parts.length(1), 167);
    EXPECT_EQ(parts.length(0), 0);
  }
}

TEST(KvCache, KeepsTheBytesOfEarlierTokensAndOtherLayers) {
  constexpr std::int64_t kDim = 32;
  const std::vector<float> small(kDim, 0.5F), large(kDim, 100);
  for (const KvFormat format : kKvFormats) {
    if (kv_traits(format).window) continue;  // the window's tests say what moves when
    KvCache cache(format, 2, 1, kDim, 3);
    for (const std::int64_t layer : {0, 1}) {
      cache.append(layer, {small.data(), 1, kDim, kDim}, {small.data(), 1, kDim, kDim});
    }
    const auto before = bytes_of(cache, 0), other = bytes_of(cache, 1);
    cache.append(0, {large.data(), 1, kDim, kDim}, {large.data(), 1, kDim, kDim});
    const auto after = bytes_of(cache, 0);
    EXPECT_TRUE(
        std::equal(before.begin(), before.begin() + kv_code_bytes(format, kDim), after.begin()));
    EXPECT_NE(before, after);
    EXPECT_EQ(other, bytes_of(cache, 1));
  }
}

TEST(KvCache, TakesTheBytesItsFormulaSays) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/04_kv_cache/golden/kv_budget.txt");
  std::string comment, model, name;
  ASSERT_TRUE(std::getline(file, comment));
  std::int64_t layers = 0, heads = 0, head_dim = 0, bytes = 0;
  int lines = 0;
  while (file >> model >> layers >> heads >> head_dim >> name >> bytes) {
    ++lines;
    const auto* format = std::ranges::find(kKvFormats, name, kv_format_name);
    ASSERT_NE(format, std::end(kKvFormats)) << name;
    EXPECT_EQ(kv_bytes_per_token(*format, layers, heads, head_dim), bytes) << model << " " << name;
    EXPECT_EQ(KvCache(*format, layers, heads, head_dim, 64).bytes(),
              64 * bytes + kv_fixed_bytes(*format, layers, heads, head_dim))
        << model << " " << name;
  }
  EXPECT_EQ(lines, 50);
}

TEST(KvCache, ReadsNothingOutsideItsInputs) {
  for (const KvFormat format : kKvFormats) {
    for (const std::int64_t wanted : {1, 13, 64}) {
      const std::int64_t head_dim = fitting_dim(format, wanted);
      Operand<float> x(3, 2 * head_dim);
      Random random(1);
      fill(x.view(), Values::kNormal, random);
      const Fenced<float> k(x.view()), v(x.view());
      KvCache cache(format, 1, 2, head_dim, 3);
      cache.append(0, k.view(), v.view());
      EXPECT_EQ(cache.length(0), 3);
    }
  }
}

TEST(KvCache, StartsAgainAfterClear) {
  KvCache cache = cache_of(KvFormat::kFp32, {1, 2});
  cache.clear();
  EXPECT_EQ(cache.length(0), 0);
  const float x[] = {3, 4};
  cache.append(0, {x, 1, 2, 2}, {x, 1, 2, 2});
  EXPECT_EQ(codes_of<float>(cache.layer(0).k, 2)[1], 4);
}

}  // namespace
}  // namespace qlab::test
