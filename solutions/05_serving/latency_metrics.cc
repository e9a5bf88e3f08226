// SPDX-License-Identifier: Apache-2.0
/// \file
/// latency_metrics: differences of times, and what to divide them by.
///
/// Bottleneck   none: one pass over the token times, and a sort for each percentile
/// Teaches      three waits of one user, and the two places at which a mean of them goes wrong
/// Leaves out   requests that failed; goals that only a share of the requests must meet
#include "05_serving/latency_metrics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace qlab::exercise {

RequestLatency request_latency(const RequestTimes& request) {
  check_requests({&request, 1});
  const std::vector<double>& tokens = request.token_times;
  RequestLatency latency{};
  // BEGIN SOLUTION [latency_metrics_request] Take a user's three waits
  // Set latency.ttft, latency.e2e and latency.tpot. A user's clock starts when the request is sent.
  // TPOT is about the tokens after the first, and stays 0 when there is no other.

  // Not from admission: the queue is where a loaded server makes users wait.
  latency.ttft = tokens.front() - request.arrival;
  latency.e2e = tokens.back() - request.arrival;
  // n tokens have n - 1 gaps. TTFT is taken out, or TPOT would depend on how long the prompt was.
  if (tokens.size() > 1) {
    latency.tpot = (latency.e2e - latency.ttft) / static_cast<double>(tokens.size() - 1);
  }
  // END SOLUTION [latency_metrics_request]
  return latency;
}

std::vector<double> inter_token_latencies(std::span<const RequestTimes> requests) {
  check_requests(requests);
  std::vector<double> gaps;
  // BEGIN SOLUTION [latency_metrics_gaps] Pool the gaps of all requests
  // Append to `gaps` the time from each token to the next one of the same request, request after
  // request, token after token.

  // Pooled, a request of 1,000 tokens has 999 votes and one of 2 tokens has one: the mean is not
  // the mean TPOT. In return a single stall can still be seen; TPOT spreads it over its request.
  for (const RequestTimes& request : requests) {
    const std::vector<double>& tokens = request.token_times;
    for (std::size_t t = 1; t < tokens.size(); ++t) gaps.push_back(tokens[t] - tokens[t - 1]);
  }
  // END SOLUTION [latency_metrics_gaps]
  return gaps;
}

double percentile(std::span<const double> values, double p) {
  QLAB_CHECK(!values.empty(), "latency_metrics: a percentile of no values");
  QLAB_CHECK(p >= 0 && p <= 100, "latency_metrics: p = ", p, " is outside 0 … 100");
  for (std::size_t i = 0; i < values.size(); ++i) {
    QLAB_CHECK(std::isfinite(values[i]), "latency_metrics: value ", i, " is ", values[i],
               "; a percentile needs finite values");
  }
  std::vector<double> sorted(values.begin(), values.end());
  double result = 0;
  // BEGIN SOLUTION [latency_metrics_percentile] Interpolate between two order statistics
  // Sort, and set `result` to the value at position (n - 1) · p/100, counted from 0. Between two
  // values it is linear.

  std::sort(sorted.begin(), sorted.end());
  // n - 1 and not n: 0 is then the smallest value, 100 the largest, and neither is past an end.
  const double position = static_cast<double>(sorted.size() - 1) * p / 100;
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double share = position - static_cast<double>(below);
  result = sorted[below] + share * (sorted[above] - sorted[below]);
  // END SOLUTION [latency_metrics_percentile]
  return result;
}

ServingRates serving_rates(std::span<const RequestTimes> requests, const LatencyGoals& goals) {
  check_rates(requests, goals);
  std::vector<RequestLatency> latencies;  // of each request
  for (const RequestTimes& request : requests) {
    latencies.push_back(exercise::request_latency(request));
  }
  double seconds = 0, tokens = 0, good = 0;
  // BEGIN SOLUTION [latency_metrics_rates] Count what was done, and what was done in time
  // Set `seconds` from the first arrival to the last token of all; `tokens` to the number of output
  // tokens; `good` to the number of requests that meet every goal. Requests come in any order.

  double first = requests[0].arrival, last = requests[0].token_times.back();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    first = std::min(first, requests[i].arrival);
    // The request that came last need not end last.
    last = std::max(last, requests[i].token_times.back());
    tokens += static_cast<double>(requests[i].token_times.size());
    // One broken promise spoils it: a fast start does not make up for slow reading.
    const auto& [ttft, e2e, tpot] = latencies[i];
    const bool met = ttft <= goals.ttft && tpot <= goals.tpot && e2e <= goals.e2e;
    if (met) ++good;
  }
  seconds = last - first;
  // END SOLUTION [latency_metrics_rates]
  return {.seconds = seconds,
          .requests_per_second = static_cast<double>(requests.size()) / seconds,
          .tokens_per_second = tokens / seconds,
          .goodput = good / seconds};
}

}  // namespace qlab::exercise
