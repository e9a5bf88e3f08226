// SPDX-License-Identifier: Apache-2.0
/// \file
/// capacity_plan: four questions, each of which a plan can forget to ask.
///
/// Bottleneck   none: a sort of the latencies of each load test
/// Teaches      a percentile instead of a mean, room below saturation, a floor under quality
/// Leaves out   intervals of the percentiles; rates between those that were tested
#include "05_serving/capacity_plan.h"

#include <algorithm>
#include <cstddef>

#include "common/statistics.h"

namespace qlab::exercise {

std::int64_t cache_blocks(std::int64_t memory_bytes, std::int64_t weight_bytes,
                          std::int64_t kv_bytes_per_token, std::int64_t block_tokens) {
  check_memory(memory_bytes, weight_bytes, kv_bytes_per_token, block_tokens);
  std::int64_t blocks = 0;
  // BEGIN SOLUTION [capacity_plan_blocks] Fill with blocks what the weights leave
  // Set `blocks` to the number of whole blocks that fit beside the weights. It stays 0 where the
  // weights alone are too large.

  // The cache gets what is left: smaller weights buy sequences, not only speed.
  const std::int64_t left = std::max<std::int64_t>(memory_bytes - weight_bytes, 0);
  blocks = left / (kv_bytes_per_token * block_tokens);
  // END SOLUTION [capacity_plan_blocks]
  return blocks;
}

bool meets_goals(const CapacityGoals& goals, const ServedConfig& config, const LoadPoint& point) {
  check_point(goals, config, point);
  using qlab::percentile;  // the given one, not the exercise
  bool met = false;
  // BEGIN SOLUTION [capacity_plan_goals] Judge one load test
  // Set `met`: recall at least the floor, utilisation under 1, and the percentile of TTFT, of TPOT
  // and of E2E at most its goal. percentile(values, p) is given. A TPOT of 0 is none.

  std::vector<double> ttft, tpot, e2e;
  for (const RequestLatency& latency : point.latencies) {
    ttft.push_back(latency.ttft);
    e2e.push_back(latency.e2e);
    // An answer of one token has no time per token; as a 0 it would make the others look faster.
    if (latency.tpot > 0) tpot.push_back(latency.tpot);
  }
  const auto kept = [&](const std::vector<double>& values, double goal) {
    return values.empty() || percentile(values, goals.percentile) <= goal;
  };
  // At or above saturation no latency counts: the queue had only no time yet to grow.
  met = point.rate < config.saturated_rate && config.recall >= goals.least_recall &&
        kept(ttft, goals.latency.ttft) && kept(tpot, goals.latency.tpot) &&
        kept(e2e, goals.latency.e2e);
  // END SOLUTION [capacity_plan_goals]
  return met;
}

double highest_rate(const CapacityGoals& goals, const ServedConfig& config) {
  check_config(goals, config);
  double rate = 0;
  // BEGIN SOLUTION [capacity_plan_rate] Find the highest rate that holds
  // Set `rate` to the highest tested rate that meets the goals, as every lower one does too. Load
  // tests are sorted by rising rates.

  for (const LoadPoint& point : config.points) {
    // Who is promised a rate also sends less at times. A rate that passes above one that fails
    // was lucky, and promises nothing.
    if (!exercise::meets_goals(goals, config, point)) break;
    rate = point.rate;
  }
  // END SOLUTION [capacity_plan_rate]
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
  // BEGIN SOLUTION [capacity_plan_choice] Choose who does with the least memory
  // Set `best` to the index of the configuration that needs the fewest bytes, weights and blocks of
  // the longest request, of those with a cache for that request and a highest rate of `rate` or
  // more. Of equals take the first.

  // A request owns its last block alone, full or not: up here, down in cache_blocks().
  const std::int64_t blocks = (longest_request_tokens + block_tokens - 1) / block_tokens;
  for (std::size_t i = 0; i < configs.size(); ++i) {
    const ServedConfig& c = configs[i];
    const std::int64_t block_bytes = c.kv_bytes_per_token * block_tokens;
    const std::int64_t bytes = c.weight_bytes + blocks * block_bytes;
    const std::int64_t room =
        exercise::cache_blocks(memory_bytes, c.weight_bytes, c.kv_bytes_per_token, block_tokens);
    if (room < blocks || exercise::highest_rate(goals, c) < rate) continue;
    if (!best || bytes < least_bytes) {
      best = i;
      least_bytes = bytes;
    }
  }
  // END SOLUTION [capacity_plan_choice]
  return best;
}

}  // namespace qlab::exercise
