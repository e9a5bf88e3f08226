// SPDX-License-Identifier: Apache-2.0
/// \file
/// paged_kv: the pool of blocks, and what a sequence must satisfy; see paged_kv.h.
#include "04_kv_cache/paged_kv.h"

#include <algorithm>
#include <limits>

namespace qlab {
namespace {

/// Where a slot's row is, counted over all blocks.
std::int64_t row_of(const BlockPool& pool, std::int64_t block, std::int64_t slot) {
  QLAB_CHECK(block >= 0 && block < pool.n_blocks(), "BlockPool: there is no block ", block,
             " in a pool of ", pool.n_blocks(), "; blocks come from take_block or a table");
  QLAB_CHECK(slot >= 0 && slot < pool.block_size, "BlockPool: there is no slot ", slot,
             " in a block of ", pool.block_size, "; token t is in slot t % block_size");
  return block * pool.block_size + slot;
}

}  // namespace

BlockPool::BlockPool(std::int64_t n_blocks, std::int64_t size, std::int64_t row_bytes)
    : block_size(size) {
  QLAB_CHECK(n_blocks > 0 && size > 0 && row_bytes > 0, "BlockPool: ", n_blocks, " blocks of ",
             size, " rows of ", row_bytes, " bytes; every side must be at least 1");
  QLAB_CHECK(n_blocks <= std::numeric_limits<std::int32_t>::max(), "BlockPool: ", n_blocks,
             " blocks are more than a table's 32-bit entries can name; make blocks larger");
  rows = Matrix<std::uint8_t>(n_blocks * size, row_bytes);
  ref_count.assign(static_cast<std::size_t>(n_blocks), 0);
  for (std::int64_t block = n_blocks; block-- > 0;) {
    free_blocks.push_back(static_cast<std::int32_t>(block));
  }
}

std::span<std::uint8_t> BlockPool::slot(std::int64_t block, std::int64_t slot) {
  return rows.view().row(row_of(*this, block, slot), 0, row_bytes());
}

std::span<const std::uint8_t> BlockPool::slot(std::int64_t block, std::int64_t slot) const {
  return rows.view().row(row_of(*this, block, slot), 0, row_bytes());
}

std::span<std::uint8_t> BlockPool::block_bytes(std::int64_t block) {
  return {slot(block, 0).data(), static_cast<std::size_t>(block_size * row_bytes())};
}

std::int32_t take_block(BlockPool& pool) {
  QLAB_CHECK(!pool.free_blocks.empty(), "take_block: all ", pool.n_blocks(),
             " blocks are in use; free a sequence, or make the pool larger");
  const std::int32_t block = pool.free_blocks.back();
  pool.free_blocks.pop_back();
  pool.ref_count[block] = 1;
  return block;
}

void check_sequence(const char* operation, const BlockPool& pool, const PagedSequence& sequence,
                    std::int64_t first) {
  QLAB_CHECK(!sequence.freed, operation,
             ": the sequence was freed; start a new one, or fork it before it is freed");
  const auto blocks = static_cast<std::int64_t>(sequence.table.size());
  const std::int64_t needed = (sequence.length + pool.block_size - 1) / pool.block_size;
  QLAB_CHECK(sequence.length >= 0 && blocks == needed, operation, ": the table has ", blocks,
             " entries for ", sequence.length, " tokens in blocks of ", pool.block_size,
             ", expected ", needed, "; only append_token may change table and length");
  for (std::int64_t i = std::max<std::int64_t>(first, 0); i < blocks; ++i) {
    const std::int32_t block = sequence.table[i];
    QLAB_CHECK(block >= 0 && block < pool.n_blocks(), operation, ": table[", i, "] is ", block,
               ", no block of a pool of ", pool.n_blocks(), "; use a sequence with its own pool");
    QLAB_CHECK(pool.ref_count[block] > 0, operation, ": table[", i, "] is block ", block,
               ", which no sequence owns; do not copy a sequence, fork it");
  }
  if (first > 0) return;
  std::vector<std::int32_t> sorted = sequence.table;
  std::ranges::sort(sorted);
  const auto twice = std::ranges::adjacent_find(sorted);
  QLAB_CHECK(twice == sorted.end(), operation, ": block ", *twice,
             " stands twice in the table; only append_token may change it");
}

}  // namespace qlab
