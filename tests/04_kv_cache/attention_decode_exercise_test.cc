// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise attention_decode. Caches are longer than what is written, and the rest is NaN.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "04_kv_cache/attention_decode_checks.h"

namespace qlab::test {
namespace {

TEST(AttentionDecodeExercise, MatchesPaperAndPencil) {
  // head_dim 4, so scores are halved. Scores: ½·(2·1)·1 = 1, ½·(2·3)·1 = 3, ½·(2·2)·1 = 2.
  AttentionProblem p = int8_problem({1, 1, 1, 4, 3});
  const float k[3] = {1, 3, 2}, v[3] = {127, -127, 254};
  for (std::int64_t t = 0; t < 3; ++t) {
    for (std::int64_t d = 0; d < 4; ++d) {
      p.k.view()(t, d) = d == 0 ? k[t] : d == 3 ? 127 : 0;  // the last makes the scale 1
      p.v.view()(t, d) = d == 0 ? v[t] : 0;
    }
  }
  for (std::int64_t d = 0; d < 4; ++d) p.q.view()(0, d) = d == 0 ? 2 : 0;
  p.store();
  const double e1 = std::exp(-2), e3 = 1, e2 = std::exp(-1);
  Matrix<double> expected(1, 4);
  expected(0, 0) = (127 * e1 - 127 * e3 + 254 * e2) / (e1 + e3 + e2);
  // Four roundings of weights and their sum, and one of each product: 16 · 2⁻²⁴ of Σ weight·|v|.
  const double allowed = 16 * 0x1p-24 * (127 * e1 + 127 * e3 + 254 * e2) / (e1 + e3 + e2);
  judge({.name = "\"scores 1, 3, 2 on values 127, -127, 254\"",
         .place = [&](auto, auto col) { return place_of(p.shape, col); }},
        run(p), expected.view(), [&](auto, auto) { return allowed; });
}

TEST(AttentionDecodeExercise, GivesTheOnlyTokenBack) {
  const TestSeed seed;
  Random random(seed);
  for (const AttentionShape& shape : {AttentionShape{1, 1, 1, 4, 1}, {1, 4, 2, 16, 1}}) {
    AttentionProblem p = int8_problem(shape);
    p.fill_all(Values::kNormal, Values::kNormal, Values::kLogUniform, random);
    p.store();
    check(seeded("one token: its weight is 1", seed), p);
  }
}

TEST(AttentionDecodeExercise, WeighsTokensByTheirScores) {
  const TestSeed seed;
  Random random(seed);
  for (const AttentionShape& shape : kShapes) {
    AttentionProblem p = int8_problem(shape);
    p.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
    p.store();
    check(seeded("normal", seed), p);
    if (HasFailure()) return;
  }
}

TEST(AttentionDecodeExercise, ForgetsNothingWhenTheLargestScoreComesLate) {
  // Scores climb by a half a token: every token brings a new largest.
  AttentionProblem p = int8_problem({1, 2, 1, 4, 30});
  for (std::int64_t t = 0; t < 30; ++t) {
    for (std::int64_t d = 0; d < 4; ++d) {
      p.k.view()(t, d) = d == 0 ? static_cast<float>(t) : d == 3 ? 127 : 0;
      p.v.view()(t, d) = static_cast<float>((t * 7 + d * 3) % 11 - 5);
    }
  }
  for (std::int64_t c = 0; c < 8; ++c) p.q.view()(0, c) = c % 4 == 0 ? 1 : 0;
  p.store();
  check("rising scores", p);
}

TEST(AttentionDecodeExercise, StaysFiniteWhereScoresAreLarge) {
  // Scores of ±2000 in head 0: e^2000 is no float, and e^-2000 is 0. In head 1 they are ±2.
  for (const float sign : {1.0F, -1.0F}) {
    AttentionProblem p = int8_problem({1, 2, 1, 16, 9});
    for (std::int64_t t = 0; t < 9; ++t) {
      for (std::int64_t d = 0; d < 16; ++d) {
        p.k.view()(t, d) = sign * static_cast<float>(500 + t);
        p.v.view()(t, d) = static_cast<float>(t + 1);
      }
    }
    for (std::int64_t c = 0; c < 32; ++c) p.q.view()(0, c) = c < 16 ? 1 : 0x1p-10F;
    p.store();
    check(sign > 0 ? "scores around 2000" : "scores around -2000", p);
  }
}

TEST(AttentionDecodeExercise, KeepsVsScaleOutOfTheSum) {
  // All values of a token are equal, and so are the tokens: the output is that value, whatever the
  // weights. Scales of V are 8/127, so a sum of weights that has them is 16 times too small.
  const TestSeed seed;
  Random random(seed);
  AttentionProblem p = int8_problem({1, 4, 2, 8, 25});
  p.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
  for (std::int64_t t = 0; t < 25; ++t) std::ranges::fill(p.v.view().row(t, 0, 16), 8.0F);
  p.store();
  check(seeded("V is 8 everywhere", seed), p);
}

TEST(AttentionDecodeExercise, TakesTheScaleOfEachToken) {
  // Scales of K and of V double from token to token, and differ by head.
  const TestSeed seed;
  Random random(seed);
  AttentionProblem p = int8_problem({1, 4, 2, 16, 8});
  p.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
  for (std::int64_t t = 0; t < 8; ++t) {
    for (std::int64_t c = 0; c < 32; ++c) {
      const double head = c < 16 ? 1 : 0.25;
      p.k.view()(t, c) *= static_cast<float>(std::exp2(t - 5) * head);
      p.v.view()(t, c) *= static_cast<float>(std::exp2(4 - t) * head);
    }
  }
  p.store();
  check(seeded("scales that double from token to token", seed), p);
}

TEST(AttentionDecodeExercise, ReadsTheHeadsAsGroupsOfNeighbours) {
  // KV head g holds g + 1 in V, so the output names the head that was read.
  for (const AttentionShape& shape : kShapes) {
    AttentionProblem p = int8_problem(shape);
    Random random(1);
    p.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
    for (std::int64_t t = 0; t < shape.length; ++t) {
      for (std::int64_t c = 0; c < shape.n_kv_heads * shape.head_dim; ++c) {
        p.v.view()(t, c) = static_cast<float>(c / shape.head_dim + 1);
      }
    }
    p.store();
    check("V of KV head g is g + 1", p);
    if (HasFailure()) return;
  }
}

TEST(AttentionDecodeExercise, MatchesNumbersMadeElsewhere) {
  // The largest score comes at token 7 of 12.
  std::ifstream file(QLAB_SOURCE_DIR "/tests/04_kv_cache/golden/online_softmax.txt");
  std::string comment;
  std::int64_t T = 0, D = 0;
  ASSERT_TRUE(std::getline(file, comment) && file >> T >> D);
  const auto read = [&](std::int64_t count) {
    std::vector<double> values(static_cast<std::size_t>(count));
    for (double& value : values) file >> value;
    return values;
  };
  const auto q = read(D), k = read(T * D), v = read(T * D), ks = read(T), vs = read(T),
             expected = read(D);
  ASSERT_TRUE(file) << "online_softmax.txt ends early";
  AttentionProblem p = int8_problem({1, 1, 1, D, T});
  Random random(1);
  p.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
  p.store();  // so that the cache has its length; then codes and scales take their places
  const KvView kv = p.cache.layer(0);
  for (std::int64_t t = 0; t < T; ++t) {
    const auto i = static_cast<std::size_t>(t);
    for (std::int64_t d = 0; d < D; ++d) {
      const auto j = static_cast<std::size_t>(t * D + d);
      const_cast<std::int8_t&>(kv.row<std::int8_t>(kv.k, 0, t)[d]) = static_cast<std::int8_t>(k[j]);
      const_cast<std::int8_t&>(kv.row<std::int8_t>(kv.v, 0, t)[d]) = static_cast<std::int8_t>(v[j]);
      p.q.view()(0, d) = static_cast<float>(q[static_cast<std::size_t>(d)]);
    }
    const_cast<half_t&>(kv.k.scale[kv.scale_index(kv.k, 0, t)]) = element<half_t>(ks[i]);
    const_cast<half_t&>(kv.v.scale[kv.scale_index(kv.v, 0, t)]) = element<half_t>(vs[i]);
  }
  Matrix<double> value(1, D), tolerance(1, D);
  attention_decode_ref(p.q.view(), kv, value.view(), tolerance.view());
  judge({.name = name_of("numbers made elsewhere", p.shape),
         .place = [&](auto, auto col) { return place_of(p.shape, col); }},
        run(p), {expected.data(), 1, D, D}, [&](auto r, auto c) { return tolerance(r, c); });
}

TEST(AttentionDecodeExercise, FollowsTheBlockTable) {
  RecordProperty("guards",
                 "reads through the given row() and scale_index(): a learner who computes places "
                 "of tokens alone goes wrong where blocks are out of order");
  const TestSeed seed;
  Random random(seed);
  AttentionProblem p = int8_problem({1, 4, 2, 16, 43}, {.block_tokens = 16, .table = {2, 0, 1}});
  p.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
  p.store();
  check(seeded("blocks of 16 tokens out of order", seed), p);
}

TEST(AttentionDecodeExercise, ReadsNothingBehindTheLastToken) {
  // The cache behind `length` is NaN scales and codes of -1: one token too many is NaN everywhere.
  const TestSeed seed;
  Random random(seed);
  for (const AttentionShape& shape : kShapes) {
    AttentionProblem p = int8_problem(shape);
    p.fill_all(Values::kNormal, Values::kIntegers, Values::kIntegers, random);
    p.store();
    check(seeded("NaN behind the last token", seed), p, run(p));
    // Old numbers in the output must leave no trace either.
    check(seeded("NaN behind the last token", seed), p, run(p, Guarded<float>::kOtherPoison));
    if (HasFailure()) return;
  }
}

TEST(AttentionDecodeExercise, RefusesWhatItCannotRead) {
  Random random(1);
  AttentionProblem p = int8_problem({1, 4, 2, 8, 3});
  p.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
  p.store();
  check("accepted", p);
  const AttentionProblem empty = int8_problem({1, 4, 2, 8, 3});
  AttentionProblem half(KvFormat::kFp16, {1, 4, 2, 8, 3});
  half.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
  half.store();
  const auto call = [](const KvView& kv, std::int64_t rows, std::int64_t cols) {
    return [kv, rows, cols] {
      const Matrix<float> q(rows, cols);
      Matrix<float> out(rows, cols);
      exercise::attention_decode(q.view(), kv, out.view());
    };
  };
  KvView outside = p.cache.layer(0);
  const std::int32_t table[] = {9};
  outside.table = table;
  check_refusals(
      "what does not fit",
      {{"3 heads on 2", "Q has 24 columns for 2 KV heads", call(p.cache.layer(0), 1, 24)},
       {"two queries", "2 queries; give the newest", call(p.cache.layer(0), 2, 32)},
       {"an empty cache", "1 queries on a cache of length 0", call(empty.cache.layer(0), 1, 32)},
       {"FP16", "the cache holds fp16 and fp16", call(half.cache.layer(0), 1, 32)},
       {"a block outside", "is 9, outside the pool of 1 blocks", call(outside, 1, 32)}});
}

TEST(AttentionDecodeExercise, ReadsHalfTheBytes) {
  const TestSeed seed;
  Random random(seed);
  constexpr AttentionShape kShape{1, 8, 2, 64, 1000};
  AttentionProblem p = int8_problem(kShape), half(KvFormat::kFp16, kShape);
  p.fill_all(Values::kNormal, Values::kNormal, Values::kNormal, random);
  for (std::int64_t t = 0; t < kShape.length; ++t) {
    std::ranges::copy(p.k.view().row(t, 0, 128), half.k.view().row(t));
    std::ranges::copy(p.v.view().row(t, 0, 128), half.v.view().row(t));
  }
  p.store();
  half.store();
  const Guarded<float> out = run(p);
  check(seeded("a thousand tokens", seed), p, out);
  Matrix<double> exact(1, 512), unused(1, 512);
  attention_decode_ref(p.q.view(), half.cache.layer(0), exact.view(), unused.view());
  double error = 0, size = 0;
  for (std::int64_t c = 0; c < 512; ++c) {
    error += std::pow(out.view()(0, c) - exact(0, c), 2);
    size += std::pow(exact(0, c), 2);
  }
  std::ostringstream fact;
  fact.precision(3);
  fact << "Over 1000 tokens you read "
       << static_cast<double>(kv_row_bytes(KvFormat::kInt8, 64)) /
              static_cast<double>(kv_row_bytes(KvFormat::kFp16, 64))
       << " of FP16's bytes; the output differs from that of the FP16 cache by "
       << 100 * std::sqrt(error / size) << " % (root mean square).";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
