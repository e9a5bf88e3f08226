// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise paged_kv: blocks against sequences whose rows are their own.
#include "04_kv_cache/paged_kv.h"

#include <numeric>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "04_kv_cache/paged_kv_attention.h"
#include "04_kv_cache/paged_kv_checks.h"
#include "04_kv_cache/paged_kv_random.h"
#include "04_kv_cache/paged_kv_refusals.h"
#include "support/fenced.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

using exercise::append_token;
using exercise::fork_sequence;
using exercise::free_sequence;

std::string sizes(std::int64_t block_size, std::int64_t tokens) {
  return "block_size=" + std::to_string(block_size) + " tokens=" + std::to_string(tokens);
}

TEST(PagedKv, FindsTokensInScatteredBlocks) {
  for (const std::int64_t tokens : {16, 11}) {
    BlockPool pool = stale_pool(4, 3, kScattered);
    PagedSequence sequence;
    const Rows model = token_rows(1, tokens, 3);
    append_all(pool, sequence, model);
    judge_window("scattered blocks: " + sizes(4, tokens), pool, sequence, model, 0, tokens);
  }
}

TEST(PagedKv, ReadsFromAnyTokenOn) {
  BlockPool pool = stale_pool(4, 3, kScattered);
  PagedSequence sequence;
  const Rows model = token_rows(1, 16, 3);
  append_all(pool, sequence, model);
  for (std::int64_t first = 0; first < 16; ++first) {
    for (const std::int64_t rows : {1, 5}) {
      judge_window("tokens from " + std::to_string(first) + " on: " + sizes(4, 16), pool, sequence,
                   model, first, rows);
    }
  }
  judge_window("nothing behind the last token: " + sizes(4, 16), pool, sequence, model, 16, 2);
}

TEST(PagedKv, EndsWithTheLengthNotWithTheBlock) {
  // Blocks of one, blocks that end with the sequence, blocks that the sequence does not fill.
  for (const std::int64_t block_size : {1, 3, 4, 16}) {
    for (const std::int64_t tokens : {0, 1, 3, 4, 5, 8}) {
      BlockPool pool = stale_pool(block_size, 3, kScattered);
      PagedSequence sequence;
      const Rows model = token_rows(1, tokens, 3);
      append_all(pool, sequence, model);
      judge_window("room for more: " + sizes(block_size, tokens), pool, sequence, model, 0,
                   tokens + block_size);
    }
  }
}

TEST(PagedKv, TakesABlockOnlyWhenTheLastIsFull) {
  for (const std::int64_t block_size : {1, 4, 16}) {
    BlockPool pool = stale_pool(block_size, 2, kScattered);
    PagedSequence sequence;
    std::vector<Counted> counts;
    for (std::int64_t t = 0; t < 8; ++t) {
      const auto refusal = refusal_of([&] { append_token(pool, sequence, token_row(t, 2)); });
      counts.push_back({"blocks in use after token " + std::to_string(t) +
                            (refusal.empty() ? "" : " (" + refusal + ")"),
                        blocks_used(pool), t / block_size + 1});
    }
    judge_counts("one by one: " + sizes(block_size, 8), counts);
    judge_owners("one by one: " + sizes(block_size, 8), pool, {&sequence});
  }
}

TEST(PagedKv, SharesEveryBlockWithAFork) {
  BlockPool pool = stale_pool(4, 3, kScattered);
  PagedSequence parent, none;
  const Rows model = token_rows(1, 10, 3);
  append_all(pool, parent, model);
  PagedSequence child = fork_sequence(pool, parent);
  PagedSequence grandchild = fork_sequence(pool, child), nothing = fork_sequence(pool, none);
  judge_owners("a fork, and a fork of it", pool, {&parent, &child, &grandchild, &nothing});
  judge_counts("a fork, and a fork of it", {{"blocks in use", blocks_used(pool), 3}});
  for (const PagedSequence* sequence : {&parent, &child, &grandchild}) {
    judge_tokens("a fork, and a fork of it", pool, *sequence, model);
  }
  judge_tokens("the fork of an empty sequence", pool, nothing, {});
}

TEST(PagedKv, WritesForOneSequenceOnly) {
  for (const bool child_first : {true, false}) {
    BlockPool pool = stale_pool(4, 3, kScattered);
    PagedSequence parent;
    Rows parents = token_rows(1, 6, 3), childs = parents;
    append_all(pool, parent, parents);
    PagedSequence child = fork_sequence(pool, parent);
    const auto write = [&](PagedSequence& sequence, Rows& model, std::int64_t id) {
      model.push_back(token_row(id, 3));
      append_token(pool, sequence, model.back());
    };
    const std::string name =
        child_first ? "a fork is written to" : "a forked sequence is written to";
    for (std::int64_t i = 0; i < 3; ++i) {  // to the end of the shared block and past it
      child_first ? write(child, childs, 40 + i) : write(parent, parents, 40 + i);
      judge_tokens(name + ": the fork", pool, child, childs);
      judge_tokens(name + ": the one it came from", pool, parent, parents);
    }
    // The other one is now the only owner of the original, and writes there.
    child_first ? write(parent, parents, 60) : write(child, childs, 60);
    judge_tokens(name + ", then the other: the fork", pool, child, childs);
    judge_tokens(name + ", then the other: the one it came from", pool, parent, parents);
    judge_counts(name + ", then the other",
                 {{"blocks in use: one shared, two and one of their own", blocks_used(pool), 4}});
    judge_owners(name + ", then the other", pool, {&parent, &child});
  }
}

TEST(PagedKv, LeavesTheSharedBlockToItsOtherOwners) {
  BlockPool pool = stale_pool(4, 3, kScattered);
  PagedSequence parent;
  append_all(pool, parent, token_rows(1, 6, 3));
  PagedSequence child = fork_sequence(pool, parent), other = fork_sequence(pool, parent);
  append_token(pool, child, token_row(40, 3));
  judge_owners("one of three owners writes", pool, {&parent, &child, &other});
  append_token(pool, other, token_row(50, 3));
  judge_owners("two of three owners write", pool, {&parent, &child, &other});
  append_token(pool, parent, token_row(60, 3));
  judge_owners("all three owners write", pool, {&parent, &child, &other});
  judge_counts("all three owners write",
               {{"blocks in use: one shared, one each", blocks_used(pool), 4}});
}

TEST(PagedKv, CopiesNoBlockThatIsFull) {
  BlockPool pool = stale_pool(4, 3, kScattered);
  PagedSequence parent;
  Rows model = token_rows(1, 8, 3);
  append_all(pool, parent, model);
  PagedSequence child = fork_sequence(pool, parent);
  model.push_back(token_row(40, 3));
  append_token(pool, child, model.back());
  judge_counts("a fork at the end of a block is written to",
               {{"blocks in use: two shared and a new one", blocks_used(pool), 3}});
  judge_owners("a fork at the end of a block is written to", pool, {&parent, &child});
  judge_tokens("a fork at the end of a block is written to", pool, child, model);
}

TEST(PagedKv, FreesABlockWithItsLastOwner) {
  for (const bool parent_first : {true, false}) {
    const std::string name = parent_first ? "the first owner is freed" : "the fork is freed";
    BlockPool pool = stale_pool(4, 3, kScattered);
    PagedSequence parent;
    const Rows model = token_rows(1, 10, 3);
    append_all(pool, parent, model);
    PagedSequence child = fork_sequence(pool, parent);
    PagedSequence &first = parent_first ? parent : child, &second = parent_first ? child : parent;
    free_sequence(pool, first);
    judge_owners(name, pool, {&second});
    judge_tokens(name + "; the other", pool, second, model);
    PagedSequence stranger;  // takes whatever is free, and fills it
    append_all(pool, stranger, token_rows(100, 20, 3));
    judge_tokens(name + ", its blocks are taken; the other", pool, second, model);
    judge_refusal("freed twice", pool, first, "free_sequence: the sequence was freed",
                  [&] { free_sequence(pool, first); });
    free_sequence(pool, second);
    judge_owners(name + ", then the other", pool, {&stranger});
    free_sequence(pool, stranger);
    judge_owners(name + ", then all", pool, {});
  }
}

TEST(PagedKv, ChangesNothingWhenNoBlockIsFree) {
  BlockPool pool = stale_pool(4, 3, {2, 0, 1});
  PagedSequence parent, other;
  Rows model = token_rows(1, 6, 3);
  append_all(pool, parent, model);
  append_all(pool, other, token_rows(40, 4, 3));
  judge_refusal("the pool is full, a new block is needed", pool, other, "take_block: all 3 blocks",
                [&] { append_token(pool, other, token_row(50, 3)); });
  PagedSequence child = fork_sequence(pool, parent);
  judge_refusal("the pool is full, a copy of a shared block is needed", pool, child,
                "take_block: all 3 blocks", [&] { append_token(pool, child, token_row(50, 3)); });
  judge_tokens("after a refusal", pool, parent, model);
  judge_tokens("after a refusal", pool, child, model);
  free_sequence(pool, other);
  append_token(pool, child, token_row(50, 3));
  model.push_back(token_row(50, 3));
  judge_tokens("after a refusal, and a sequence freed", pool, child, model);
  judge_owners("after a refusal, and a sequence freed", pool, {&parent, &child});
}

TEST(PagedKv, GivesAttentionTheSameBitsAsOneLongBlock) {
  const TestSeed seed;
  Random random(seed);
  std::vector<double> q(kHeadDim);
  for (double& x : q) x = random.normal();
  const Rows model = kv_rows(21, random);
  for (const std::int64_t block_size : {1, 4, 16, 32}) {
    std::vector<std::int32_t> order(24);
    std::iota(order.begin(), order.end(), 0);
    for (std::int64_t i = 23; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
    BlockPool pool = stale_pool(block_size, kKvBytes, order);  // 0xFFFF is a NaN in FP16
    PagedSequence sequence;
    for (std::int64_t tokens = 1; tokens <= 21; ++tokens) {
      append_token(pool, sequence, model[tokens - 1]);
      judge_attention("stale slots are NaN: " + sizes(block_size, tokens), pool, sequence,
                      {model.begin(), model.begin() + tokens}, q);
      if (HasFailure()) return;
    }
    const PagedSequence shared = fork_sequence(pool, sequence);
    judge_attention("a fork: " + sizes(block_size, 21), pool, shared, model, q);
  }
}

TEST(PagedKv, KeepsItsBooksUnderRandomCalls) {
  const TestSeed seed;
  for (const std::int64_t block_size : {1, 3, 4}) {
    RandomCalls calls(24, block_size, seed + static_cast<std::uint64_t>(block_size));
    const std::string name =
        "800 random calls, block_size=" + std::to_string(block_size) + ", 24 blocks";
    calls.run(name, 800);
    if (HasFailure()) return;
    calls.end(name);
    EXPECT_GT(calls.refused(), 0) << "the pool was never full";
    EXPECT_TRUE(block_size == 1 || calls.copied() > 0) << "no block was copied";
  }
}

TEST(PagedKv, StoresAPromptOnceForEightSamples) {
  constexpr std::int64_t kSamples = 8, kPrompt = 1000, kNew = 24, kBlock = 16;
  constexpr std::int64_t kBlockMiB = kBlock * 131072 / (1 << 20);  // Llama-3-8B in FP16
  const auto samples = [](bool sharing) {
    BlockPool pool(600, kBlock, 2);
    std::vector<PagedSequence> sequences(1);
    const Rows prompt = token_rows(0, kPrompt, 2);
    append_all(pool, sequences[0], prompt);
    for (std::int64_t s = 1; s < kSamples; ++s) {
      sequences.push_back(sharing ? fork_sequence(pool, sequences[0]) : PagedSequence{});
      if (!sharing) append_all(pool, sequences.back(), prompt);
    }
    for (PagedSequence& sequence : sequences) append_all(pool, sequence, token_rows(7, kNew, 2));
    return blocks_used(pool);
  };
  const std::int64_t shared = samples(true), apart = samples(false);
  // 62 blocks are full of prompt. Each sample has the 63rd for itself, and one more.
  judge_counts("eight samples of 24 tokens, a prompt of 1000, blocks of 16",
               {{"blocks in use, the prompt shared", shared, 62 + 8 * 2},
                {"blocks in use, the prompt stored eight times", apart, 8 * 64}});
  std::ostringstream fact;
  fact << "Eight samples of 24 tokens on a prompt of 1000 take " << shared << " blocks of 16 where "
       << "they share it and " << apart << " where they do not: " << shared * kBlockMiB << " and "
       << apart * kBlockMiB << " MiB for Llama-3-8B in FP16.";
  RecordProperty("fact", fact.str());
}

TEST(PagedKv, WastesHalfABlockOnAverage) {
  // The table of the task sheet: over all lengths, (block_size - 1) / 2 slots a sequence.
  std::vector<Counted> counts;
  for (const std::int64_t block_size : {1, 8, 16, 32, 128}) {
    BlockPool pool(2, block_size, 1);
    PagedSequence sequence;
    std::int64_t wasted = 0;
    for (std::int64_t t = 0; t < 2 * block_size; ++t) {
      append_token(pool, sequence, token_row(t, 1));
      wasted += blocks_used(pool) * block_size - sequence.length;
    }
    counts.push_back({"slots wasted by sequences of 1 … " + std::to_string(2 * block_size) +
                          " tokens, together, block_size=" + std::to_string(block_size),
                      wasted, block_size * (block_size - 1)});
  }
  judge_counts("waste", counts);
}

TEST(PagedKv, ReadsNothingBehindTheRow) {
  RecordProperty("guards", "a read past the end, which ends the program and is no mutant's output");
  BlockPool pool = stale_pool(4, 37, kScattered);
  PagedSequence sequence;
  Matrix<std::uint8_t> row(1, 37);
  for (std::int64_t j = 0; j < 37; ++j) row(0, j) = static_cast<std::uint8_t>(j);
  const Fenced<std::uint8_t> fenced(row.view());
  append_token(pool, sequence, fenced.view().row(0, 0, 37));
  judge_tokens("memory ends behind the row", pool, sequence, {{row.data(), row.data() + 37}});
}

TEST(PagedKv, RefusesWhatIsNoSequence) {
  RecordProperty("guards", "the checks above the regions, which are given");
  check_paged_kv_refusals();
}

}  // namespace
}  // namespace qlab::test
