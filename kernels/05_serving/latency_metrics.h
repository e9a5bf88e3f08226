// SPDX-License-Identifier: Apache-2.0
/// \file
/// latency_metrics: what users of a server wait for, from the times at which tokens reached them.
///
/// Bottleneck   none: one pass over the token times, and a sort for each percentile
/// Bytes moved  8 for each token
/// FLOPs        a handful for each token
/// Teaches      what TTFT, TPOT and ITL each hide; why a mean says little; what goodput asks
/// Leaves out   where the times come from (continuous_batching); intervals (common/statistics.h)
#pragma once

#include <limits>
#include <span>
#include <vector>

#include "common/contract.h"

namespace qlab {

/// When what happened to one request, in seconds of one clock: arrival ≤ admitted ≤ first token.
struct RequestTimes {
  double arrival;                   ///< the user sent it
  double admitted;                  ///< it left the queue, and its prompt was begun
  std::vector<double> token_times;  ///< 1 or more, none before the one in front of it
};

/// What the user of one request saw, in seconds.
struct RequestLatency {
  double ttft;  ///< time to first token, the wait in the queue included
  double e2e;   ///< until the last token
  double tpot;  ///< time per output token after the first; 0 when there is no other, and then left
                ///< out of percentiles of TPOT
};

/// What was promised: at most so many seconds each (SLO). Infinity promises nothing.
struct LatencyGoals {
  double ttft = std::numeric_limits<double>::infinity();
  double tpot = std::numeric_limits<double>::infinity();
  double e2e = std::numeric_limits<double>::infinity();
};

/// What a server did from the first arrival to the last token.
struct ServingRates {
  double seconds;              ///< that took
  double requests_per_second;  ///< throughput
  double tokens_per_second;    ///< output tokens, the first of each request included
  double goodput;              ///< requests a second that met every goal
};

/// \throws ContractError  no requests, a request without tokens, a time that is not finite or
///                        before one that it must follow
void check_requests(std::span<const RequestTimes> requests);

/// check_requests(), and what rates need.
/// \throws ContractError  also: everything happened at one time, or a goal is negative or NaN
void check_rates(std::span<const RequestTimes> requests, const LatencyGoals& goals);

/// The exercise: these are written by the learner, and linked from labs/ or solutions/. The
/// definitions are those of vLLM's `benchmarks/serve.py`.
namespace exercise {

/// \throws ContractError  see check_requests()
RequestLatency request_latency(const RequestTimes& request);

/// ITL: every gap between one token and the next of the same request; request after request. The
/// wait for a first token is no gap.
/// \throws ContractError  see check_requests()
std::vector<double> inter_token_latencies(std::span<const RequestTimes> requests);

/// Percentile of type 7, which numpy takes when not told otherwise: position (n - 1) · p/100 of the
/// sorted values, linear between two of them.
/// Source: Hyndman, Fan, "Sample Quantiles in Statistical Packages", 1996.
/// \param values  in any order
/// \throws ContractError  no values, one that is not finite, or p outside 0 … 100
double percentile(std::span<const double> values, double p);

/// A request is good when it meets all goals at once; exactly as long as promised is good.
/// Source of goodput: Zhong et al., "DistServe", OSDI 2024, section 2.
/// \throws ContractError  see check_rates()
ServingRates serving_rates(std::span<const RequestTimes> requests, const LatencyGoals& goals);

}  // namespace exercise

/// The same, given: the oracle, and what the lab's own simulations use. The given percentile is in
/// common/statistics.h.
RequestLatency request_latency(const RequestTimes& request);
/// The same, given.
std::vector<double> inter_token_latencies(std::span<const RequestTimes> requests);
/// The same, given.
ServingRates serving_rates(std::span<const RequestTimes> requests, const LatencyGoals& goals);

}  // namespace qlab
