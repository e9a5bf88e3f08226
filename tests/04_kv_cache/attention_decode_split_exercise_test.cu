// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise attention_decode_split.
#include "04_kv_cache/attention_decode_split.h"

#include "04_kv_cache/attention_decode_split_checks.h"

namespace qlab::test {
namespace {

struct AttentionDecodeSplit : CudaExercise {};

TEST_F(AttentionDecodeSplit, TakesEachTokenInOneSplit) { check_tokens_of_splits(); }

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

TEST_F(AttentionDecodeSplit, LeavesAnEmptyPartThatWeighsNothing) { check_empty_parts(); }

TEST_F(AttentionDecodeSplit, MatchesTheGoldenParts) { check_golden_parts(); }

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
  // are positive: a sum of T errs by T·u, plus u for each tile, merged warp or split, and the
  // division.
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
  // and exps are rounded. Twice the tolerance of attention_decode_split_ref.h without δ, and with
  // the parts counted, of an output of at most max|v|.
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

TEST_F(AttentionDecodeSplit, IgnoresWhatLiesBehindTheLastToken) {
  // The cache's spare room holds NaN in all tests; here it holds numbers, and nothing may change.
  const TestSeed seed;
  Random random(seed);
  for (const KvDeviceFormat format : kKvDeviceFormats) {
    SplitCase c("stale tokens", format, {4, 1, 64, 130}, {1, 33, 70, 95}, 2);
    c.draw(random);
    check(c);
    const Matrix<float> before = run(c).out;
    for (std::int64_t b = 0; b < c.batch(); ++b) {
      for (int t = c.lengths[static_cast<std::size_t>(b)]; t < c.shape.capacity; ++t) {
        for (KvOperand* operand : {&c.k, &c.v}) {
          operand->token_scale[c.row(b, 0, t)] = element<half_t>(1.0);
          for (int d = 0; d < 64; ++d) c.store(*operand, c.row(b, 0, t), d, 100);
        }
      }
    }
    Matrix<double> expected(before.rows(), before.cols());
    std::copy_n(before.data(), before.rows() * before.cols(), expected.data());
    judge(described(c), run(c).out.view(), expected.view(), exactly());
    if (HasFailure()) return;
  }
}

TEST_F(AttentionDecodeSplit, ReadsNothingOutsideItsOperands) {
  RecordProperty("guards", "a read past an operand, which ends the run with the thread's name");
  const TestSeed seed;
  Random random(seed);
  for (const KvDeviceFormat format : kKvDeviceFormats) {
    for (const int capacity : {1, 33, 64}) {
      SplitCase c("a cache that ends with its memory", format, {4, 2, 64, capacity}, {capacity}, 3);
      c.draw(random);
      check(c, Behind::kNothing);
    }
  }
}

TEST_F(AttentionDecodeSplit, ReadsKAndVOnceInWholeSectors) {
  const TestSeed seed;
  Random random(seed);
  SplitCase c("loads", KvDeviceFormat::kInt8, {4, 1, 128, 512}, {512, 256}, 3);
  c.draw(random);
#if defined(__CUDACC__)
  check(c);
  GTEST_SKIP() << "sectors are counted where the CPU runs the kernel";
#else
  const simt::Tracing tracing;
  check(c);
  for (const char* const operand : {"K", "V"}) {
    const Accesses loads = accesses(tracing, operand, /*store=*/false);
    judge_number(c.name,
                 "sectors of 32 bytes that a warp's load of " + std::string(operand) + " takes",
                 loads.units_a_request(), 16);
    judge_number(c.name, "times that each byte of " + std::string(operand) + " is read",
                 loads.lanes * 16 / ((512 + 256) * 128), 1);
  }
#endif
}

TEST_F(AttentionDecodeSplit, ChoosesSplitsThatFillTheGpu) { check_choose_splits(); }

TEST_F(AttentionDecodeSplit, RefusesShapesThatDoNotFit) {
  RecordProperty("guards", "the checks of shapes, which are given");
  check(equal_scores(KvDeviceFormat::kFp16, {130, 1}, 2));
  check_refused_shapes();
}

TEST_F(AttentionDecodeSplit, RefusesOperandsThatDoNotFit) {
  RecordProperty("guards", "the checks of operands, which are given");
  check(equal_scores(KvDeviceFormat::kInt8, {7}, 2));
  check_refused_operands();
}

}  // namespace
}  // namespace qlab::test
