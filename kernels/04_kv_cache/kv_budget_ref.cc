// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of kv_budget: it writes one head of one layer token by token, in bits, and moves
/// tokens out of the window as KIVI does; budgets are used up block by block.
#include "04_kv_cache/kv_budget.h"

namespace qlab {
namespace {

constexpr std::int64_t kHalfBits = 16;

/// Bits of one token of one head: codes, and scales at every start of a group.
std::int64_t row_bits(std::int64_t head_dim, const KvStorage& storage) {
  std::int64_t bits = 0;
  for (std::int64_t d = 0; d < head_dim; ++d) {
    bits += storage.bits;
    const bool starts = storage.group_size == 0 ? d == 0 : d % storage.group_size == 0;
    if (starts) bits += 8 * storage.group_bytes;
  }
  return bits;
}

/// K's window empties when it is full, V's gives up its oldest token for each new one.
std::int64_t head_bits(std::int64_t head_dim, const KvStorage& storage, std::int64_t tokens) {
  const std::int64_t row = row_bits(head_dim, storage), half_row = head_dim * kHalfBits;
  std::int64_t k_window = 0, v_window = 0, bits = 0;
  for (std::int64_t t = 0; t < tokens; ++t) {
    if (storage.residual == 0) {
      bits += 2 * row;
      continue;
    }
    if (++k_window == storage.residual) {
      for (; k_window > 0; --k_window) bits += row;
    }
    if (v_window == storage.residual) {
      bits += row;  // the oldest
    } else {
      ++v_window;
    }
  }
  return bits + (k_window + v_window) * half_row;
}

/// How many pieces of so many bytes go into the budget, one after the other. Multiplying by powers
/// of two is exact.
std::int64_t pieces(double budget_gib, std::int64_t bytes) {
  const auto whole = static_cast<std::int64_t>(budget_gib * 1024 * 1024 * 1024);
  std::int64_t count = 0;
  for (std::int64_t left = whole; left >= bytes; left -= bytes) ++count;
  return count;
}

}  // namespace

std::int64_t kv_bytes_of_sequence_ref(const KvModel& model, const KvStorage& storage,
                                      std::int64_t tokens) {
  std::int64_t bytes = 0;
  const std::int64_t of_a_head = head_bits(model.head_dim, storage, tokens) / 8;
  for (std::int64_t layer = 0; layer < model.n_layers; ++layer) {
    for (std::int64_t head = 0; head < model.n_kv_heads; ++head) bytes += of_a_head;
  }
  return bytes;
}

std::int64_t tokens_that_fit_ref(double budget_gib, std::int64_t block_tokens, const KvModel& model,
                                 const KvStorage& storage) {
  KvStorage long_context = storage;
  long_context.residual = 0;
  const std::int64_t block = kv_bytes_of_sequence_ref(model, long_context, block_tokens);
  return pieces(budget_gib, block) * block_tokens;
}

std::int64_t sequences_that_fit_ref(double budget_gib, std::int64_t context,
                                    std::int64_t block_tokens, const KvModel& model,
                                    const KvStorage& storage) {
  std::int64_t tokens = 0;
  while (tokens < context) tokens += block_tokens;
  return pieces(budget_gib, kv_bytes_of_sequence_ref(model, storage, tokens));
}

}  // namespace qlab
