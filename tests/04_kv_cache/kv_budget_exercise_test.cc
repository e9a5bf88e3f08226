// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise kv_budget: whole numbers, compared as such.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "04_kv_cache/kv_budget_checks.h"
#include "04_kv_cache/kv_budget_refusals.h"
#include "common/random.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

using exercise::kv_bytes_of_sequence;
using exercise::kv_bytes_per_token;
using exercise::sequences_that_fit;
using exercise::tokens_that_fit;

TEST(KvBudget, CountsATokenByHand) {
  // 3 layers, 5 KV heads, K and V: 30 rows of 16 elements.
  constexpr KvModel kModel{3, 5, 5, 16};
  std::vector<Count> counts;
  const auto ask = [&](KvStorage storage, std::int64_t row) {
    counts.push_back(
        {"bytes of " + text_of(storage), kv_bytes_per_token(kModel, storage), 30 * row});
  };
  ask(kFp16, 32);
  ask(kFp8, 16);
  ask(kInt8, 16 + 2);
  ask(kInt8Fp32, 16 + 4);
  ask(kInt4, 8 + 2);
  ask({4, 16, 4}, 8 + 4);
  ask({4, 8, 4}, 8 + 2 * 4);
  ask({2, 4, 4}, 4 + 4 * 4);
  ask({2, 8, 4, 64}, 4 + 2 * 4);
  judge_counts("a token of 3 layers, 5 KV heads of 16", counts);
}

TEST(KvBudget, CountsKvHeadsNotQueryHeads) {
  std::vector<Count> counts;
  for (const std::int64_t n_heads : {2, 4, 6, 32}) {
    const KvModel model{3, n_heads, 2, 64};
    counts.push_back({"bytes of " + text_of(model), kv_bytes_per_token(model, kInt8), 12 * 66});
  }
  judge_counts("2 KV heads, whatever reads them", counts);
}

TEST(KvBudget, DoublesWithTheLayersAndTheHeads) {
  std::vector<Count> counts;
  for (const KvStorage& storage : {kFp16, kInt8, kKivi2}) {
    const auto ask = [&](const KvModel& model, std::int64_t times) {
      counts.push_back({"bytes of " + text_of(model, storage), kv_bytes_per_token(model, storage),
                        times * kv_bytes_per_token({1, 8, 1, 128}, storage)});
    };
    ask({2, 8, 1, 128}, 2);
    ask({4, 8, 1, 128}, 4);
    ask({1, 8, 2, 128}, 2);
    ask({7, 8, 4, 128}, 28);
  }
  judge_counts("as multiples of one layer and one KV head", counts);
}

TEST(KvBudget, MatchesThePublishedModels) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/04_kv_cache/golden/kv_budget_formats.txt");
  ASSERT_TRUE(file) << "tests/04_kv_cache/golden/kv_budget_formats.txt cannot be read";
  std::string line, name;
  std::getline(file, line);  // the header
  std::vector<Count> bytes, tokens;
  for (; std::getline(file, line);) {
    std::istringstream cells(line);
    KvModel m;
    KvStorage s;
    std::int64_t of_a_token = 0, in_16_gib = 0;
    cells >> name >> m.n_layers >> m.n_heads >> m.n_kv_heads >> m.head_dim >> s.bits >>
        s.group_size >> s.group_bytes >> s.residual >> of_a_token >> in_16_gib;
    ASSERT_TRUE(cells) << line;
    const std::string what = name + ", " + text_of(s);
    bytes.push_back({"bytes of a token, " + what, kv_bytes_per_token(m, s), of_a_token});
    tokens.push_back({"tokens in 16 GiB, " + what, tokens_that_fit(16, 1, m, s), in_16_gib});
  }
  EXPECT_EQ(bytes.size(), 72U);
  judge_counts("published models, bytes", bytes);
  judge_counts("published models, tokens in 16 GiB, blocks of 1", tokens);
}

TEST(KvBudget, CountsASequenceByHand) {
  // A token of FP16 is 4 rows of 16 bytes, one of 4 bits and a scale 4 rows of 6.
  constexpr KvModel kModel{2, 1, 1, 8};
  std::vector<Count> counts;
  for (const std::int64_t tokens : {0, 1, 7, 4096}) {
    counts.push_back({"FP16, " + std::to_string(tokens) + " tokens",
                      kv_bytes_of_sequence(kModel, kFp16, tokens), tokens * 64});
    counts.push_back({"INT4, no residual, " + std::to_string(tokens) + " tokens",
                      kv_bytes_of_sequence(kModel, kInt4, tokens), tokens * 24});
  }
  // Two layers of K, and two of V: tokens in FP16, tokens quantized.
  const auto ask = [&](std::int64_t tokens, std::int64_t k_half, std::int64_t v_half) {
    const std::int64_t rows_half = 2 * (k_half + v_half), rows = 4 * tokens - rows_half;
    counts.push_back({"INT4, residual 4, " + std::to_string(tokens) + " tokens",
                      kv_bytes_of_sequence(kModel, {4, 0, 2, 4}, tokens),
                      16 * rows_half + 6 * rows});
  };
  ask(0, 0, 0);
  ask(1, 1, 1);
  ask(3, 3, 3);
  ask(4, 0, 4);  // K's window has just been emptied
  ask(5, 1, 4);
  ask(7, 3, 4);
  ask(8, 0, 4);
  ask(4002, 2, 4);
  judge_counts("a sequence in 2 layers, 1 KV head of 8", counts);
}

TEST(KvBudget, IsFp16UntilTheWindowIsFull) {
  std::vector<Count> counts;
  for (const std::int64_t tokens : {0, 1, 64, 127}) {
    for (const KvStorage& storage : {kKivi4, kKivi2}) {
      counts.push_back({std::to_string(tokens) + " tokens, " + text_of(storage),
                        kv_bytes_of_sequence(kLlama3, storage, tokens), tokens * 131'072});
    }
  }
  judge_counts("Llama-3-8B, fewer tokens than the window has", counts);
}

TEST(KvBudget, CountsInSixtyFourBits) {
  std::vector<Count> counts;
  for (const KvStorage& storage : {kFp16, kInt8, kInt4, kKivi2}) {
    const std::int64_t tokens = 1'000'000, rest = tokens % 128;
    const std::int64_t token =
        80 * 8 *
        (128 * storage.bits / 8 +
         (storage.group_size == 0 ? storage.group_bytes : 4 * storage.group_bytes));
    const std::int64_t half = storage.residual == 0 ? 0 : rest + 128;
    counts.push_back({"a million tokens, " + text_of(storage),
                      kv_bytes_of_sequence(kLlama3_70B, storage, tokens),
                      (2 * tokens - half) * token + half * 80 * 8 * 256});
  }
  counts.push_back({"the largest of everything, 16 bits and 8 bytes for 1",
                    kv_bytes_of_sequence({1024, 1024, 1024, 4096}, {16, 1, 8}, kMaxKvTokens),
                    std::int64_t{20} << 58});
  judge_counts("past 2^31 and 2^32", counts);
}

TEST(KvBudget, FillsTheBudgetWithWholeBlocks) {
  constexpr KvModel kModel{1, 1, 1, 64};  // FP16: 256 bytes a token, 4096 a block of 16
  std::vector<Count> counts;
  const auto ask = [&](std::int64_t bytes, std::int64_t block, std::int64_t expected) {
    counts.push_back({std::to_string(bytes) + " bytes in blocks of " + std::to_string(block),
                      tokens_that_fit(static_cast<double>(bytes) * 0x1p-30, block, kModel, kFp16),
                      expected});
  };
  ask(0, 16, 0);
  ask(4095, 16, 0);
  ask(4096, 16, 16);
  ask(8191, 16, 16);
  ask(8192, 16, 32);
  ask(255, 1, 0);
  ask(256, 1, 1);
  ask(40 * 4096 + 300, 16, 640);
  ask(40 * 4096 + 300, 1, 641);
  ask(40 * 4096 + 300, 100, 600);
  judge_counts("256 bytes a token", counts);
}

TEST(KvBudget, HoldsAsManyTokensAsVllmReports) {
  // vLLM's documentation of the quantized KV cache: Qwen3-4B, 11.47 GiB, blocks of 16. Two decimals
  // leave ±0.005 GiB open, and rounding to blocks can differ by one.
  std::vector<Count> counts;
  const auto ask = [&](const KvStorage& storage, std::int64_t token, std::int64_t reported) {
    const auto open = static_cast<std::int64_t>(0.005 * 0x1p30 / static_cast<double>(token));
    counts.push_back({"tokens in 11.47 GiB, " + text_of(storage),
                      tokens_that_fit(11.47, 16, kQwen3_4B, storage), reported, open + 16});
  };
  ask(kFp16, 147'456, 83'488);
  ask(kFp8, 73'728, 166'992);
  judge_counts("Qwen3-4B as vLLM reports it", counts);
}

TEST(KvBudget, GivesASequenceItsLastBlockWhole) {
  constexpr KvModel kModel{1, 1, 1, 64};  // FP16: 4096 bytes a block of 16
  std::vector<Count> counts;
  const auto ask = [&](std::int64_t context, std::int64_t blocks, std::int64_t expected) {
    counts.push_back(
        {std::to_string(context) + " tokens each, room for " + std::to_string(blocks) +
             " blocks of 16",
         sequences_that_fit(static_cast<double>(blocks) * 0x1p-18, context, 16, kModel, kFp16),
         expected});
  };
  ask(1, 100, 100);
  ask(15, 100, 100);
  ask(16, 100, 100);
  ask(17, 100, 50);
  ask(32, 100, 50);
  ask(33, 100, 33);
  ask(1600, 100, 1);
  ask(1601, 100, 0);
  judge_counts("blocks belong to one sequence", counts);
}

TEST(KvBudget, PaysForTheWindowOfEachSequence) {
  std::vector<Count> counts;
  for (const std::int64_t context : {128, 1000, 4096, 32'768}) {
    counts.push_back({std::to_string(context) + " tokens each, " + text_of(kKivi2),
                      sequences_that_fit(16, context, 16, kLlama3, kKivi2),
                      sequences_that_fit_ref(16, context, 16, kLlama3, kKivi2)});
  }
  judge_counts("Llama-3-8B, sequences in 16 GiB", counts);
}

TEST(KvBudget, GrowsWithTheBudget) {
  std::vector<Count> counts;
  std::int64_t last = 0;
  for (int sixteenths = 1; sixteenths <= 64; ++sixteenths) {
    const std::int64_t tokens = tokens_that_fit(sixteenths / 16.0, 16, kLlama3, kInt8);
    // 1/16 GiB is 63 blocks of 16 tokens of 66,560 bytes, and a remainder.
    const std::int64_t least = last + 63 * 16;
    counts.push_back({"tokens in " + std::to_string(sixteenths) + "/16 GiB, at least",
                      std::min(tokens, least), least});
    last = tokens;
  }
  judge_counts("a sixteenth of a GiB more each time", counts);
}

TEST(KvBudget, AgreesWithTheOracleOnRandomCaches) {
  const TestSeed seed;
  Random random(seed);
  std::vector<Count> counts;
  for (int i = 0; i < 200; ++i) {
    const std::int64_t group = std::int64_t{8} << random.below(3);
    const std::int64_t kv_heads = 1 + random.below(9);
    const KvModel model{1 + random.below(40), kv_heads * (1 + random.below(8)), kv_heads,
                        group * (1 + random.below(5))};
    const bool grouped = random.below(3) != 0, window = random.below(2) == 0;
    const KvStorage storage{2 << random.below(4), grouped ? group : 0, random.below(9),
                            window ? group * (1 + random.below(6)) : 0};
    const std::int64_t tokens = random.below(1000), block = 1 + random.below(40);
    const std::string of = ", " + text_of(model, storage);
    counts.push_back({"bytes of " + std::to_string(tokens) + " tokens" + of,
                      kv_bytes_of_sequence(model, storage, tokens),
                      kv_bytes_of_sequence_ref(model, storage, tokens)});
    const double gib = random.uniform(0, 0.25);
    const std::string in = " in " + text_of(gib) + " GiB, blocks of " + std::to_string(block) + of;
    counts.push_back({"tokens" + in, tokens_that_fit(gib, block, model, storage),
                      tokens_that_fit_ref(gib, block, model, storage)});
    counts.push_back({"sequences of " + std::to_string(tokens + 1) + in,
                      sequences_that_fit(gib, tokens + 1, block, model, storage),
                      sequences_that_fit_ref(gib, tokens + 1, block, model, storage)});
  }
  judge_counts("random caches, seed " + std::to_string(seed), counts);
}

TEST(KvBudget, RefusesWhatIsNoCache) { check_kv_budget_refusals(); }

TEST(KvBudget, TellsWhatFitsInto16GiB) {
  const auto fp16 = tokens_that_fit(16, 16, kLlama3, kFp16);
  const auto kivi = tokens_that_fit(16, 16, kLlama3, kKivi2);
  const std::int64_t windowed = kv_bytes_of_sequence(kLlama3, kKivi2, 512);
  const std::int64_t plain = 512 * kv_bytes_per_token(kLlama3, kKivi2);
  // 16 GiB over 131,072 and 24,576 bytes; at 512 tokens the window is 128 of V and none of K.
  judge_counts("Llama-3-8B in 16 GiB", {{"tokens, FP16", fp16, 131'072},
                                        {"tokens, KIVI-2", kivi, 699'040},
                                        {"512 tokens, KIVI-2", windowed, 19'398'656},
                                        {"512 tokens, no window", plain, 12'582'912}});
  std::ostringstream fact;
  fact.precision(3);
  fact << "Llama-3-8B has " << fp16 << " tokens in 16 GiB of FP16 and " << kivi
       << " of 2 bits: " << static_cast<double>(kivi) / static_cast<double>(fp16)
       << " times as many. At 512 tokens the window makes a sequence "
       << static_cast<double>(windowed) / static_cast<double>(plain) << " times as large.";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
