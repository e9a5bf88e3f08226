// SPDX-License-Identifier: Apache-2.0
/// \file
/// kv_budget: bytes of a KV cache, for a token, for a sequence, and how much fits in a memory.
///
/// Bottleneck   none: a handful of operations for each question
/// Bytes moved  none
/// FLOPs        none
/// Teaches      what "4 bits" takes with its scales; why KV heads count; what a window costs
/// Leaves out   weights and activations, which share the memory; sharing of prefixes (paged_kv)
#pragma once

#include <cstdint>

#include "common/contract.h"

namespace qlab {

/// What a cache needs to know of a model. Limits keep every count within an int64.
struct KvModel {
  std::int64_t n_layers;    ///< 1 … 1024
  std::int64_t n_heads;     ///< of queries; a multiple of n_kv_heads
  std::int64_t n_kv_heads;  ///< 1 … 1024
  std::int64_t head_dim;    ///< 1 … 4096; head_dim · bits a multiple of 8
};

/// How K and V lie in memory. What one takes for a token and head, in bytes, D being head_dim:
///
///     FP16                                     {16, 0, 0, 0}     2·D
///     FP8, a scale for each tensor             {8, 0, 0, 0}      D
///     INT8, an FP16 scale a token and head     {8, 0, 2, 0}      D + 2
///     INT8, an FP32 scale a token and head     {8, 0, 4, 0}      D + 4
///     INT4, symmetric, a token and head        {4, 0, 2, 0}      D/2 + 2
///     INT4, scale and minimum for 32           {4, 32, 4, 0}     D/2 + 4·D/32
///     KIVI-2, R = 128                          {2, 32, 4, 128}   D/4 + 4·D/32, a window in FP16
///
/// KIVI (Liu et al., 2024, section 3) puts 32 tokens of a channel of K in one group, and 32
/// channels of a token of V: a token's share is the same.
struct KvStorage {
  int bits;                     ///< of a code: 2, 4, 8 or 16
  std::int64_t group_size = 0;  ///< elements that share a scale; divides head_dim; 0: all of a head
  std::int64_t group_bytes = 0;  ///< of a group's scale, and minimum if it has one; 0 … 8; 0: none
  std::int64_t residual = 0;     ///< R: the window of tokens kept in FP16, a multiple of group_size
};

/// A sequence may have so many tokens, and a block.
inline constexpr std::int64_t kMaxKvTokens = std::int64_t{1} << 26;

/// The exercise: these are written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// Bytes of K and V of one token in all layers. Of a token outside of the window.
/// \throws ContractError  a side, a number of bits or a group that is not as described above
std::int64_t kv_bytes_per_token(const KvModel& model, const KvStorage& storage);

/// Bytes of K and V of a sequence. With a residual R, K is quantized whenever R tokens have come
/// together, so tokens mod R of them are still FP16; V keeps its last R in FP16, or all while they
/// are fewer.
/// \param tokens  0 … kMaxKvTokens
std::int64_t kv_bytes_of_sequence(const KvModel& model, const KvStorage& storage,
                                  std::int64_t tokens);

/// Tokens for which `budget_gib` GiB have room, in whole blocks of `block_tokens`; 0 when not even
/// one fits. A GiB is 2^30 bytes. Windows belong to sequences and are not counted here.
/// \param budget_gib    0 … 2^32
/// \param block_tokens  1 … kMaxKvTokens
std::int64_t tokens_that_fit(double budget_gib, std::int64_t block_tokens, const KvModel& model,
                             const KvStorage& storage);

/// Sequences of `context` tokens that fit. A block belongs to one sequence, so each takes as many
/// bytes as one that fills its last block.
/// \param context  1 … kMaxKvTokens
std::int64_t sequences_that_fit(double budget_gib, std::int64_t context, std::int64_t block_tokens,
                                const KvModel& model, const KvStorage& storage);

}  // namespace exercise

/// The oracle: writes a sequence token by token and counts what stands in each row.
std::int64_t kv_bytes_of_sequence_ref(const KvModel& model, const KvStorage& storage,
                                      std::int64_t tokens);
/// The oracle: one block more, as long as it fits.
std::int64_t tokens_that_fit_ref(double budget_gib, std::int64_t block_tokens, const KvModel& model,
                                 const KvStorage& storage);
/// The oracle: one sequence more, as long as it fits.
std::int64_t sequences_that_fit_ref(double budget_gib, std::int64_t context,
                                    std::int64_t block_tokens, const KvModel& model,
                                    const KvStorage& storage);

}  // namespace qlab
