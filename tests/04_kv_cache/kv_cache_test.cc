// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of KvCache: what a token's bytes are, where they stand, and what is refused.
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

#include "support/fenced.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

constexpr KvFormat kFormats[] = {KvFormat::kFp32, KvFormat::kFp16, KvFormat::kInt8,
                                 KvFormat::kFp8E4m3};

/// All bytes of a layer, so that two states can be compared.
std::vector<std::uint8_t> bytes_of(const KvCache& cache, std::int64_t layer) {
  const KvView view = cache.layer(layer);
  const std::int64_t rows = view.n_kv_heads * view.capacity;
  const std::int64_t scale_bytes = view.k.scale == nullptr ? 0 : 2;
  const std::int64_t code_bytes = kv_row_bytes(view.format, view.head_dim) - scale_bytes;
  std::vector<std::uint8_t> bytes;
  for (const KvTensor& tensor : {view.k, view.v}) {
    const auto* codes = static_cast<const std::uint8_t*>(tensor.codes);
    const auto* scale = reinterpret_cast<const std::uint8_t*>(tensor.scale);
    bytes.insert(bytes.end(), codes, codes + rows * code_bytes);
    if (scale != nullptr) bytes.insert(bytes.end(), scale, scale + rows * scale_bytes);
  }
  return bytes;
}

/// The cache of one token of one head.
KvCache cache_of(KvFormat format, const std::vector<float>& k) {
  const auto D = static_cast<std::int64_t>(k.size());
  KvCache cache(format, 1, 1, D, 1);
  cache.append(0, {k.data(), 1, D, D}, {k.data(), 1, D, D});
  return cache;
}

template <class Code>
std::vector<Code> codes_of(const KvTensor& tensor, std::size_t count) {
  const Code* const first = static_cast<const Code*>(tensor.codes);
  return {first, first + count};
}

template <class Format>
std::vector<int> bits_of(const KvTensor& tensor, std::size_t count) {
  std::vector<int> bits;
  for (const Format code : codes_of<Format>(tensor, count)) bits.push_back(code.bits);
  return bits;
}

struct Int8Row {
  float scale;
  std::vector<int> codes;
};
Int8Row int8_row(const std::vector<float>& x) {
  const KvCache cache = cache_of(KvFormat::kInt8, x);
  const KvView view = cache.layer(0);
  const auto codes = codes_of<std::int8_t>(view.k, x.size());
  return {to_float(view.k.scale[0]), {codes.begin(), codes.end()}};
}

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
      EXPECT_EQ(view.k.row<float>(head, t, kCapacity, kDim)[d], expected);
      EXPECT_EQ(view.v.row<float>(head, t, kCapacity, kDim)[d], -expected);
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
  for (const KvFormat format : kFormats) {
    Operand<float> k(7, 2 * 19), v(7, 2 * 19);
    fill(k.view(), Values::kOutlierChannel, random);
    fill(v.view(), Values::kLogUniform, random);
    KvCache whole(format, 2, 2, 19, 8), parts(format, 2, 2, 19, 8);
    whole.append(1, k.view(), v.view());
    parts.append(1, k.view().rows_from(0, 4), v.view().rows_from(0, 4));
    parts.append(1, k.view().rows_from(4, 0), v.view().rows_from(4, 0));
    parts.append(1, k.view().rows_from(4, 2), v.view().rows_from(4, 2));
    parts.append(1, k.view().rows_from(6, 1), v.view().rows_from(6, 1));
    EXPECT_EQ(bytes_of(whole, 1), bytes_of(parts, 1)) << kv_format_name(format);
    EXPECT_EQ(parts.length(1), 7);
    EXPECT_EQ(parts.length(0), 0);
  }
}

TEST(KvCache, KeepsTheBytesOfEarlierTokensAndOtherLayers) {
  const std::vector<float> small(6, 0.5F), large(6, 100);
  for (const KvFormat format : kFormats) {
    KvCache cache(format, 2, 1, 6, 3);
    for (const std::int64_t layer : {0, 1}) {
      cache.append(layer, {small.data(), 1, 6, 6}, {small.data(), 1, 6, 6});
    }
    const auto before = bytes_of(cache, 0), other = bytes_of(cache, 1);
    cache.append(0, {large.data(), 1, 6, 6}, {large.data(), 1, 6, 6});
    const auto after = bytes_of(cache, 0);
    const auto row =
        static_cast<std::ptrdiff_t>(kv_row_bytes(format, 6)) - (format == KvFormat::kInt8 ? 2 : 0);
    EXPECT_TRUE(std::equal(before.begin(), before.begin() + row, after.begin()));
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
    const auto* format = std::ranges::find(kFormats, name, kv_format_name);
    ASSERT_NE(format, std::end(kFormats)) << name;
    EXPECT_EQ(kv_bytes_per_token(*format, layers, heads, head_dim), bytes) << model << " " << name;
    EXPECT_EQ(KvCache(*format, layers, heads, head_dim, 3).bytes(), 3 * bytes) << model;
  }
  EXPECT_EQ(lines, 20);
}

TEST(KvCache, ReadsNothingOutsideItsInputs) {
  for (const KvFormat format : kFormats) {
    for (const std::int64_t head_dim : {1, 13, 64}) {
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

/// Appends a row of K and V in which one value is `bad`, expects a refusal that says `sentence`,
/// and that nothing has changed.
void expect_refused(KvFormat format, bool in_v, float bad, const std::string& sentence) {
  KvCache cache(format, 2, 2, 3, 5);
  Matrix<float> good(3, 6), worse(2, 6);
  for (std::int64_t i = 0; i < 12; ++i) worse.data()[i] = 7;
  cache.append(1, good.view(), good.view());
  const auto before = bytes_of(cache, 1);
  worse(1, 4) = bad;
  worse(1, 5) = std::numeric_limits<float>::quiet_NaN();  // not the first
  const MatrixView<const float> fine(good.data(), 2, 6, 6);
  EXPECT_THAT([&] { cache.append(1, in_v ? fine : worse.view(), in_v ? worse.view() : fine); },
              testing::ThrowsMessage<ContractError>(testing::HasSubstr(sentence)));
  EXPECT_EQ(cache.length(1), 3);
  EXPECT_EQ(bytes_of(cache, 1), before) << sentence;
}

TEST(KvCache, RefusesWhatIsNotFiniteNamesItAndWritesNothing) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const KvFormat format : kFormats) {
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
