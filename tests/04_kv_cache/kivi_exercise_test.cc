// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise kivi: codes, scales, minima and windows are compared exactly, with an
/// oracle that sees all tokens at once; scores with their bound, or exactly where nothing rounds.
#include "04_kv_cache/kivi.h"

#include <cmath>
#include <string>
#include <vector>

#include "04_kv_cache/kivi_checks.h"
#include "04_kv_cache/kivi_errors.h"
#include "04_kv_cache/kivi_golden.h"
#include "04_kv_cache/kivi_readings.h"
#include "04_kv_cache/kivi_refusals.h"
#include "support/fenced.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

// The figures of the lab's table: keys and values of Llama-3-8B, 32 layers of 8 heads.
static_assert(32 * 8 * kivi_token_bytes({.head_dim = 128, .capacity = 1, .bits = 4}) == 40960);
static_assert(32 * 8 * kivi_token_bytes({.head_dim = 128, .capacity = 1, .bits = 2}) == 24576);

/// A cache as the oracle fills it.
KiviCache filled(const KiviShape& s, MatrixView<const float> K, MatrixView<const float> V) {
  KiviPair cache(s);  // what nobody reads is poison
  kivi_cache_ref(K, V, cache.one);
  return cache.one;
}

TEST(Kivi, QuantizesAGroupBetweenItsEnds) {
  // The first step is 1, from a minimum that is no multiple of it: 10.25 has code 0.
  for (const std::vector<float>& x : std::vector<std::vector<float>>{
           {10.25F, 13.25F, 11.25F, 12.25F}, {-6, -3, -5.75F, -4}, {0.5F, -0.25F, 1, 0.125F}}) {
    for (const int bits : {2, 4}) check_group("ends", x, bits);
    if (HasFailure()) return;
  }
}

TEST(Kivi, RoundsTiesToEven) {
  check_group("halves of a step", {0, 2.5F, 0.5F, 3, 1.5F}, 2);
  check_group("halves of a step", {15, 4.5F, 0, 11.5F, 0.5F, 8.5F, 2.5F, 13.5F}, 4);
  check_group("halves of a step above 7", {7, 9.5F, 7.5F, 10, 8.5F}, 2);
}

TEST(Kivi, RoundsWithTheScaleThatIsStored) {
  // 2050 / 3 is stored as 683.5, and 1025 lies just under the tie 1.5; 2050 / 15 as 136.625, which
  // puts 1298 just above 9.5.
  check_group("scales that FP16 rounds", {0, 2050, 1025, 1}, 2);
  check_group("scales that FP16 rounds", {0, 2050, 1298, 1}, 4);
}

TEST(Kivi, ReadsAConstantGroupAsItsValue) {
  for (const int bits : {2, 4}) {
    check_group("a constant group", {7.5F, 7.5F, 7.5F, 7.5F}, bits);
    check_group("zeros", {0, 0, 0, 0}, bits);
    check_group("a constant group", {-60000, -60000, -60000, -60000}, bits);
    // A third of 2⁻²⁴ is no FP16 number any more.
    check_group("a range too small for a step", {0x1p-24F, 0, 0x1p-24F, 0}, bits);
    if (HasFailure()) return;
  }
}

TEST(Kivi, ClampsToTheLastCode) {
  // 4 / 3 and 22 / 15 of the smallest FP16 number are stored as that number: 22 steps to the
  // largest.
  check_group("scales that FP16 rounds by much", {0, 4 * 0x1p-24F, 0x1p-24F, 0}, 2);
  check_group("scales that FP16 rounds by much", {0, 22 * 0x1p-24F, 0x1p-24F, 0}, 4);
  check_group("the widest range", {-65504, 65504, 0, 1}, 2);
}

TEST(Kivi, GivesTheSameCodesInAnyOrder) {
  const TestSeed seed;
  Random random(seed);
  std::vector<half_t> x(32), turned(32);
  for (half_t& value : x) value = from_float<half_t>(static_cast<float>(random.normal() + 3));
  std::vector<std::uint8_t> codes(32), turned_codes(32);
  const KiviGroup group = exercise::kivi_quantize_group(x, 4, codes);
  std::vector<Answer> answers;
  for (std::size_t shift = 1; shift < 32; ++shift) {  // every value comes to stand everywhere
    for (std::size_t i = 0; i < 32; ++i) turned[(i + shift) % 32] = x[i];
    const KiviGroup now = exercise::kivi_quantize_group(turned, 4, turned_codes);
    const std::string places = ", turned by " + std::to_string(shift) + " places";
    answers.push_back({"the scale" + places, to_float(now.scale), to_float(group.scale)});
    answers.push_back({"the minimum" + places, to_float(now.min), to_float(group.min)});
    for (std::size_t i = 0; i < 32; ++i) {
      answers.push_back({"the code of x = " + number_text(to_float(x[i])) + places,
                         static_cast<float>(turned_codes[(i + shift) % 32]),
                         static_cast<double>(codes[i])});
    }
  }
  judge_answers("one group in 32 orders, seed " + std::to_string(seed), answers);
}

TEST(Kivi, KeepsTokensInFp16UntilTheWindowIsFull) {
  const TestSeed seed;
  Random random(seed);
  // Integers up to 7: nothing rounds in FP16, nor in the sums.
  const KiviShape s = {.head_dim = 12, .capacity = 9, .group = 4, .window = 8, .bits = 2};
  for (const std::int64_t T : {1, 3, 7}) {
    Operand<float> K(T, 12), V(T, 12);
    fill(K.view(), Values::kIntegers, random);
    fill(V.view(), Values::kIntegers, random);
    check_cache("a window that is not full", s, K.view(), V.view());
    if (HasFailure()) return;
    KiviCache cache(s);
    append_all(K.view(), V.view(), cache);
    Matrix<double> keys(T, 12), values(T, 12);
    for (std::int64_t t = 0; t < T; ++t) {
      for (std::int64_t d = 0; d < 12; ++d) {
        keys(t, d) = K.view()(t, d);
        values(t, d) = V.view()(t, d);
      }
    }
    judge_readings("as FP16 keeps it: " + shape_text(s, T), cache, keys.view(), values.view());
  }
}

TEST(Kivi, CodesAllKeysOfAFullWindowAndTheOldestValue) {
  const TestSeed seed;
  Random random(seed);
  const KiviShape s = {.head_dim = 8, .capacity = 20, .group = 4, .window = 8, .bits = 4};
  const Operand<float> K = with_offsets(20, 8, random), V = normal(20, 8, random);
  KiviPair got(s);
  for (std::int64_t t = 0; t < 20; ++t) {
    for (KiviCache* const cache : {&got.one, &got.two}) {
      exercise::kivi_append(token_of(K.view(), t), token_of(V.view(), t), *cache);
    }
    const std::string name = "token by token, seed " + std::to_string(seed);
    judge_cache(name, got, K.view().rows_from(0, t + 1), V.view().rows_from(0, t + 1));
    if (HasFailure()) return;
  }
}

TEST(Kivi, ChangesNothingThatIsCoded) {
  const TestSeed seed;
  Random random(seed);
  const KiviShape s = {.head_dim = 8, .capacity = 26, .group = 4, .window = 8, .bits = 2};
  const Operand<float> K = with_offsets(26, 8, random), V = normal(26, 8, random);
  KiviPair got(s);
  for (std::int64_t t = 0; t < 26; ++t) {
    const KiviCache before = got.one;
    for (KiviCache* const cache : {&got.one, &got.two}) {
      exercise::kivi_append(token_of(K.view(), t), token_of(V.view(), t), *cache);
    }
    check_unchanged("coded before, seed " + std::to_string(seed), before, got.one);
    if (HasFailure()) return;
  }
}

TEST(Kivi, ReadsValuesOnTheGridExactly) {
  // a + b · j with the ends of the codes in every group: the scale is b, the minimum a.
  for (const int bits : {2, 4}) {
    const KiviShape s = {.head_dim = 16, .capacity = 48, .group = 16, .window = 16, .bits = bits};
    const int codes = 1 << bits;
    Matrix<float> K(48, 16), V(48, 16);
    Matrix<double> keys(48, 16), values(48, 16);
    for (std::int64_t t = 0; t < 48; ++t) {
      for (std::int64_t d = 0; d < 16; ++d) {
        const auto j = static_cast<float>((t * 5 + d * 3) % codes);
        K(t, d) = static_cast<float>(d) * 1.5F - 7 + 0.375F * j;
        V(t, d) = static_cast<float>(t) * 0.25F - 3 + 0.75F * j;
        keys(t, d) = K(t, d);
        values(t, d) = V(t, d);
      }
    }
    KiviCache cache(s);
    append_all(K.view(), V.view(), cache);
    judge_readings("values on a grid: " + shape_text(s, 48), cache, keys.view(), values.view());
  }
}

TEST(Kivi, ScoresEachBlockWithItsOwnScales) {
  // Integers and scales of powers of two: no sum rounds.
  const KiviShape s = {.head_dim = 12, .capacity = 23, .group = 4, .window = 4, .bits = 2};
  Matrix<float> K(23, 12);
  for (std::int64_t t = 0; t < 23; ++t) {
    for (std::int64_t d = 0; d < 12; ++d) {
      const std::int64_t block = t / 4, step = std::int64_t{1} << (block + d) % 4;
      K(t, d) = static_cast<float>(step * ((t * 3 + d) % 4) + 5 * block - 2 * d);
    }
  }
  const KiviCache cache = filled(s, K.view(), K.view());
  for (std::int64_t d = 0; d < 12; ++d) {
    std::vector<float> q(12);
    q[static_cast<std::size_t>(d)] = 1;
    check_scores("q of ones at channel " + std::to_string(d), cache, q, /*exact=*/true);
    if (HasFailure()) return;
  }
  check_scores("integers", cache, std::vector<float>{1, -2, 3, 1, 5, -1, 2, 2, -3, 1, 4, -7},
               /*exact=*/true);
}

TEST(Kivi, ScoresAsADequantizedCacheDoes) {
  const TestSeed seed;
  Random random(seed);
  for (const int bits : {2, 4}) {
    for (const std::int64_t T : {0, 1, 16, 31, 32, 53}) {
      const KiviShape s = {.head_dim = 48, .capacity = 53, .group = 8, .window = 16, .bits = bits};
      const Operand<float> K = with_offsets(T, 48, random), q = normal(1, 48, random);
      const KiviCache cache = filled(s, K.view(), K.view());
      const std::string name = "normal keys, two with offsets, seed " + std::to_string(seed);
      check_scores(name, cache, token_of(q.view(), 0), /*exact=*/false);
      if (HasFailure()) return;
    }
  }
}

TEST(Kivi, WeighsTheValuesThatWereAppended) {
  const TestSeed seed;
  Random random(seed);
  for (const std::int64_t T : {1, 8, 9, 40}) {
    const KiviShape s = {.head_dim = 24, .capacity = 40, .group = 8, .window = 8, .bits = 4};
    const Operand<float> K = normal(T, 24, random), V = normal(T, 24, random);
    Operand<float> p(1, T);
    for (std::int64_t t = 0; t < T; ++t) p.view()(0, t) = static_cast<float>(random.uniform());
    KiviCache got(s);
    append_all(K.view(), V.view(), got);
    const std::string name = "seed " + std::to_string(seed);
    check_cache(name, s, K.view(), V.view());
    check_output(name, got, token_of(p.view(), 0));
    if (HasFailure()) return;
  }
}

TEST(Kivi, MatchesTheGoldenCache) {
  const KiviGolden golden = read_kivi_golden();
  for (const KiviGolden::Coded& coded : golden.coded) {
    KiviPair got(coded.expected.one.shape);
    append_all(golden.K.view(), golden.V.view(), got.one);
    append_all(golden.K.view(), golden.V.view(), got.two);
    for (const bool keys : {true, false}) {
      judge_tensor("golden, " + std::to_string(coded.bits) + " bits", got, coded.expected, keys);
      if (HasFailure()) return;
    }
    judge_readings("golden, " + std::to_string(coded.bits) + " bits", got.one, coded.keys.view(),
                   coded.values.view());
  }
}

TEST(Kivi, CostsAnOffsetChannelNothing) { check_golden_errors(); }

TEST(Kivi, KeepsWhatScalesPerTokenLose) {
  const TestSeed seed;
  RecordProperty("fact", compare_scales_of_keys(seed));
}

TEST(Kivi, AgreesWithTheOracleOnManyCaches) {
  const TestSeed seed;
  Random random(seed);
  for (int draw = 0; draw < 60; ++draw) {
    const std::int64_t group = 4 * (1 + random.below(4));
    const KiviShape s = {.head_dim = group * (1 + random.below(3)),
                         .capacity = 1 + random.below(70),
                         .group = group,
                         .window = group * (1 + random.below(3)),
                         .bits = random.below(2) == 0 ? 2 : 4};
    const std::int64_t T = 1 + random.below(s.capacity);
    const NamedValues& kind = kAllValues[random.below(std::ssize(kAllValues))];
    Operand<float> K(T, s.head_dim), V(T, s.head_dim), q(1, s.head_dim);
    fill(K.view(), kind.values, random);
    fill(V.view(), kind.values, random);
    fill(q.view(), Values::kNormal, random);
    const std::string name = std::string(kind.name) + ", seed " + std::to_string(seed);
    check_cache(name, s, K.view(), V.view());
    check_scores(name, filled(s, K.view(), V.view()), token_of(q.view(), 0), /*exact=*/false);
    if (HasFailure()) return;
  }
}

TEST(Kivi, ReadsNothingOutsideItsInputs) {
  RecordProperty("guards", "a read past the end, which ends the program and is no mutant's output");
  const TestSeed seed;
  Random random(seed);
  const KiviShape s = {.head_dim = 8, .capacity = 13, .group = 4, .window = 4, .bits = 4};
  const Operand<float> K = normal(13, 8, random), V = normal(13, 8, random);
  KiviPair got(s);
  for (std::int64_t t = 0; t < 13; ++t) {
    const Fenced<float> k(K.view().rows_from(t, 1)), v(V.view().rows_from(t, 1));
    for (KiviCache* const cache : {&got.one, &got.two}) {
      exercise::kivi_append(token_of(k.view(), 0), token_of(v.view(), 0), *cache);
    }
  }
  judge_cache("memory ends behind k and v", got, K.view(), V.view());
  const Fenced<float> q(K.view().rows_from(0, 1));
  check_scores("memory ends behind q", got.one, token_of(q.view(), 0), /*exact=*/false);
}

TEST(Kivi, RefusesWhatItCannotKeep) {
  RecordProperty("guards", "the checks before the regions, which are given");
  check_kivi_shapes_refused();
  check_kivi_calls_refused();
}

}  // namespace
}  // namespace qlab::test
