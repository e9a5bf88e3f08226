// SPDX-License-Identifier: Apache-2.0
/// \file
/// kv_budget: a product of five numbers, and three divisions that round.
///
/// Bottleneck   none: a handful of operations for each question
/// Teaches      everything is bytes of a token; scales, windows and blocks are what differs from it
/// Leaves out   what else shares the memory: weights, activations, fragments of an allocator
#include "04_kv_cache/kv_budget.h"

#include <algorithm>
#include <cstdint>

namespace qlab::exercise {
namespace {

void check_side(const char* name, std::int64_t value, std::int64_t low, std::int64_t high) {
  QLAB_CHECK(value >= low && value <= high, "kv_budget: ", name, " is ", value, "; choose ", low,
             " to ", high);
}

void check(const KvModel& model, const KvStorage& storage) {
  check_side("n_layers", model.n_layers, 1, 1024);
  check_side("n_kv_heads", model.n_kv_heads, 1, 1024);
  check_side("head_dim", model.head_dim, 1, 4096);
  QLAB_CHECK(model.n_heads >= 1 && model.n_heads % model.n_kv_heads == 0, "kv_budget: n_heads ",
             model.n_heads, " is no multiple of n_kv_heads = ", model.n_kv_heads);
  const int bits = storage.bits;
  QLAB_CHECK(bits == 2 || bits == 4 || bits == 8 || bits == 16, "kv_budget: ", bits,
             " bits a code; choose 2, 4, 8 or 16");
  QLAB_CHECK(model.head_dim * bits % 8 == 0, "kv_budget: head_dim ", model.head_dim, " of ", bits,
             " bits is no whole number of bytes");
  check_side("group_size", storage.group_size, 0, model.head_dim);
  QLAB_CHECK(storage.group_size == 0 || model.head_dim % storage.group_size == 0,
             "kv_budget: group_size ", storage.group_size,
             " does not divide head_dim = ", model.head_dim);
  check_side("group_bytes", storage.group_bytes, 0, 8);
  check_side("residual", storage.residual, 0, kMaxKvTokens);
  QLAB_CHECK(storage.residual % std::max<std::int64_t>(storage.group_size, 1) == 0,
             "kv_budget: residual ", storage.residual,
             " is no multiple of group_size = ", storage.group_size,
             ", so K would leave a group unfinished");
}

}  // namespace

std::int64_t kv_bytes_per_token(const KvModel& model, const KvStorage& storage) {
  check(model, storage);
  std::int64_t bytes = 0;
  // BEGIN SOLUTION [kv_budget_token] Count the bytes of a token
  // Set `bytes` to what K and V of one token take in all layers: codes, and group_bytes for each
  // group of a head. A group_size of 0 means that a head is one group.

  // A row is what one token adds to K, or to V, of one head. Two bits are not an eighth of 16 once
  // they bring a scale and a minimum for 32: (2 + 32/32) / 16 = 1/5.33.
  std::int64_t groups = 1;
  if (storage.group_size != 0) groups = model.head_dim / storage.group_size;
  const std::int64_t row = model.head_dim * storage.bits / 8 + groups * storage.group_bytes;
  // Query heads keep nothing: with grouped-query attention several of them read one KV head.
  bytes = 2 * model.n_layers * model.n_kv_heads * row;
  // END SOLUTION [kv_budget_token]
  return bytes;
}

std::int64_t kv_bytes_of_sequence(const KvModel& model, const KvStorage& storage,
                                  std::int64_t tokens) {
  check_side("tokens", tokens, 0, kMaxKvTokens);
  // Of one token, K or V: quantized, and as it lies in the window.
  const std::int64_t quantized = kv_bytes_per_token(model, storage) / 2;
  const std::int64_t half = kv_bytes_per_token(model, {.bits = 16}) / 2;
  std::int64_t bytes = 0;
  // BEGIN SOLUTION [kv_budget_sequence] Keep a window in FP16
  // Set `bytes` to what K and V of `tokens` tokens take. With a residual of R, K has tokens mod R
  // tokens in FP16 and V its last R, or all while they are fewer; the others are quantized. A
  // residual of 0 means that there is no window.

  std::int64_t k_window = 0, v_window = 0;
  if (storage.residual != 0) {
    // K waits for R tokens, since its groups run along tokens, and then empties its window. V's
    // groups lie within a token: it can give up its oldest for each new one.
    k_window = tokens % storage.residual;
    v_window = std::min(tokens, storage.residual);
  }
  const std::int64_t in_half = k_window + v_window;
  bytes = (2 * tokens - in_half) * quantized + in_half * half;
  // END SOLUTION [kv_budget_sequence]
  return bytes;
}

namespace {

/// How many pieces of `piece_bytes` go into the budget.
std::int64_t pieces_that_fit(double budget_gib, std::int64_t piece_bytes) {
  QLAB_CHECK(budget_gib >= 0 && budget_gib <= 0x1p32, "kv_budget: budget_gib is ", budget_gib,
             "; choose 0 to 2^32");
  std::int64_t pieces = 0;
  // BEGIN SOLUTION [kv_budget_fit] Fill the memory with whole pieces
  // Set `pieces` to the number of pieces of `piece_bytes` bytes that go into `budget_gib` GiB. A
  // part of a piece is of no use.

  // GiB, not GB: memory is sold and reported in powers of two, and 2^30 is 7 % more than 10^9.
  const auto bytes = static_cast<std::int64_t>(budget_gib * 0x1p30);
  pieces = bytes / piece_bytes;  // rounds down
  // END SOLUTION [kv_budget_fit]
  return pieces;
}

}  // namespace

std::int64_t tokens_that_fit(double budget_gib, std::int64_t block_tokens, const KvModel& model,
                             const KvStorage& storage) {
  check_side("block_tokens", block_tokens, 1, kMaxKvTokens);
  const std::int64_t block_bytes = block_tokens * kv_bytes_per_token(model, storage);
  return pieces_that_fit(budget_gib, block_bytes) * block_tokens;
}

std::int64_t sequences_that_fit(double budget_gib, std::int64_t context, std::int64_t block_tokens,
                                const KvModel& model, const KvStorage& storage) {
  check_side("context", context, 1, kMaxKvTokens);
  check_side("block_tokens", block_tokens, 1, kMaxKvTokens);
  std::int64_t sequences = 0;
  // BEGIN SOLUTION [kv_budget_sequences] Give every sequence whole blocks
  // Set `sequences` to the number of sequences of `context` tokens that fit. A block belongs to one
  // sequence, so the last one of each is paid for whole.

  // Rounded up here and down there: the tail of a last block is lost once for every sequence, at
  // most block_tokens - 1 tokens. That is why blocks are small, 16 tokens or so.
  const std::int64_t blocks = (context + block_tokens - 1) / block_tokens;
  const std::int64_t bytes = kv_bytes_of_sequence(model, storage, blocks * block_tokens);
  sequences = pieces_that_fit(budget_gib, bytes);
  // END SOLUTION [kv_budget_sequences]
  return sequences;
}

}  // namespace qlab::exercise
