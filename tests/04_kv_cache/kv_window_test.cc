// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of KvCache in groups: codes with a minimum, KIVI's axes, and what leaves its window when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "04_kv_cache/kv_quantize.h"
#include "04_kv_cache/kv_rows.h"
#include "04_kv_cache/kv_unpack.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

constexpr std::int64_t kDim = 64;

template <class T>
std::vector<T> read(std::istream& file, std::size_t count) {
  std::vector<T> values(count);
  for (T& value : values) file >> value;
  return values;
}

/// Token t of a side as a query that sees `visible` tokens reads it.
std::vector<float> token(const KvCache& cache, bool values, std::int64_t visible, std::int64_t t) {
  const KvView view = cache.layer(0);
  const KvTensor& tensor = values ? view.v : view.k;
  const std::int64_t start =
      values ? v_window_start(tensor.format, visible) : k_window_start(tensor.format, visible);
  std::vector<float> row(static_cast<std::size_t>(view.head_dim));
  const float factor = unpack_row(view, tensor, start, 0, t, row.data());
  for (float& x : row) x *= factor;
  return row;
}

std::vector<float> rounded_to_half(std::span<const float> x) {
  std::vector<float> out;
  for (const float value : x) out.push_back(to_float(from_float<half_t>(value)));
  return out;
}

TEST(KvGroup, MatchesNumbersMadeElsewhere) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/04_kv_cache/golden/kv_groups.txt");
  std::string comment;
  std::size_t groups = 0, size = 0;
  ASSERT_TRUE(std::getline(file, comment) && file >> groups >> size);
  for (std::size_t g = 0; g < groups; ++g) {
    const auto x = read<float>(file, size);
    const auto numbers = read<int>(file, 3);
    const auto expected = read<int>(file, size);
    ASSERT_TRUE(file) << "group " << g << " of kv_groups.txt ends early";
    std::vector<std::uint8_t> codes(size);
    const auto [scale, minimum] = quantize_kv_group(x, numbers[0], codes.data());
    EXPECT_EQ(scale.bits, numbers[1]) << "group " << g;
    EXPECT_EQ(minimum.bits, numbers[2]) << "group " << g;
    EXPECT_EQ(std::vector<int>(codes.begin(), codes.end()), expected) << "group " << g;
  }
}

TEST(KvGroup, RoundsByHand) {
  const struct {
    std::vector<float> x;
    int bits;
    float scale, minimum;
    std::vector<int> codes;
    const char* lesson;
  } cases[] = {
      {{0, 1, 2, 3}, 2, 1, 0, {0, 1, 2, 3}, "on the grid"},
      {{10, 10.5F, 11.5F, 13}, 2, 1, 10, {0, 0, 2, 3}, "ties to the even code"},
      {{5, 5, 5}, 2, 1, 5, {0, 0, 0}, "equal values have no step"},
      {{-15, 0}, 4, 1, -15, {0, 15}, "a minimum below 0"},
      {{0, 0x1p-26F}, 2, 0x1p-24F, 0, {0, 0}, "a third would be 0: the least scale"},
      {{2049, 2052},
       2,
       1,
       2048,
       {1, 3},
       "2049 is stored as 2048: codes count from there, 4 clamps"},
  };
  for (const auto& c : cases) {
    std::vector<std::uint8_t> codes(c.x.size());
    const auto [scale, minimum] = quantize_kv_group(c.x, c.bits, codes.data());
    EXPECT_EQ(to_float(scale), c.scale) << c.lesson;
    EXPECT_EQ(to_float(minimum), c.minimum) << c.lesson;
    EXPECT_EQ(std::vector<int>(codes.begin(), codes.end()), c.codes) << c.lesson;
  }
}

TEST(KvCache, ErrsInGroupsByHalfAStep) {
  // Half a step of the stored scale, what storing the minimum moved it by, and what a scale rounded
  // down clips at the top: 2⁻¹¹ of largest · step each.
  const TestSeed seed;
  Random random(seed);
  for (const KvFormat format : {KvFormat::kInt4, KvFormat::kInt2}) {
    const double largest = (1 << kv_traits(format).bits) - 1;
    Operand<float> x(200, kDim);
    fill(x.view(), Values::kNormal, random);
    KvCache cache(format, 1, 1, kDim, 200);
    cache.append(0, x.view(), x.view());
    for (std::int64_t t = 0; t < 200; ++t) {
      const auto got = token(cache, true, 200, t);
      for (std::int64_t d = 0; d < kDim; ++d) {
        const auto group = x.view().row(t, d / kKvGroup * kKvGroup, kKvGroup);
        const auto [least, most] = std::ranges::minmax(group);
        const double step = (double{most} - least) / largest;
        const double allowed =
            step * (0.5 + 0.5 * 0x1p-11) + 0x1p-11 * (largest * step + std::fabs(least));
        ASSERT_LE(std::fabs(double{got[static_cast<std::size_t>(d)]} - x.view()(t, d)), allowed)
            << kv_format_name(format) << ", token " << t << ", channel " << d;
      }
    }
  }
}

TEST(KvWindow, ReadsTheNewestTokensInFp16AndOlderOnesFromCodes) {
  const TestSeed seed;
  Random random(seed);
  Operand<float> x(100, kDim);
  fill(x.view(), Values::kNormal, random);
  for (const KvFormat format : {KvFormat::kKivi4, KvFormat::kKivi2}) {
    KvCache cache(format, 1, 1, kDim, 100);
    for (std::int64_t t = 0; t < 100; ++t) {
      cache.append(0, x.view().rows_from(t, 1), x.view().rows_from(t, 1));
      const std::int64_t T = t + 1;
      for (std::int64_t i = 0; i < T; ++i) {
        const auto half = rounded_to_half(x.view().row(i, 0, kDim));
        // K: whole windows are quantized at once. V: all but the last kKvWindow.
        EXPECT_EQ(token(cache, false, T, i) == half, i >= T / kKvWindow * kKvWindow)
            << T << ' ' << i;
        EXPECT_EQ(token(cache, true, T, i) == half, i >= T - kKvWindow) << T << ' ' << i;
      }
    }
  }
}

TEST(KvWindow, ReadsEachTokenOfAPromptAsItStoodThen) {
  const TestSeed seed;
  Random random(seed);
  Operand<float> x(96, kDim);
  fill(x.view(), Values::kNormal, random);
  KvCache single(KvFormat::kKivi2, 1, 1, kDim, 96), prompts(KvFormat::kKivi2, 1, 1, kDim, 96);
  for (std::int64_t first = 0; first < 96; first += kKvWindow) {
    prompts.append(0, x.view().rows_from(first, kKvWindow), x.view().rows_from(first, kKvWindow));
    for (std::int64_t t = first; t < first + kKvWindow; ++t) {
      single.append(0, x.view().rows_from(t, 1), x.view().rows_from(t, 1));
      for (std::int64_t i = 0; i <= t; ++i) {
        for (const bool values : {false, true}) {
          ASSERT_EQ(token(prompts, values, t + 1, i), token(single, values, t + 1, i))
              << "token " << i << " at length " << t + 1;
        }
      }
    }
  }
}

TEST(KvWindow, KeepsCodesOnceTheyAreWritten) {
  const TestSeed seed;
  Random random(seed);
  Operand<float> x(100, kDim);
  fill(x.view(), Values::kNormal, random);
  KvCache cache(KvFormat::kKivi2, 1, 1, kDim, 100);
  cache.append(0, x.view().rows_from(0, 70), x.view().rows_from(0, 70));
  std::vector<std::vector<float>> before;
  for (std::int64_t t = 0; t < 64; ++t) before.push_back(token(cache, false, 64, t));
  for (std::int64_t t = 70; t < 100; ++t) {
    for (float& value : x.view().row(t, 0, kDim)) value *= 100;
  }
  cache.append(0, x.view().rows_from(70, 30), x.view().rows_from(70, 30));
  for (std::int64_t t = 0; t < 64; ++t) {
    EXPECT_EQ(token(cache, false, 64, t), before[static_cast<std::size_t>(t)]) << t;
  }
}

TEST(KvWindow, IsolatesAChannelThatIsLargeInEveryTokenInKOnly) {
  // A channel at 50 ± 1 takes all four codes of a token's group, and costs the rest of K nothing when
  // it has a scale of its own: KIVI's reason for its axes.
  const TestSeed seed;
  Random random(seed);
  Operand<float> x(128, kDim);
  for (std::int64_t t = 0; t < 128; ++t) {
    for (float& value : x.view().row(t, 0, kDim)) value = static_cast<float>(random.uniform(-1, 1));
    x.view()(t, 5) += 50;
  }
  const KvCache kivi = [&] {
    KvCache cache(KvFormat::kKivi2, 1, 1, kDim, 128);
    cache.append(0, x.view(), x.view());
    return cache;
  }();
  const auto squares = [&](bool values) {
    double sum = 0;
    for (std::int64_t t = 0; t < 96; ++t) {  // codes of K and of V
      const auto row = token(kivi, values, 128, t);
      for (std::int64_t d = 0; d < kKvGroup; ++d) {
        if (d != 5) sum += std::pow(double{row[static_cast<std::size_t>(d)]} - x.view()(t, d), 2);
      }
    }
    return sum / (96 * (kKvGroup - 1));
  };
  // Uniform in ±1 with four codes: steps of 2/3, s²/12 = 0.037. In a group that reaches 51 steps are
  // 17: all get the code of the minimum, at least 1/3 = the variance of the values.
  EXPECT_LT(squares(false), 0.05);
  EXPECT_GT(squares(true), 0.3);
}

}  // namespace
}  // namespace qlab::test
