// SPDX-License-Identifier: Apache-2.0
/// \file
/// capacity_plan: which configuration of a server keeps its promises, at which rate and memory.
///
/// Bottleneck   none: a sort of the latencies of each load test
/// Bytes moved  24 for each request of a load test
/// FLOPs        a handful for each request
/// Teaches      why a plan asks for a percentile, for less than all the server can do, for quality
/// Leaves out   the load tests themselves (continuous_batching); how sure a percentile is; price
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "05_serving/latency_metrics.h"
#include "common/contract.h"

namespace qlab {

/// One load test. The 99th percentile of fewer than 100 requests is hardly more than the longest.
struct LoadPoint {
  double rate;                            ///< requests a second that arrived; > 0
  std::vector<RequestLatency> latencies;  ///< what their users saw; 1 or more
};

/// A model in one format on one machine, and what was measured of it there.
struct ServedConfig {
  std::string name;                 ///< "int4_g128 + kv_int8"
  double recall;                    ///< share of right answers in a quality test; 0 … 1
  std::int64_t weight_bytes;        ///< 1 … kMaxPlanBytes
  std::int64_t kv_bytes_per_token;  ///< of K and V in all layers (kv_budget); 1 … 2^24
  double saturated_rate;            ///< requests a second when all are there at once; > 0
  std::vector<LoadPoint> points;    ///< 1 or more, rates rising
};

/// What a configuration must keep to.
struct CapacityGoals {
  LatencyGoals latency;     ///< at most so many seconds, each at the percentile
  double percentile = 99;   ///< 0 … 100: p99 lets one user in a hundred wait longer
  double least_recall = 0;  ///< 0 … 1
};

inline constexpr std::int64_t kMaxPlanBytes = std::int64_t{1} << 60;
inline constexpr std::int64_t kMaxPlanTokens = std::int64_t{1} << 26;  ///< a request; a block

/// What cache_blocks() needs: memory 0 … kMaxPlanBytes, a block 1 … kMaxPlanTokens.
/// \throws ContractError  these, or the bytes of a configuration, are not as described above
void check_memory(std::int64_t memory_bytes, std::int64_t weight_bytes,
                  std::int64_t kv_bytes_per_token, std::int64_t block_tokens);

/// \throws ContractError  goals, a configuration or a load test are not as described above
void check_point(const CapacityGoals& goals, const ServedConfig& config, const LoadPoint& point);

/// check_point() of all load tests of a configuration.
/// \throws ContractError  also: there is none, or their rates do not rise
void check_config(const CapacityGoals& goals, const ServedConfig& config);

/// check_memory() and check_config() of all configurations.
/// \throws ContractError  also: a rate that is not over 0, a request without a token
void check_choice(const CapacityGoals& goals, double rate, std::int64_t memory_bytes,
                  std::int64_t longest_request_tokens, std::int64_t block_tokens,
                  std::span<const ServedConfig> configs);

/// The exercise: these are written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// Whole blocks of `block_tokens` that a KV cache has in the memory beside the weights; 0 where
/// the weights do not fit. Activations and whatever else takes memory are left to the caller.
/// \throws ContractError  see check_memory()
std::int64_t cache_blocks(std::int64_t memory_bytes, std::int64_t weight_bytes,
                          std::int64_t kv_bytes_per_token, std::int64_t block_tokens);

/// Whether a load test shows what was promised: recall is at least the floor, the percentiles of
/// TTFT, TPOT and E2E are at most their goals (exactly as long is kept), and utilisation, rate over
/// saturated rate, is under 1. From 1 on requests come as fast as they are served or faster, the
/// queue grows for as long as they do, and latencies tell no more than how long the test was.
///
/// Percentiles are of type 7 (common/statistics.h). A TPOT of 0 says that there was one token, and
/// is left out of them; with no other, the goal of TPOT is kept.
/// \throws ContractError  see check_point()
bool meets_goals(const CapacityGoals& goals, const ServedConfig& config, const LoadPoint& point);

/// The highest tested rate that meets the goals, as every lower one does too; 0 when there is none.
/// \throws ContractError  see check_config()
double highest_rate(const CapacityGoals& goals, const ServedConfig& config);

/// The index of the configuration that does with the least memory, of those that
///
/// - have blocks for the longest request in `memory_bytes`: it must be served even alone;
/// - have a highest_rate() of `rate` or more.
///
/// The least memory of a configuration are its weights and the blocks of the longest request. Of
/// equals the first is taken; none is nullopt. Load tests must have been run with this memory:
/// with fewer blocks a server runs fewer sequences together.
/// \param longest_request_tokens  that its cache holds in the end, prompt and output less 1;
///                                1 … kMaxPlanTokens
/// \throws ContractError  see check_choice()
std::optional<std::size_t> choose_config(const CapacityGoals& goals, double rate,
                                         std::int64_t memory_bytes,
                                         std::int64_t longest_request_tokens,
                                         std::int64_t block_tokens,
                                         std::span<const ServedConfig> configs);

}  // namespace exercise

/// The same, given: the oracle, and what the lab's own reports use.
std::int64_t cache_blocks(std::int64_t memory_bytes, std::int64_t weight_bytes,
                          std::int64_t kv_bytes_per_token, std::int64_t block_tokens);
/// The same, given.
bool meets_goals(const CapacityGoals& goals, const ServedConfig& config, const LoadPoint& point);
/// The same, given.
double highest_rate(const CapacityGoals& goals, const ServedConfig& config);
/// The same, given.
std::optional<std::size_t> choose_config(const CapacityGoals& goals, double rate,
                                         std::int64_t memory_bytes,
                                         std::int64_t longest_request_tokens,
                                         std::int64_t block_tokens,
                                         std::span<const ServedConfig> configs);

}  // namespace qlab
