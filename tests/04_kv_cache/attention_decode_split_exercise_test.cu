// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise attention_decode_split.
#include "04_kv_cache/attention_decode_split.h"

#include "04_kv_cache/golden/attention_decode_split_golden.h"
#include "04_kv_cache/kv_cuda.h"

namespace qlab::test {
namespace {

struct AttentionDecodeSplit : CudaExercise {};

constexpr double kUnit = 0x1p-24;
constexpr KvShape kOneHead = {.heads = 1, .kv_heads = 1, .head_dim = 64, .capacity = 130};

/// K = 0, so that every score is 0 and every weight 1; token t has V = t % 7 in all channels.
SplitCase equal_scores(KvDeviceFormat format, std::vector<int> lengths, int splits) {
  SplitCase c("K = 0, V of token t is t mod 7", format, kOneHead, std::move(lengths), splits);
  c.fill_q([](auto, auto, auto d) { return d + 1; });
  c.fill_codes(c.k, [](auto...) { return 0; });
  c.fill_codes(c.v, [](auto, auto, auto t, auto) { return t % 7; });
  return c;
}

TEST_F(AttentionDecodeSplit, TakesEachTokenInOneSplit) {
  // Every weight is 1, so l counts a split's tokens; l and o are small integers, exact in any order.
  for (const int length : {1, 32, 33, 65, 100, 130}) {
    for (const int splits : {1, 2, 3, 7}) {
      const SplitCase c = equal_scores(KvDeviceFormat::kFp16, {length}, splits);
      const SplitResult got = run(c);
      Matrix<float> came(2, splits);
      Matrix<double> expected(2, splits);
      const int chunk = ((length + splits - 1) / splits + 31) / 32 * 32;
      for (int s = 0; s < splits; ++s) {
        came(0, s) = got.l(s, 0);
        came(1, s) = got.o(s, 0);
        for (int t = s * chunk; t < std::min((s + 1) * chunk, length); ++t) {
          expected(0, s) += 1;
          expected(1, s) += t % 7;
        }
      }
      const auto place = [](std::int64_t row, std::int64_t s) {
        return (row == 0 ? "l, the number of tokens, of split "
                         : "o, the sum of their V, of split ") +
               std::to_string(s);
      };
      judge({.name = c.name, .place = place}, came.view(), expected.view(), exactly());
      if (HasFailure()) return;
    }
  }
}

TEST_F(AttentionDecodeSplit, GivesTheMeanWhereScoresAreEqual) {
  const std::vector<int> lengths = {1, 2, 31, 32, 33, 100, 130};
  for (const KvDeviceFormat format : kKvDeviceFormats) {
    const SplitCase c = equal_scores(format, lengths, 3);
    Matrix<double> mean(c.batch(), 64);
    for (std::size_t b = 0; b < lengths.size(); ++b) {
      double sum = 0;
      for (int t = 0; t < lengths[b]; ++t) sum += t % 7;
      std::fill_n(&mean(static_cast<std::int64_t>(b), 0), 64, sum / lengths[b]);
    }
    judge(described(c), run(c).out.view(), mean.view(), relative(mean.view(), kUnit));
    if (HasFailure()) return;
  }
}

TEST_F(AttentionDecodeSplit, LeavesAnEmptyPartThatWeighsNothing) {
  // With 3 tokens, all splits but the first are empty: m = -∞, which is judged as -1, and l = o = 0.
  const SplitCase c = equal_scores(KvDeviceFormat::kInt8, {3}, 4);
  const SplitResult got = run(c);
  Matrix<float> came(4, 3);
  Matrix<double> expected(4, 3);
  for (int s = 0; s < 4; ++s) {
    const float m = got.m(s, 0);
    came(s, 0) = m == -INFINITY ? -1.0F : m;
    came(s, 1) = got.l(s, 0);
    came(s, 2) = got.o(s, 5);
    expected(s, 0) = s == 0 ? 0 : -1;
    expected(s, 1) = s == 0 ? 3 : 0;
    expected(s, 2) = s == 0 ? 3 : 0;
  }
  const auto place = [](std::int64_t s, std::int64_t col) {
    const char* const names[] = {"m (-1 stands for -infinity)", "l", "o"};
    return std::string(names[col]) + " of split " + std::to_string(s);
  };
  judge({.name = c.name, .place = place}, came.view(), expected.view(), exactly());
  check(c);
}

SplitCase golden_case() {
  SplitCase c("golden: INT8, three parts", KvDeviceFormat::kInt8, kOneHead, {golden::kTokens}, 3);
  const auto at = [](const auto& codes) {
    return [&codes](auto, auto, auto t, auto d) { return d < golden::kChannels ? codes[t][d] : 0; };
  };
  c.fill_q([](auto, auto, auto d) { return d < golden::kChannels ? golden::kQ[d] : 0.0; });
  c.fill_codes(c.k, at(golden::kK));
  c.fill_codes(c.v, at(golden::kV));
  for (std::size_t t = 0; t < golden::kTokens; ++t) {
    c.k.token_scale[t] = element<half_t>(golden::kKScale[t]);
    c.v.token_scale[t] = element<half_t>(golden::kVScale[t]);
  }
  return c;
}

TEST_F(AttentionDecodeSplit, MatchesTheGoldenParts) {
  const SplitCase c = golden_case();
  const SplitResult got = run(c);
  // The tolerance of attention_decode_split_ref.h, with one tile a warp: of a score δ; of l and o,
  // which are sums of positive weights times at most |v|, (2·δ + (2·√32 + 4 + 6·3)·u)·l·max|v|.
  double delta = 0, max_v = 0;
  for (int t = 0; t < golden::kTokens; ++t) {
    double abs_dot = 0;
    for (int d = 0; d < golden::kChannels; ++d) {
      abs_dot += std::fabs(golden::kQ[d] * golden::kK[t][d]) * golden::kKScale[t] / 8;
      max_v = std::max(max_v, std::fabs(golden::kV[t][d] * golden::kVScale[t]));
    }
    delta = std::max(delta, (2 * 8 + 3) * kUnit * abs_dot);
  }
  Matrix<float> came(3, 2 + golden::kChannels);
  Matrix<double> expected(3, 2 + golden::kChannels);
  for (int s = 0; s < 3; ++s) {
    for (int i = 0; i < 2 + golden::kChannels; ++i) {
      came(s, i) = i == 0 ? got.m(s, 0) : i == 1 ? got.l(s, 0) : got.o(s, i - 2);
      expected(s, i) = golden::kParts[s][i];
    }
  }
  const auto place = [](std::int64_t s, std::int64_t i) {
    return "split " + std::to_string(s) + ": " +
           (i == 0   ? "m"
            : i == 1 ? "l"
                     : "o of channel " + std::to_string(i - 2));
  };
  judge({.name = c.name, .place = place}, came.view(), expected.view(),
        [&](std::int64_t s, std::int64_t i) {
          const double factor = 2 * delta + (2 * std::sqrt(32.0) + 4 + 6 * 3) * kUnit;
          return i == 0 ? delta : factor * expected(s, 1) * (i == 1 ? 1 : max_v);
        });
}

TEST_F(AttentionDecodeSplit, MatchesTheGoldenOutput) {
  const SplitCase c = golden_case();
  Matrix<double> expected(1, c.shape.head_dim);
  std::copy_n(golden::kOut, golden::kChannels, expected.data());
  const AttentionHeadRef ref = attention_head_ref(c.q.data(), c.head(0, 0));
  judge(described(c), run(c).out.view(), expected.view(),
        [&](std::int64_t, std::int64_t d) { return ref.tolerance[static_cast<std::size_t>(d)]; });
}

TEST_F(AttentionDecodeSplit, GivesTheValueOfAnOnlyToken) {
  // Two sequences of one token show all 256 codes of a byte, where NaN does not stand; p is 1.
  for (const KvDeviceFormat format : kKvDeviceFormats) {
    SplitCase c("one token, every code", format, {4, 1, 128, 8}, {1, 1}, 2);
    c.fill_q([](auto, auto h, auto d) { return h - d % 3; });
    const auto code = [&](std::int64_t b, int d) { return static_cast<int>(128 * b) + d; };
    c.fill_codes(c.k, [](auto, auto, auto, auto d) { return d % 5; });
    c.fill_codes(c.v, [&](auto b, auto, auto, auto d) {
      const auto bits = static_cast<std::uint8_t>(code(b, d));
      if (format == KvDeviceFormat::kFp8E4m3 && (bits & 0x7F) == 0x7F) return 0.0F;
      return format == KvDeviceFormat::kFp8E4m3 ? to_float(fp8_e4m3_t{bits})
                                                : static_cast<float>(code(b, d) - 128);
    });
    for (const std::size_t at : {c.row(0, 0, 0), c.row(1, 0, 0)}) {
      c.v.token_scale[at] = element<half_t>(0.25);
    }
    c.v.head_scale[0] = 0.5F;
    Matrix<double> expected(c.q.rows(), 128);
    for (std::int64_t row = 0; row < c.q.rows(); ++row) {
      const KvHead kv = c.head(row / 4, static_cast<int>(row % 4));
      for (int d = 0; d < 128; ++d) expected(row, d) = cached_number(kv, kv.v, 0, d);
    }
    judge(described(c), run(c).out.view(), expected.view(), exactly());
    if (HasFailure()) return;
  }
}

TEST_F(AttentionDecodeSplit, KeepsQueryHeadsApart) {
  // Query head h asks for token h: its score is 181, all others' 0, and e^-181 is 0 in FP32.
  for (const KvShape& shape :
       {KvShape{2, 2, 64, 40}, {8, 2, 64, 40}, {6, 2, 64, 40}, {8, 1, 128, 40}}) {
    SplitCase c("query head h asks for token h", KvDeviceFormat::kFp8E4m3, shape, {40}, 2);
    const double size = shape.head_dim == 64 ? 38 : 45;
    c.fill_q([&](auto, auto h, auto d) { return d == h ? size : 0; });
    c.fill_codes(c.k, [&](auto, auto, auto t, auto d) { return d == t ? size : 0; });
    c.fill_codes(c.v, [](auto, auto g, auto t, auto d) { return (t + 1) * (d % 2 + 1) + 16 * g; });
    check(c);
    if (HasFailure()) return;
  }
}

TEST_F(AttentionDecodeSplit, RescalesWhenTheLargestScoreRises) {
  // The score of token t is 0.05·t, or falls so: with one split the maximum rises in every tile.
  for (const bool rises : {true, false}) {
    for (const int splits : {1, 2, 5}) {
      SplitCase c(rises ? "scores rise by 0.05" : "scores fall by 0.05", KvDeviceFormat::kFp16,
                  {4, 1, 64, 400}, {400, 140}, splits);
      c.fill_q([](auto, auto, auto d) { return d == 9 ? 8 : 0; });
      c.fill_codes(
          c.k, [&](auto, auto, auto t, auto d) { return d == 9 ? 0.05 * (rises ? t : -t) : 0; });
      c.fill_codes(c.v, [](auto, auto, auto t, auto d) { return d == 0 ? t % 16 : t / 16; });
      check(c);
      if (HasFailure()) return;
    }
  }
}

TEST_F(AttentionDecodeSplit, StandsScoresOfAnySize) {
  // Scores of ±4000 and around: e^score itself is 0 or infinite. One lies 125 above the rest.
  for (const double sign : {1.0, -1.0}) {
    SplitCase c(sign > 0 ? "scores of 4000" : "scores of -4000", KvDeviceFormat::kFp16,
                {2, 1, 64, 100}, {100, 33}, 3);
    c.fill_q([](auto, auto, auto d) { return d == 3 ? 1000 : 0; });
    c.fill_codes(c.k, [&](auto, auto, auto t, auto d) {
      return d != 3 ? 0.0 : sign * 32 + (t == 20 ? 1 : 0);
    });
    c.fill_codes(c.v, [](auto, auto, auto t, auto d) { return t - d; });
    Matrix<double> expected(c.q.rows(), 64);
    for (std::int64_t row = 0; row < expected.rows(); ++row) {
      for (int d = 0; d < 64; ++d) expected(row, d) = 20 - d;
    }
    // Others weigh e^-125, which is below half of FP32's smallest number: T·4e-44·max|v| at most.
    judge(described(c), run(c).out.view(), expected.view(),
          [](auto, auto) { return 100 * 4e-44 * 100; });
    if (HasFailure()) return;
  }
}

TEST_F(AttentionDecodeSplit, WeighsEqualValuesToOne) {
  // Each token's V, code times scale, is 1; so the output is 1, whatever the weights are. All terms
  // are positive: a sum of T errs by T·u, plus u for each tile, merged warp or split, and the division.
  const TestSeed seed;
  Random random(seed);
  SplitCase c("code · scale of V is 1 for every token", KvDeviceFormat::kInt8, kOneHead,
              {130, 97, 5}, 2);
  c.draw(random);
  for (std::size_t at = 0; at < c.rows(); ++at) {
    if (c.v.token_scale[at].bits == 0xFFFF) continue;
    const int power = static_cast<int>(at % 7);
    c.v.token_scale[at] = element<half_t>(std::ldexp(1.0, -power));
    for (int d = 0; d < 64; ++d) c.store(c.v, at, d, 1 << power);
  }
  Matrix<double> ones(3, 64);
  std::fill_n(ones.data(), 3 * 64, 1.0);
  const double roundings = 130 + 3 * 5 + 4 * (kSplitWarps + 2) + 8;
  judge(described(c), run(c).out.view(), ones.view(), relative(ones.view(), roundings * kUnit));
}

TEST_F(AttentionDecodeSplit, GivesTheSameForAnyNumberOfSplits) {
  // The scores are the same, bit by bit, so their error does not count: what differs is where sums
  // and exps are rounded. Twice the tolerance of attention_decode_split_ref.h without δ, and with the
  // parts counted, of an output of at most max|v|.
  const TestSeed seed;
  Random random(seed);
  double worst = 0;
  for (const KvDeviceFormat format : kKvDeviceFormats) {
    SplitCase c("splits", format, {4, 1, 64, 500}, {500, 33}, 1);
    c.draw(random);
    Matrix<double> whole(8, 64);
    const Matrix<float> unsplit = run(c).out;
    double max_v = 0;
    for (std::int64_t i = 0; i < 8 * 64; ++i) whole.data()[i] = unsplit.data()[i];
    for (std::int64_t b = 0; b < 2; ++b) {
      const KvHead kv = c.head(b, 0);
      for (int t = 0; t < kv.length; ++t) {
        for (int d = 0; d < 64; ++d) {
          max_v = std::max(max_v, std::fabs(cached_number(kv, kv.v, t, d)));
        }
      }
    }
    for (const int splits : {2, 3, 7, 16}) {
      c.splits = splits;
      c.name = "\"" + std::to_string(splits) + " splits against 1\": " + format_name(format);
      const double factor = splits + 2 + 2 * (2 * std::sqrt(500.0) + 4 + 6 * (4 + 2));
      const Matrix<float> got = run(c).out;
      judge(described(c), got.view(), whole.view(),
            [&](auto, auto) { return factor * kUnit * max_v; });
      for (std::int64_t i = 0; i < 8 * 64; ++i) {
        worst = std::max(worst, std::fabs(got.data()[i] - whole.data()[i]) / (kUnit * max_v));
      }
      if (HasFailure()) return;
    }
  }
  std::ostringstream fact;
  fact.precision(2);
  fact << "Cut into 2, 3, 7 or 16 splits, your outputs moved by at most " << worst
       << " · 2⁻²⁴ of the largest |v|.";
  RecordProperty("fact", fact.str());
}

TEST_F(AttentionDecodeSplit, MatchesTheOracle) {
  const TestSeed seed;
  const KvShape shapes[] = {{2, 2, 64, 130}, {8, 2, 128, 130}, {3, 1, 128, 130}, {8, 1, 64, 130}};
  simt::for_each_schedule(2, [&] {
    Random random(seed);
    for (const KvDeviceFormat format : kKvDeviceFormats) {
      for (const KvShape& shape : shapes) {
        SplitCase c("random", format, shape, {1, 2, 31, 32, 33, 100, 130}, 3);
        c.draw(random);
        check(c);
        if (HasFailure()) return;  // one is enough to read
      }
    }
  });
}

}  // namespace
}  // namespace qlab::test
