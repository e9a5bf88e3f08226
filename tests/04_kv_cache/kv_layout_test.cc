// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of attention_decode over blocks in any order, formats of K and V that differ, and FP8's scales.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "04_kv_cache/attention_problem.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class KvLayouts : public testing::TestWithParam<Rung<AttentionRun>> {
 protected:
  void SetUp() override {
    if (GetParam().needs > best_isa()) {
      GTEST_SKIP() << "needs " << isa_name(GetParam().needs) << ", this processor has "
                   << isa_name(best_isa());
    }
  }
};
INSTANTIATE_TEST_SUITE_P(, KvLayouts, testing::ValuesIn(kAttentionDecodeRungs),
                         [](const auto& rung) { return std::string(rung.param.name); });

/// Blocks of a pool in a random order.
std::vector<std::int32_t> shuffled(std::int64_t blocks, Random& random) {
  std::vector<std::int32_t> table;
  for (std::int64_t b = 0; b < blocks; ++b) table.push_back(static_cast<std::int32_t>(b));
  for (std::size_t b = table.size(); b > 1; --b) {
    std::swap(table[b - 1],
              table[static_cast<std::size_t>(random.uniform(0, 1) * static_cast<double>(b))]);
  }
  return table;
}

TEST_P(KvLayouts, GiveTheBitsOfOneBlockWhereverTheirBlocksStand) {
  const TestSeed seed;
  Random random(seed);
  constexpr AttentionShape kShape{2, 4, 2, 64, 211};
  for (const KvFormat format : kKvFormats) {
    AttentionProblem whole(format, kShape);
    whole.fill_all(Values::kNormal, Values::kOutlierChannel, Values::kNormal, random);
    whole.store();
    const Guarded<float> expected = whole.run(GetParam().run);
    for (const std::int64_t block_tokens : {1, 16, 32, 48, 96, 300}) {
      if (kv_traits(format).window && block_tokens % kKvGroup != 0) continue;
      const std::int64_t blocks = (kShape.length + 5 + block_tokens - 1) / block_tokens;
      AttentionProblem paged(format, kShape, 5, {block_tokens, shuffled(blocks, random)});
      for (std::int64_t t = 0; t < kShape.length; ++t) {
        std::ranges::copy(whole.k.view().row(t, 0, 128), paged.k.view().row(t));
        std::ranges::copy(whole.v.view().row(t, 0, 128), paged.v.view().row(t));
      }
      for (const std::int64_t m : {0, 1}) {
        std::ranges::copy(whole.q.view().row(m, 0, 256), paged.q.view().row(m));
      }
      paged.store();  // over NaNs: what stands behind the last token must not matter
      EXPECT_TRUE(expected.written_exactly(paged.run(GetParam().run, 1, 0x5A)))
          << kv_format_name(format) << " in blocks of " << block_tokens;
    }
  }
}

template <class T>
std::vector<T> read(std::istream& file, std::int64_t count) {
  std::vector<T> values;
  for (double value = 0; count > 0 && file >> value; --count) values.push_back(element<T>(value));
  return values;
}

TEST_P(KvLayouts, OfOneBlockMatchNumbersMadeElsewhere) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/04_kv_cache/golden/online_softmax.txt");
  std::string comment;
  std::int64_t T = 0, D = 0;
  ASSERT_TRUE(std::getline(file, comment) && file >> T >> D);
  const auto q = read<float>(file, D);
  const auto k = read<std::int8_t>(file, T * D), v = read<std::int8_t>(file, T * D);
  const auto k_scale = read<half_t>(file, T), v_scale = read<half_t>(file, T);
  const auto expected = read<double>(file, D);
  ASSERT_TRUE(file) << "online_softmax.txt ends early";
  const std::int32_t table[] = {0};
  const auto tensor = [T](const auto& codes, const auto& scale) {
    return KvTensor{.format = KvFormat::kInt8,
                    .scales = KvScales::kToken,
                    .codes = reinterpret_cast<const std::uint8_t*>(codes.data()),
                    .scale = scale.data(),
                    .minimum = nullptr,
                    .scales_per_block = T,
                    .head_scale = nullptr,
                    .window = nullptr};
  };
  const KvView kv{.n_kv_heads = 1,
                  .head_dim = D,
                  .capacity = T,
                  .length = T,
                  .block_tokens = T,
                  .pool_blocks = 1,
                  .table = table,
                  .k = tensor(k, k_scale),
                  .v = tensor(v, v_scale)};
  Matrix<double> value(1, D), tolerance(1, D);
  Guarded<float> out(1, D);
  ThreadPool threads(1);
  GetParam().run({q.data(), 1, D, D}, kv, out.view(), threads);
  attention_decode_ref({q.data(), 1, D, D}, kv, value.view(), tolerance.view());
  EXPECT_TRUE(matches(out.view(), {expected.data(), 1, D, D},
                      [&](std::int64_t r, std::int64_t c) { return tolerance(r, c); }));
}

TEST_P(KvLayouts, MayHoldKAndVInDifferentFormats) {
  const TestSeed seed;
  Random random(seed);
  for (const KvFormat k : kKvFormats) {
    for (const KvFormat v : kKvFormats) {
      AttentionProblem problem({k, v}, {3, 4, 2, 64, 150});
      problem.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
      problem.store();
      EXPECT_TRUE(problem.matches_oracle(GetParam().run)) << kv_formats_name({k, v});
    }
  }
}

TEST_P(KvLayouts, ScaleAHeadOfFp8) {
  // A scale of 2ᵏ moves exponents only: K and V that are 2ᵏ as large have the codes of scale 1.
  const TestSeed seed;
  Random random(seed);
  constexpr AttentionShape kShape{1, 4, 2, 64, 70};
  for (const KvFormat format : {KvFormat::kFp8E4m3, KvFormat::kFp8E5m2}) {
    AttentionProblem one(format, kShape);
    AttentionProblem scaled(format, kShape, 5, {}, {.k = {0.25F, 2}, .v = {8, 0.5F}});
    one.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
    for (std::int64_t c = 0; c < 256; ++c) {
      const bool second = c >= 128;  // query heads 2 and 3 read KV head 1
      scaled.q.view()(0, c) = one.q.view()(0, c) * (second ? 0.5F : 4);
    }
    for (std::int64_t t = 0; t < kShape.length; ++t) {
      for (std::int64_t c = 0; c < 128; ++c) {
        scaled.k.view()(t, c) = one.k.view()(t, c) * (c >= 64 ? 2 : 0.25F);
        scaled.v.view()(t, c) = one.v.view()(t, c) * (c >= 64 ? 0.5F : 8);
      }
    }
    one.store();
    scaled.store();
    const Guarded<float> expected = one.run(GetParam().run), got = scaled.run(GetParam().run);
    for (std::int64_t c = 0; c < 256; ++c) {
      ASSERT_EQ(got.view()(0, c), expected.view()(0, c) * (c >= 128 ? 0.5F : 8)) << c;
    }
    AttentionProblem odd(format, kShape, 5, {}, {.k = {0.3F, 1.7F}, .v = {0.01F, 3}});
    odd.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
    odd.store();
    EXPECT_TRUE(odd.matches_oracle(GetParam().run)) << kv_format_name(format);
  }
}

TEST(KvLayout, TakesOneScaleALayerForAllItsHeads) {
  const KvHeadScales layers{.k = {2, 3}, .v = {4, 5}};
  const KvHeadScales heads{.k = {2, 2, 2, 3, 3, 3}, .v = {4, 4, 4, 5, 5, 5}};
  const KvCache a(KvFormat::kFp8E4m3, 2, 3, 8, 4, {}, layers);
  const KvCache b(KvFormat::kFp8E4m3, 2, 3, 8, 4, {}, heads);
  for (const std::int64_t layer : {0, 1}) {
    for (std::int64_t head = 0; head < 3; ++head) {
      EXPECT_EQ(a.layer(layer).k.head_scale[head], b.layer(layer).k.head_scale[head]);
      EXPECT_EQ(a.layer(layer).v.head_scale[head], b.layer(layer).v.head_scale[head]);
    }
  }
}

TEST(KvLayout, RefusesWhatDoesNotFit) {
  const auto refuses = [](const std::string& sentence, KvFormats formats, std::int64_t head_dim,
                          const KvLayout& layout, const KvHeadScales& scales = {}) {
    EXPECT_THAT([&] { KvCache(formats, 1, 2, head_dim, 40, layout, scales); },
                ThrowsMessage<ContractError>(HasSubstr(sentence)));
  };
  const KvFormat fp8 = KvFormat::kFp8E4m3;
  refuses("head_dim is 48; int2 needs a multiple of 32", KvFormat::kInt2, 48, {});
  refuses("blocks of 16 tokens cut KIVI's groups", KvFormat::kKivi4, 64, {.block_tokens = 16});
  refuses("a table of 2 blocks, but the capacity takes 3", fp8, 8, {16, {0, 1}});
  refuses("block 2 of the table is 3, outside the pool of 3 blocks", fp8, 8, {16, {0, 1, 3}});
  refuses("block 0 of the table is -1", fp8, 8, {16, {-1, 1, 0}});
  refuses("share block 1 of the pool", fp8, 8, {16, {0, 1, 1}});
  refuses("3 scales for 1 layers of 2 heads", fp8, 8, {}, {.k = {1, 1, 1}});
  refuses("the scale of layer 0, head 1 is 0; it must be finite", fp8, 8, {}, {.v = {1, 0}});
  refuses("head 0 is nan", fp8, 8, {}, {.k = {std::nanf("")}});
}

TEST(KvLayout, RefusesToAttendOutsideThePoolOrBeyondAWindow) {
  ThreadPool threads(1);
  AttentionProblem problem(KvFormat::kKivi2, {33, 4, 2, 64, 100});
  Random random(1);
  problem.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
  problem.store();
  Matrix<float> out(33, 256);
  EXPECT_THAT(
      [&] { attention_decode(problem.q.view(), problem.cache.layer(0), out.view(), {threads}); },
      ThrowsMessage<ContractError>(HasSubstr("33 queries on a cache with a window of 32")));
  const auto one = problem.q.view().rows_from(0, 1);
  const MatrixView<float> row(out.data(), 1, 256, 256);
  KvView kv = problem.cache.layer(0);
  const std::int32_t outside[] = {7}, before[] = {-1};
  kv.table = outside;
  EXPECT_THAT([&] { attention_decode(one, kv, row, {threads}); },
              ThrowsMessage<ContractError>(
                  HasSubstr("block 0 of the table is 7, outside the pool of 1 blocks")));
  kv.table = before;
  EXPECT_THAT([&] { attention_decode(one, kv, row, {threads}); },
              ThrowsMessage<ContractError>(HasSubstr("block 0 of the table is -1")));
  kv.table = {};
  EXPECT_THAT([&] { attention_decode(one, kv, row, {threads}); },
              ThrowsMessage<ContractError>(HasSubstr("a table of 0 blocks")));
}

}  // namespace
}  // namespace qlab::test
