// SPDX-License-Identifier: Apache-2.0
/// \file
/// What kv_budget must refuse, and the nearest that it must not.
#pragma once

#include <cmath>
#include <cstdint>

#include "02_int8_calibration/refusals.h"
#include "04_kv_cache/kv_budget_checks.h"

namespace qlab::test {

inline void check_kv_budget_refusals() {
  const auto token = [](KvModel model, KvStorage storage) {
    return [=] { exercise::kv_bytes_per_token(model, storage); };
  };
  const auto fit = [](double gib, std::int64_t block) {
    return [=] { exercise::tokens_that_fit(gib, block, kLlama3, kFp16); };
  };
  const auto sequence = [](std::int64_t tokens) {
    return [=] { exercise::kv_bytes_of_sequence(kLlama3, kFp16, tokens); };
  };
  const auto sequences = [](std::int64_t context, std::int64_t block) {
    return [=] { exercise::sequences_that_fit(1, context, block, kLlama3, kFp16); };
  };
  check_refusals(
      "refusals",
      {{"no layers", "kv_budget: n_layers is 0; choose 1 to 1024", token({0, 8, 8, 64}, kFp16)},
       {"-1 KV heads", "n_kv_heads is -1", token({2, 8, -1, 64}, kFp16)},
       {"a head_dim of 5000", "head_dim is 5000", token({2, 8, 8, 5000}, kFp16)},
       {"no heads", "n_heads 0 is no multiple of n_kv_heads = 8", token({2, 0, 8, 64}, kFp16)},
       {"12 heads read 8", "n_heads 12 is no multiple", token({2, 12, 8, 64}, kFp16)},
       {"3 bits", "3 bits a code; choose 2, 4, 8 or 16", token({2, 8, 8, 64}, {3})},
       {"a torn byte", "head_dim 5 of 4 bits is no whole", token({2, 8, 8, 5}, kInt4)},
       {"a ragged group", "group_size 32 does not divide head_dim = 80",
        token({2, 8, 8, 80}, kInt4G32)},
       {"a negative group", "group_size is -32", token({2, 8, 8, 64}, {4, -32, 4})},
       {"negative scales", "group_bytes is -2", token({2, 8, 8, 64}, {4, 32, -2})},
       {"a torn window", "residual 100 is no multiple of group_size = 32",
        token({2, 8, 8, 64}, {4, 32, 4, 100})},
       {"-1 tokens", "tokens is -1; choose 0", sequence(-1)},
       {"too many tokens", "tokens is 67108865", sequence(kMaxKvTokens + 1)},
       {"blocks of 0", "block_tokens is 0; choose 1", fit(1, 0)},
       {"a negative budget", "budget_gib is -1", fit(-1, 16)},
       {"a budget that is NaN", "budget_gib is nan", fit(std::nan(""), 16)},
       {"an endless budget", "budget_gib is inf", fit(HUGE_VAL, 16)},
       {"no context", "context is 0", sequences(0, 16)},
       {"no block", "block_tokens is 0", sequences(100, 0)}});
  // The nearest that must be counted.
  judge_counts("the smallest cache, and an odd head_dim",
               {{"2 bits of 4", exercise::kv_bytes_per_token({1, 1, 1, 4}, {2}), 2},
                {"8 bits of 5, a scale", exercise::kv_bytes_per_token({1, 3, 1, 5}, kInt8), 14}});
}

}  // namespace qlab::test
