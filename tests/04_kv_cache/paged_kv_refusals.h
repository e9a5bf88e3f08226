// SPDX-License-Identifier: Apache-2.0
/// \file
/// What paged_kv must refuse, and that pool and sequence are then as before.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "04_kv_cache/paged_kv_checks.h"

namespace qlab::test {

inline void check_paged_kv_refusals() {
  BlockPool pool = stale_pool(4, 3, kScattered);
  PagedSequence sequence, freed;
  append_all(pool, sequence, token_rows(1, 6, 3));
  exercise::free_sequence(pool, freed);
  PagedSequence outside = sequence, unowned = sequence, twice = sequence, short_table = sequence;
  outside.table.back() = 8;
  unowned.table.back() = 7;
  twice.table.back() = twice.table.front();
  short_table.table.pop_back();
  const std::vector<std::uint8_t> row(3), short_row(2);
  Matrix<std::uint8_t> out(6, 3), narrow(6, 2);
  const auto refuse = [&](const std::string& name, PagedSequence& s, const std::string& words,
                          const std::function<void()>& call) {
    judge_refusal(name, pool, s, words, call);
  };
  const auto gather = [&](const PagedSequence& s) {
    exercise::gather_tokens(pool, s, 0, out.view());
  };
  refuse("a row of 2 bytes", sequence, "append_token: row has 2 bytes, rows of this pool have 3",
         [&] { exercise::append_token(pool, sequence, short_row); });
  refuse("an out of 2 columns", sequence, "gather_tokens: out is [6, 2], expected [6, 3]",
         [&] { exercise::gather_tokens(pool, sequence, 0, narrow.view()); });
  for (const std::int64_t first : {-1, 7}) {
    refuse("from token " + std::to_string(first) + " of 6", sequence,
           "gather_tokens: first is " + std::to_string(first) + ", the sequence has 6 tokens",
           [&] { exercise::gather_tokens(pool, sequence, first, out.view()); });
  }
  refuse("a block outside the pool", outside, "table[1] is 8, no block of a pool of 8",
         [&] { gather(outside); });
  refuse("a block outside the pool", outside, "append_token: table[1] is 8",
         [&] { exercise::append_token(pool, outside, row); });
  outside.table.back() = -1;
  refuse("a block outside the pool", outside, "fork_sequence: table[1] is -1",
         [&] { exercise::fork_sequence(pool, outside); });
  refuse("a block outside the pool", outside, "free_sequence: table[1] is -1",
         [&] { exercise::free_sequence(pool, outside); });
  refuse("a block that is free", unowned, "table[1] is block 7, which no sequence owns",
         [&] { gather(unowned); });
  refuse("a block twice", twice, "block 5 stands twice in the table",
         [&] { exercise::free_sequence(pool, twice); });
  refuse("a table too short", short_table, "the table has 1 entries for 6 tokens in blocks of 4",
         [&] { gather(short_table); });
  refuse("a freed sequence", freed, "append_token: the sequence was freed",
         [&] { exercise::append_token(pool, freed, row); });
  refuse("a freed sequence", freed, "gather_tokens: the sequence was freed",
         [&] { gather(freed); });
  refuse("a freed sequence", freed, "fork_sequence: the sequence was freed",
         [&] { exercise::fork_sequence(pool, freed); });
  const auto pool_of = [](std::int64_t blocks, std::int64_t size, std::int64_t bytes) {
    return [=] { BlockPool(blocks, size, bytes); };
  };
  check_refusals("pools and blocks",
                 {{"no blocks", "BlockPool: 0 blocks of 4 rows of 3 bytes", pool_of(0, 4, 3)},
                  {"no slots", "BlockPool: 8 blocks of 0 rows", pool_of(8, 0, 3)},
                  {"no bytes", "rows of 0 bytes", pool_of(8, 4, 0)},
                  {"2³¹ blocks", "more than a table's", pool_of(std::int64_t{1} << 31, 1, 1)},
                  {"block 8", "there is no block 8 in a pool of 8", [&] { pool.slot(8, 0); }},
                  {"slot 4", "there is no slot 4 in a block of 4", [&] { pool.slot(7, 4); }}});
}

}  // namespace qlab::test
