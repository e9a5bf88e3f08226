// SPDX-License-Identifier: Apache-2.0
/// \file
/// The given capacity_plan: it searches for the last block, looks for reasons against a load test,
/// and sorts what remains.
#include "05_serving/capacity_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "common/statistics.h"

namespace qlab {
namespace {

void check_bytes(const char* name, std::int64_t bytes, std::int64_t least, std::int64_t most) {
  QLAB_CHECK(bytes >= least && bytes <= most, "capacity_plan: ", name, " is ", bytes, "; choose ",
             least, " to ", most);
}

void check_tokens(const char* name, std::int64_t tokens) {
  check_bytes(name, tokens, 1, kMaxPlanTokens);
}

void check_share(const char* name, double share) {
  QLAB_CHECK(share >= 0 && share <= 1, "capacity_plan: ", name, " is ", share,
             "; it is a share, 0 to 1");
}

void check_rate(const std::string& name, double rate) {
  QLAB_CHECK(rate > 0 && std::isfinite(rate), "capacity_plan: ", name, " is ", rate,
             "; requests a second are finite and over 0");
}

/// The three waits of a user, or the goals for them.
template <class Waits>
std::array<std::pair<const char*, double>, 3> named(const Waits& waits) {
  return {{{"ttft", waits.ttft}, {"tpot", waits.tpot}, {"e2e", waits.e2e}}};
}

void check_goals(const CapacityGoals& goals) {
  for (const auto& [name, seconds] : named(goals.latency)) {
    QLAB_CHECK(seconds >= 0, "capacity_plan: the goal for ", name, " is ", seconds,
               " s; it is 0 or more, and infinity promises nothing");
  }
  QLAB_CHECK(goals.percentile >= 0 && goals.percentile <= 100, "capacity_plan: the percentile ",
             goals.percentile, " is outside 0 … 100");
  check_share("least_recall", goals.least_recall);
}

}  // namespace

void check_memory(std::int64_t memory_bytes, std::int64_t weight_bytes,
                  std::int64_t kv_bytes_per_token, std::int64_t block_tokens) {
  check_bytes("memory_bytes", memory_bytes, 0, kMaxPlanBytes);
  check_bytes("weight_bytes", weight_bytes, 1, kMaxPlanBytes);
  check_bytes("kv_bytes_per_token", kv_bytes_per_token, 1, std::int64_t{1} << 24);
  check_tokens("block_tokens", block_tokens);
}

void check_point(const CapacityGoals& goals, const ServedConfig& config, const LoadPoint& point) {
  check_goals(goals);
  check_memory(0, config.weight_bytes, config.kv_bytes_per_token, 1);
  check_share("recall", config.recall);
  check_rate("saturated_rate of '" + config.name + "'", config.saturated_rate);
  check_rate("a rate of '" + config.name + "'", point.rate);
  QLAB_CHECK(!point.latencies.empty(), "capacity_plan: '", config.name, "' at ", point.rate,
             " requests/s has no latencies; leave out load tests that failed");
  for (std::size_t i = 0; i < point.latencies.size(); ++i) {
    const double ttft = point.latencies[i].ttft, e2e = point.latencies[i].e2e;
    for (const auto& [name, seconds] : named(point.latencies[i])) {
      QLAB_CHECK(seconds >= 0 && std::isfinite(seconds), "capacity_plan: ", name, " of request ", i,
                 " of '", config.name, "' is ", seconds, "; latencies are finite and 0 s or more");
    }
    QLAB_CHECK(ttft <= e2e, "capacity_plan: request ", i, " of '", config.name, "' ended after ",
               e2e, " s, before its first token at ", ttft, " s; take both from its arrival");
  }
}

void check_config(const CapacityGoals& goals, const ServedConfig& config) {
  QLAB_CHECK(!config.points.empty(), "capacity_plan: '", config.name,
             "' has no load test; without one nothing is known of its latencies");
  for (const LoadPoint& point : config.points) check_point(goals, config, point);
  for (std::size_t i = 1; i < config.points.size(); ++i) {
    QLAB_CHECK(config.points[i].rate > config.points[i - 1].rate, "capacity_plan: the rate ",
               config.points[i].rate, " of '", config.name, "' comes after ",
               config.points[i - 1].rate, "; sort load tests by rising rates, one for each");
  }
}

void check_choice(const CapacityGoals& goals, double rate, std::int64_t memory_bytes,
                  std::int64_t longest_request_tokens, std::int64_t block_tokens,
                  std::span<const ServedConfig> configs) {
  check_goals(goals);
  check_rate("the rate to serve", rate);
  check_memory(memory_bytes, 1, 1, block_tokens);
  check_tokens("longest_request_tokens", longest_request_tokens);
  for (const ServedConfig& config : configs) check_config(goals, config);
}

std::int64_t cache_blocks(std::int64_t memory_bytes, std::int64_t weight_bytes,
                          std::int64_t kv_bytes_per_token, std::int64_t block_tokens) {
  check_memory(memory_bytes, weight_bytes, kv_bytes_per_token, block_tokens);
  // `fit` blocks do (or none need to), `too_many` do not.
  std::int64_t fit = 0, too_many = memory_bytes + 1;
  while (too_many - fit > 1) {
    const std::int64_t half = fit + (too_many - fit) / 2;
    // Blocks that take more than 2^62 bytes are too many anyway, and their product may overflow.
    const double about = static_cast<double>(half) * static_cast<double>(kv_bytes_per_token) *
                         static_cast<double>(block_tokens);
    const bool fits =
        about < 0x1p62 && weight_bytes + half * kv_bytes_per_token * block_tokens <= memory_bytes;
    (fits ? fit : too_many) = half;
  }
  return fit;
}

bool meets_goals(const CapacityGoals& goals, const ServedConfig& config, const LoadPoint& point) {
  check_point(goals, config, point);
  if (point.rate / config.saturated_rate >= 1) return false;
  if (config.recall < goals.least_recall) return false;
  const auto broken = [&](double RequestLatency::*wait, double goal) {
    std::vector<double> waits;
    for (const RequestLatency& latency : point.latencies) waits.push_back(latency.*wait);
    if (wait == &RequestLatency::tpot) std::erase(waits, 0);
    return !waits.empty() && percentile(waits, goals.percentile) > goal;
  };
  if (broken(&RequestLatency::ttft, goals.latency.ttft)) return false;
  if (broken(&RequestLatency::tpot, goals.latency.tpot)) return false;
  return !broken(&RequestLatency::e2e, goals.latency.e2e);
}

double highest_rate(const CapacityGoals& goals, const ServedConfig& config) {
  check_config(goals, config);
  const auto fails =
      std::find_if(config.points.begin(), config.points.end(),
                   [&](const LoadPoint& point) { return !meets_goals(goals, config, point); });
  return fails == config.points.begin() ? 0 : std::prev(fails)->rate;
}

std::optional<std::size_t> choose_config(const CapacityGoals& goals, double rate,
                                         std::int64_t memory_bytes,
                                         std::int64_t longest_request_tokens,
                                         std::int64_t block_tokens,
                                         std::span<const ServedConfig> configs) {
  check_choice(goals, rate, memory_bytes, longest_request_tokens, block_tokens, configs);
  const std::int64_t full_blocks = longest_request_tokens / block_tokens;
  const std::int64_t blocks = full_blocks + (longest_request_tokens % block_tokens == 0 ? 0 : 1);
  std::vector<std::pair<std::int64_t, std::size_t>> able;  // least memory, index
  for (std::size_t i = 0; i < configs.size(); ++i) {
    const std::int64_t bytes =
        configs[i].weight_bytes + blocks * block_tokens * configs[i].kv_bytes_per_token;
    if (bytes <= memory_bytes && highest_rate(goals, configs[i]) >= rate)
      able.push_back({bytes, i});
  }
  if (able.empty()) return std::nullopt;
  return std::min_element(able.begin(), able.end())->second;
}

}  // namespace qlab
