// SPDX-License-Identifier: Apache-2.0
/// \file
/// Cases of attention_decode_split worked out elsewhere, and calls that it must refuse.
#pragma once

#include "02_int8_calibration/refusals.h"
#include "04_kv_cache/golden/attention_decode_split_golden.h"
#include "04_kv_cache/kv_cuda.h"

namespace qlab::test {

inline constexpr double kUnit = 0x1p-24;
inline constexpr KvShape kOneHead = {.heads = 1, .kv_heads = 1, .head_dim = 64, .capacity = 130};

/// K = 0, so that every score is 0 and every weight 1; token t has V = t % 7 in all channels.
inline SplitCase equal_scores(KvDeviceFormat format, std::vector<int> lengths, int splits) {
  SplitCase c("K = 0, V of token t is t mod 7", format, kOneHead, std::move(lengths), splits);
  c.fill_q([](auto, auto, auto d) { return d + 1; });
  c.fill_codes(c.k, [](auto...) { return 0; });
  c.fill_codes(c.v, [](auto, auto, auto t, auto) { return t % 7; });
  return c;
}

inline void check_tokens_of_splits() {
  // Every weight is 1, so l counts a split's tokens; l and o are small integers, exact in any
  // order.
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
      if (testing::Test::HasFailure()) return;
    }
  }
}

inline void check_empty_parts() {
  // With 3 tokens, all splits but the first are empty: m = -∞, which is judged as -1, and l = o =
  // 0.
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

inline void check_choose_splits() {
  testing::Test::RecordProperty("guards", "choose_splits, which is given");
  SplitCase c("as many splits as choose_splits says", KvDeviceFormat::kFp16, {8, 1, 64, 700},
              {700, 9}, choose_splits(2, 1, 700, 132));
  const TestSeed seed;
  Random random(seed);
  c.draw(random);
  check(c);
  // By hand, for 132 multiprocessors of 3 blocks each: 396 blocks at a time, 128 tokens a step.
  const auto judge_splits = [](int batch, int length, int expected) {
    const std::string name =
        "batch " + std::to_string(batch) + ", context " + std::to_string(length);
    judge_number("\"" + name + ", 8 KV heads\"", "splits", choose_splits(batch, 8, length, 132),
                 expected);
  };
  judge_splits(1, 1, 1);
  judge_splits(1, 4096, 32);    // one step each: 256 blocks
  judge_splits(1, 32768, 43);   // six steps each: 344 blocks; 49 splits would be 392, six as well
  judge_splits(64, 16384, 3);   // 1536 blocks of 43 steps, four rounds; the best is 166 steps
  judge_splits(1000, 4096, 1);  // 21 rounds of whole contexts
}

/// Three splits of 70 tokens; the last has 6.
inline SplitCase golden_case() {
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

inline void check_golden_parts() {
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

/// A call that would be right if the memory were there; refusals come before anything is read.
struct RefusedCall {
  alignas(16) inline static const unsigned char memory[64] = {};
  std::vector<int> lengths = {5, 7};
  SplitAttention call = {
      .q = reinterpret_cast<const half*>(memory),
      .kv = {.format = KvDeviceFormat::kFp16,
             .batch = 2,
             .n_kv_heads = 2,
             .head_dim = 128,
             .capacity = 7,
             .k = {.codes = memory, .token_scale = nullptr, .head_scale = nullptr},
             .v = {.codes = memory, .token_scale = nullptr, .head_scale = nullptr}},
      .lengths = {},
      .device_lengths = nullptr,
      .n_heads = 8,
      .splits = 2,
      .parts = {},
      .out = nullptr};
};

inline Refusal refused(const std::string& what, const std::string& words,
                       const std::function<void(RefusedCall&)>& change) {
  return {what, words, [change] {
            RefusedCall wrong;
            change(wrong);
            wrong.call.lengths = wrong.lengths;
            exercise::attention_decode_split(wrong.call);
          }};
}

inline void check_refused_shapes() {
  check_refusals(
      "shapes that do not fit",
      {refused("a sequence without a token", "length 0 of sequence 1",
               [](RefusedCall& r) { r.lengths[1] = 0; }),
       refused("a sequence longer than the cache", "length 8 of sequence 0",
               [](RefusedCall& r) { r.lengths[0] = 8; }),
       refused("a length missing", "1 lengths for a batch of 2",
               [](RefusedCall& r) { r.lengths.pop_back(); }),
       refused("head_dim 96", "head_dim is 96", [](RefusedCall& r) { r.call.kv.head_dim = 96; }),
       refused("7 query heads on 2 KV heads", "7 query heads on 2 KV heads",
               [](RefusedCall& r) { r.call.n_heads = 7; }),
       refused("a group of 9", "9 query heads share a KV head",
               [](RefusedCall& r) { r.call.n_heads = 18; }),
       refused("no split", "splits is 0", [](RefusedCall& r) { r.call.splits = 0; })});
}

inline void check_refused_operands() {
  static constexpr float kScale = 1;
  check_refusals(
      "operands that do not fit",
      {refused("V that starts at a second element", "V is not 16-byte aligned",
               [](RefusedCall& r) { r.call.kv.v.codes = RefusedCall::memory + 2; }),
       refused("no K", "K is not 16-byte aligned",
               [](RefusedCall& r) { r.call.kv.k.codes = nullptr; }),
       refused("INT8 without scales", "K needs token_scale with INT8 codes",
               [](RefusedCall& r) { r.call.kv.format = KvDeviceFormat::kInt8; }),
       refused("FP8 without a scale", "K needs head_scale with FP8 codes",
               [](RefusedCall& r) { r.call.kv.format = KvDeviceFormat::kFp8E4m3; }),
       refused("FP16 with a scale", "V needs head_scale with FP8 codes, and must not have it",
               [](RefusedCall& r) { r.call.kv.v.head_scale = &kScale; })});
}

}  // namespace qlab::test
