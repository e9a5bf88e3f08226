// SPDX-License-Identifier: Apache-2.0
/// \file
/// paged_kv: a KV cache in blocks that need not be neighbours and that sequences share.
///
/// Bottleneck   memory: copies of rows; finding a row costs one table entry a token
/// Bytes moved  gather: read and written length · row_bytes, and 4 a token of the table
/// FLOPs        none: a division, a remainder, and counts
/// Teaches      a page table for tokens; reference counts; copy on write; stale slots are not zeros
/// Leaves out   what a row holds (kv_cache.h); eviction, swapping; attention straight from
///              blocks (attention_decode_cuda_v5_paged)
///
/// Source: Kwon et al., "Efficient Memory Management for Large Language Model Serving with
/// PagedAttention", SOSP 2023, sections 4.1 to 4.4.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/contract.h"
#include "common/matrix.h"

namespace qlab {

/// The memory of all sequences: blocks with room for block_size tokens each. A token is a row of
/// bytes, its K and V in whatever format.
struct BlockPool {
  /// All blocks are free; block 0 is taken first. \throws ContractError when a side is under 1.
  BlockPool(std::int64_t n_blocks, std::int64_t block_size, std::int64_t row_bytes);

  /// Blocks, free ones too.
  std::int64_t n_blocks() const { return static_cast<std::int64_t>(ref_count.size()); }
  /// Bytes of a token.
  std::int64_t row_bytes() const { return rows.cols(); }

  /// The row in one slot of a block, and all rows of a block.
  /// \throws ContractError when there is no such block or slot.
  std::span<std::uint8_t> slot(std::int64_t block, std::int64_t slot);  // [row_bytes]
  /// The same, to read.
  std::span<const std::uint8_t> slot(std::int64_t block, std::int64_t slot) const;  // [row_bytes]
  /// [block_size · row_bytes] of one block.
  std::span<std::uint8_t> block_bytes(std::int64_t block);  // [block_size · row_bytes]

  std::int64_t block_size;
  Matrix<std::uint8_t> rows;              // [n_blocks · block_size, row_bytes]
  std::vector<std::int32_t> ref_count;    // [n_blocks]  how many sequences own the block
  std::vector<std::int32_t> free_blocks;  // those of ref_count 0; the last is taken next
};

/// Takes a block from the free list and gives it its first owner.
/// \throws ContractError when none is free; nothing is changed then.
std::int32_t take_block(BlockPool& pool);

/// One sequence: entry i of its table is the block that holds token i · block_size and the next.
/// To copy one, fork it: a plain copy owns nothing.
struct PagedSequence {
  std::vector<std::int32_t> table;  // [⌈length / block_size⌉]
  std::int64_t length = 0;          // tokens
  bool freed = false;
};

/// Refuses a sequence that was freed, a table that does not fit the length, and entries, from entry
/// `first` on, that are no blocks of the pool, that no sequence owns, or that stand there twice.
void check_sequence(const char* operation, const BlockPool& pool, const PagedSequence& sequence,
                    std::int64_t first = 0);

/// The exercise: these are written by the learner, and linked from labs/ or solutions/. Whatever
/// throws leaves pool and sequence as they were. All refuse what check_sequence() refuses; for
/// append_token() that is the last entry only, so that its cost does not grow with the length.
namespace exercise {

/// Copies tokens first, first + 1, … to the rows of `out`: up to the last token or the last row of
/// `out`, whichever comes first. What follows in `out` stays as it was.
/// \param out  [any, row_bytes]
/// \returns how many were copied.
/// \throws ContractError when first is not in 0 … length, or rows of `out` have another size.
std::int64_t gather_tokens(const BlockPool& pool, const PagedSequence& sequence, std::int64_t first,
                           MatrixView<std::uint8_t> out);

/// Writes one token behind the last. Takes a block when the last one is full or there is none. If
/// others own the last one too, goes on in a copy and gives up the share in the original.
/// \param row  [row_bytes]
/// \throws ContractError when a block is needed and none is free, or the row has another size.
void append_token(BlockPool& pool, PagedSequence& sequence, std::span<const std::uint8_t> row);

/// A second sequence with the same tokens in the same blocks; no row is copied.
PagedSequence fork_sequence(BlockPool& pool, const PagedSequence& sequence);

/// Gives up the sequence's share in its blocks; those that nobody else owns become free. A sequence
/// can be freed once.
void free_sequence(BlockPool& pool, PagedSequence& sequence);

}  // namespace exercise

/// Of gather_tokens() for all tokens.
constexpr Cost paged_kv_cost(std::int64_t length, std::int64_t row_bytes) {
  return {.bytes = 2 * length * row_bytes + 4 * length, .flops = 0};
}

}  // namespace qlab
