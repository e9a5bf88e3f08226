// SPDX-License-Identifier: Apache-2.0
/// \file
/// paged_kv: your turn. Replace each todo() with your code, then run `./lab check paged_kv`.
#include "04_kv_cache/paged_kv.h"

#include <algorithm>

namespace qlab::exercise {

// tokens of the sequence    0 1 2 3 | 4 5 6 7 | 8 9 – –      block_size 4, length 10
// table                        5    |    2    |    7         any blocks of the pool, in any order
// A slot past the length (–) is stale: it holds what an earlier owner left, perhaps a NaN.

std::int64_t gather_tokens(const BlockPool& pool, const PagedSequence& sequence, std::int64_t first,
                           MatrixView<std::uint8_t> out) {  // [any, row_bytes]
  check_sequence("gather_tokens", pool, sequence);
  check_shape("gather_tokens", "out", out, out.rows(), pool.row_bytes());
  QLAB_CHECK(first >= 0 && first <= sequence.length, "gather_tokens: first is ", first,
             ", the sequence has ", sequence.length, " tokens; start at 0 … ", sequence.length);
  std::int64_t count = 0;
  // TODO [paged_kv_gather] Copy tokens out of their blocks
  // Set `count` to how many tokens there are from `first` on that `out` has rows for. Copy token
  // first + i to row i of `out`; pool.slot(block, slot) is where it lies. Leave other rows alone.
  todo("paged_kv_gather");
  return count;
}

void append_token(BlockPool& pool, PagedSequence& sequence,
                  std::span<const std::uint8_t> row) {  // [row_bytes]
  const std::int64_t slot = sequence.length % pool.block_size;
  check_sequence("append_token", pool, sequence,
                 static_cast<std::int64_t>(sequence.table.size()) - 1);
  QLAB_CHECK(static_cast<std::int64_t>(row.size()) == pool.row_bytes(), "append_token: row has ",
             row.size(), " bytes, rows of this pool have ", pool.row_bytes(),
             "; give K and V of one token");
  // TODO [paged_kv_append] Give the next token a block of its own
  // Below, the row is written to `slot` of the table's last block. See to it that this slot is free
  // and that no other sequence owns the block. take_block(pool) gives a new one, or throws: then
  // pool and sequence must be as they were.
  todo("paged_kv_append");
  const auto blocks = static_cast<std::int64_t>(sequence.table.size());
  const std::int64_t needed = sequence.length / pool.block_size + 1;
  QLAB_CHECK(blocks == needed, "append_token: the table has ", blocks, " entries where token ",
             sequence.length, " needs ", needed, "; add one when the last block is full");
  std::ranges::copy(row, pool.slot(sequence.table.back(), slot).begin());
  ++sequence.length;
}

PagedSequence fork_sequence(BlockPool& pool, const PagedSequence& sequence) {
  check_sequence("fork_sequence", pool, sequence);
  PagedSequence child;
  // TODO [paged_kv_fork] Share every block
  // Set `child` to a sequence with the same tokens in the same blocks, and let the pool know.
  todo("paged_kv_fork");
  return child;
}

void free_sequence(BlockPool& pool, PagedSequence& sequence) {
  check_sequence("free_sequence", pool, sequence);
  // TODO [paged_kv_free] Give the blocks back
  // Take this sequence off the owners of its blocks. A block without owners goes on the free list.
  todo("paged_kv_free");
  sequence = {.table = {}, .length = 0, .freed = true};
}

}  // namespace qlab::exercise
