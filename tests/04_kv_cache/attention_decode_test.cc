// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of attention_decode: every rung in every format of the cache.
#include "04_kv_cache/attention_decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "04_kv_cache/attention_problem.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

class AttentionDecode : public testing::TestWithParam<Rung<AttentionRun>> {
 protected:
  void SetUp() override {
    if (GetParam().needs > best_isa()) {
      GTEST_SKIP() << "needs " << isa_name(GetParam().needs) << ", this processor has "
                   << isa_name(best_isa());
    }
  }
};
INSTANTIATE_TEST_SUITE_P(, AttentionDecode, testing::ValuesIn(kAttentionDecodeRungs),
                         [](const auto& rung) { return std::string(rung.param.name); });

/// Around blocks of 64 tokens, tiles of 4 tokens and 2 rows, tasks of 32 rows, vectors of 8.
constexpr AttentionShape kShapes[] = {
    {1, 1, 1, 1, 1},   {1, 2, 1, 8, 3},    {1, 4, 2, 64, 200}, {2, 3, 3, 72, 65},
    {7, 6, 2, 13, 70}, {70, 4, 2, 64, 70}, {3, 8, 1, 20, 130}, {40, 2, 2, 128, 129},
    {1, 40, 1, 9, 64}, {33, 1, 1, 7, 127}, {5, 5, 5, 31, 63},  {1, 8, 4, 100, 1025},
};

TEST_P(AttentionDecode, MatchesTheOracle) {
  const TestSeed seed;
  Random random(seed);
  const struct {
    Values q, k, v;
    const char* name;
  } kinds[] = {
      {Values::kNormal, Values::kNormal, Values::kLogUniform, "V of many sizes"},
      {Values::kNormal, Values::kOutlierChannel, Values::kNormal, "scores up to ±100"},
      {Values::kIntegers, Values::kLogUniform, Values::kTies, "K of many sizes"},
      {Values::kSignedZeros, Values::kNormal, Values::kOutlierChannel, "flat scores"},
  };
  for (std::size_t f = 0; f < std::size(kKvFormats); ++f) {
    for (std::size_t s = 0; s < std::size(kShapes); ++s) {
      const KvFormat format = kKvFormats[f];
      const AttentionShape& shape = kShapes[s];
      // Two kinds of values a shape, the other two for its neighbours and for the next format.
      for (const std::size_t i : {(f + s) % 2, (f + s) % 2 + 2}) {
        const auto& kind = kinds[i];
        AttentionProblem problem(format, fitting(format, shape));
        problem.fill_all(kind.q, kind.k, kind.v, random);
        problem.store();
        EXPECT_TRUE(problem.matches_oracle(GetParam().run))
            << kv_format_name(format) << ", " << problem.shape << ", " << kind.name;
      }
    }
  }
}

/// What V must be made of for a format to hold it exactly.
bool holds_integers(KvFormat format) {
  return kv_traits(format).bits >= 8 && format != KvFormat::kFp8E5m2;
}

TEST_P(AttentionDecode, PicksTheValueOfTheTokenThatOutscoresAllOthers) {
  // Token t is 40 in channel t, a query 40 in that of the token it looks for: 1600 / √72 = 188
  // above the rest, whose weights vanish, so the output is V to the last bit.
  constexpr AttentionShape kShape{
      .M = 70, .n_heads = 6, .n_kv_heads = 2, .head_dim = 72, .length = 72};
  const auto token_of = [](std::int64_t m, std::int64_t h) { return (7 * m + 11 * h) % (m + 3); };
  for (const KvFormat format : kKvFormats) {
    if (!holds_integers(format)) continue;
    AttentionProblem problem(format, kShape);
    Random random(1);
    problem.fill_all(Values::kIntegers, Values::kIntegers, Values::kIntegers, random);
    for (std::int64_t t = 0; t < 72; ++t) {
      for (std::int64_t c = 0; c < 2 * 72; ++c) problem.k.view()(t, c) = c % 72 == t ? 40 : 0;
      for (const int c : {0, 72}) problem.v.view()(t, c) = 127;  // an INT8 scale of 1: V is exact
    }
    for (std::int64_t m = 0; m < kShape.M; ++m) {
      for (std::int64_t c = 0; c < 6 * 72; ++c) {
        problem.q.view()(m, c) = c % 72 == token_of(m, c / 72) ? 40 : 0;
      }
    }
    problem.store();
    const Guarded<float> out = problem.run(GetParam().run);
    for (std::int64_t m = 0; m < kShape.M; ++m) {
      for (std::int64_t c = 0; c < 6 * 72; ++c) {
        if (c % 72 == 0) continue;  // FP8 holds no 127
        const std::int64_t h = c / 72, kv_head = h / 3;
        ASSERT_EQ(out.view()(m, c), problem.v.view()(token_of(m, h), kv_head * 72 + c % 72))
            << kv_format_name(format) << ", query " << m << ", head " << h << ", channel "
            << c % 72;
      }
    }
  }
}

TEST_P(AttentionDecode, GivesTheOnlyTokensValueBack) {
  const TestSeed seed;
  Random random(seed);
  for (const KvFormat format : kKvFormats) {
    for (const std::int64_t wanted : {1, 7, 8, 64, 100}) {
      const std::int64_t head_dim = fitting_dim(format, wanted);
      AttentionProblem problem(format, {1, 4, 2, head_dim, 1});
      problem.fill_all(Values::kNormal, Values::kNormal, Values::kLogUniform, random);
      problem.store();
      Matrix<double> value(1, 4 * head_dim), unused(1, 4 * head_dim);
      attention_decode_ref(problem.q.view(), problem.cache.layer(0), value.view(), unused.view());
      EXPECT_TRUE(matches(problem.run(GetParam().run).view(), value.view(), exactly()))
          << kv_format_name(format) << ", head_dim " << head_dim;
    }
  }
}

TEST_P(AttentionDecode, FindsALateMaximumInALongContext) {
  // Scores climb to 100 at the last token but one: each block rescales all that was summed before.
  const TestSeed seed;
  Random random(seed);
  for (const KvFormat format : kKvFormats) {
    const std::int64_t D = fitting_dim(format, 16);
    AttentionProblem problem(format, {1, 2, 1, D, 4001});
    problem.fill_all(Values::kSignedZeros, Values::kNormal, Values::kNormal, random);
    for (const std::int64_t h : {0, 1}) problem.q.view()(0, D * h) = 4;  // score: 4 · k / √D
    for (std::int64_t t = 0; t < 4001; ++t) {
      problem.k.view()(t, 0) = t == 4000 ? -100 : static_cast<float>(t) / 40;
    }
    problem.store();
    EXPECT_TRUE(problem.matches_oracle(GetParam().run)) << kv_format_name(format);
  }
}

TEST_P(AttentionDecode, GivesAQueryTheSameBitsAloneAndInAPrompt) {
  const TestSeed seed;
  Random random(seed);
  for (const KvFormat format : kKvFormats) {
    const AttentionShape shape = fitting(format, {67, 3, 3, 20, 170});
    const std::int64_t q_cols = 3 * shape.head_dim;
    AttentionProblem problem(format, shape);
    problem.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
    problem.store();
    const Guarded<float> prompt = problem.run(GetParam().run);
    for (std::int64_t m = 0; m < shape.M; ++m) {
      KvView kv = problem.cache.layer(0);
      kv.length = shape.length - shape.M + 1 + m;
      std::vector<float> alone(static_cast<std::size_t>(q_cols));
      ThreadPool threads(1);
      GetParam().run(problem.q.view().rows_from(m, 1), kv, {alone.data(), 1, q_cols, q_cols},
                     threads);
      ASSERT_EQ(std::memcmp(alone.data(), prompt.view().row(m), alone.size() * sizeof(float)), 0)
          << kv_format_name(format) << ", query " << m;
    }
  }
}

TEST_P(AttentionDecode, SharesAKvHeadAsIfEachQueryHeadHadACopy) {
  const TestSeed seed;
  Random random(seed);
  for (const KvFormat format : kKvFormats) {
    const std::int64_t D = fitting_dim(format, 24);
    AttentionProblem shared(format, {3, 6, 2, D, 150}), copied(format, {3, 6, 6, D, 150});
    shared.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
    for (std::int64_t c = 0; c < 6 * D; ++c) {
      const std::int64_t from = c / (3 * D) * D + c % D;  // heads 0 … 2 share KV head 0
      for (std::int64_t m = 0; m < 3; ++m) copied.q.view()(m, c) = shared.q.view()(m, c);
      for (std::int64_t t = 0; t < 150; ++t) {
        copied.k.view()(t, c) = shared.k.view()(t, from);
        copied.v.view()(t, c) = shared.v.view()(t, from);
      }
    }
    shared.store();
    copied.store();
    EXPECT_TRUE(shared.run(GetParam().run).written_exactly(copied.run(GetParam().run, 1, 0x5A)))
        << kv_format_name(format);
  }
}

TEST_P(AttentionDecode, AppliesAnInt8ScaleToScoresAndWeightsOnly) {
  // K twice as large and Q half as large give the same scores; V twice as large the output.
  const TestSeed seed;
  Random random(seed);
  AttentionProblem one(KvFormat::kInt8, {2, 4, 2, 40, 90}), two(KvFormat::kInt8, {2, 4, 2, 40, 90});
  one.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
  for (std::int64_t c = 0; c < 4 * 40; ++c) {
    for (std::int64_t m = 0; m < 2; ++m) two.q.view()(m, c) = one.q.view()(m, c) / 2;
    for (std::int64_t t = 0; c < 2 * 40 && t < 90; ++t) {
      two.k.view()(t, c) = 2 * one.k.view()(t, c);
      two.v.view()(t, c) = 2 * one.v.view()(t, c);
    }
  }
  one.store();
  two.store();
  const Guarded<float> out = one.run(GetParam().run), doubled = two.run(GetParam().run);
  for (std::int64_t c = 0; c < 4 * 40; ++c) {
    ASSERT_EQ(doubled.view()(1, c), 2 * out.view()(1, c)) << c;
  }
}

TEST_P(AttentionDecode, WritesTheSameBitsWithEveryNumberOfThreadsAndNothingElse) {
  for (const KvFormat format : kKvFormats) {
    for (const AttentionShape& shape : kShapes) {
      AttentionProblem problem(format, fitting(format, shape));
      Random random(1);
      problem.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
      problem.store();
      const Guarded<float> one = problem.run(GetParam().run);
      for (const int threads : {1, 2, 3}) {
        EXPECT_TRUE(one.written_exactly(problem.run(GetParam().run, threads, 0x5A)))
            << kv_format_name(format) << ", " << shape << ", " << threads << " threads";
      }
    }
  }
}

TEST_P(AttentionDecode, ReadsNothingOutsideItsInputs) {
  for (const KvFormat format : kKvFormats) {
    for (const AttentionShape& shape : kShapes) {
      AttentionProblem problem(format, fitting(format, shape), /*spare=*/0);
      Random random(1);
      problem.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
      problem.store();
      run_fenced(GetParam().run, problem);
    }
  }
}

TEST(AttentionDecodeCall, RefusesWhatDoesNotFit) {
  using testing::HasSubstr;
  using testing::ThrowsMessage;
  ThreadPool threads(1);
  const AttentionProblem empty(KvFormat::kFp16, {2, 4, 2, 8, 3});
  AttentionProblem problem(KvFormat::kFp16, {2, 4, 2, 8, 3});
  Random random(1);
  problem.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
  problem.store();
  const auto call = [&](const KvCache& cache, std::int64_t q_cols, std::int64_t out_cols) {
    const Matrix<float> q(2, q_cols);
    Matrix<float> out(2, out_cols);
    attention_decode(q.view(), cache.layer(0), out.view(), {threads});
  };
  EXPECT_NO_THROW(call(problem.cache, 4 * 8, 4 * 8));
  EXPECT_THAT([&] { call(problem.cache, 3 * 8, 3 * 8); },
              ThrowsMessage<ContractError>(
                  HasSubstr("Q has 24 columns for 2 KV heads of head_dim 8; n_heads must be")));
  EXPECT_THAT([&] { call(problem.cache, 33, 33); },
              ThrowsMessage<ContractError>(HasSubstr("Q has 33 columns")));
  EXPECT_THAT([&] { call(problem.cache, 0, 0); },
              ThrowsMessage<ContractError>(HasSubstr("Q has 0 columns")));
  EXPECT_THAT([&] { call(problem.cache, 32, 16); },
              ThrowsMessage<ContractError>(HasSubstr("out is [2, 16], expected [2, 32]")));
  EXPECT_THAT([&] { call(empty.cache, 32, 32); },
              ThrowsMessage<ContractError>(
                  HasSubstr("2 queries on a cache of length 0 and capacity 8; append")));
}

}  // namespace
}  // namespace qlab::test
