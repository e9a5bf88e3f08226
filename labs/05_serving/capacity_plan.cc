// SPDX-License-Identifier: Apache-2.0
/// \file
/// capacity_plan: your turn. Replace each todo() with your code, then run `./lab check capacity_plan`.
#include "05_serving/capacity_plan.h"

#include <algorithm>
#include <cstddef>

#include "common/statistics.h"

namespace qlab::exercise {

std::int64_t cache_blocks(std::int64_t memory_bytes, std::int64_t weight_bytes,
                          std::int64_t kv_bytes_per_token, std::int64_t block_tokens) {
  check_memory(memory_bytes, weight_bytes, kv_bytes_per_token, block_tokens);
  std::int64_t blocks = 0;
  // TODO [capacity_plan_blocks] Fill with blocks what the weights leave
  // Set `blocks` to the number of whole blocks that fit beside the weights. It stays 0 where the
  // weights alone are too large.
  todo("capacity_plan_blocks");
  return blocks;
}

bool meets_goals(const CapacityGoals& goals, const ServedConfig& config, const LoadPoint& point) {
  check_point(goals, config, point);
  using qlab::percentile;  // the given one, not the exercise
  bool met = false;
  // TODO [capacity_plan_goals] Judge one load test
  // Set `met`: recall at least the floor, utilisation under 1, and the percentile of TTFT, of TPOT
  // and of E2E at most its goal. percentile(values, p) is given. A TPOT of 0 is none.
  todo("capacity_plan_goals");
  return met;
}

double highest_rate(const CapacityGoals& goals, const ServedConfig& config) {
  check_config(goals, config);
  double rate = 0;
  // TODO [capacity_plan_rate] Find the highest rate that holds
  // Set `rate` to the highest tested rate that meets the goals, as every lower one does too. Load
  // tests are sorted by rising rates.
  todo("capacity_plan_rate");
  return rate;
}

std::optional<std::size_t> choose_config(const CapacityGoals& goals, double rate,
                                         std::int64_t memory_bytes,
                                         std::int64_t longest_request_tokens,
                                         std::int64_t block_tokens,
                                         std::span<const ServedConfig> configs) {
  check_choice(goals, rate, memory_bytes, longest_request_tokens, block_tokens, configs);
  std::optional<std::size_t> best;
  std::int64_t least_bytes = 0;  // that configs[*best] needs
  // TODO [capacity_plan_choice] Choose who does with the least memory
  // Set `best` to the index of the configuration that needs the fewest bytes, weights and blocks of
  // the longest request, of those with a cache for that request and a highest rate of `rate` or
  // more. Of equals take the first.
  todo("capacity_plan_choice");
  return best;
}

}  // namespace qlab::exercise
