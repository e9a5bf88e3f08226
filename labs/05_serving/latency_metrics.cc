// SPDX-License-Identifier: Apache-2.0
/// \file
/// latency_metrics: your turn. Replace each todo() with your code, then run `./lab check latency_metrics`.
#include "05_serving/latency_metrics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace qlab::exercise {

RequestLatency request_latency(const RequestTimes& request) {
  check_requests({&request, 1});
  const std::vector<double>& tokens = request.token_times;
  RequestLatency latency{};
  // TODO [latency_metrics_request] Take a user's three waits
  // Set latency.ttft, latency.e2e and latency.tpot. A user's clock starts when the request is sent.
  // TPOT is about the tokens after the first, and stays 0 when there is no other.
  todo("latency_metrics_request");
  return latency;
}

std::vector<double> inter_token_latencies(std::span<const RequestTimes> requests) {
  check_requests(requests);
  std::vector<double> gaps;
  // TODO [latency_metrics_gaps] Pool the gaps of all requests
  // Append to `gaps` the time from each token to the next one of the same request, request after
  // request, token after token.
  todo("latency_metrics_gaps");
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
  // TODO [latency_metrics_percentile] Interpolate between two order statistics
  // Sort, and set `result` to the value at position (n - 1) · p/100, counted from 0. Between two
  // values it is linear.
  todo("latency_metrics_percentile");
  return result;
}

ServingRates serving_rates(std::span<const RequestTimes> requests, const LatencyGoals& goals) {
  check_rates(requests, goals);
  std::vector<RequestLatency> latencies;  // of each request
  for (const RequestTimes& request : requests) {
    latencies.push_back(exercise::request_latency(request));
  }
  double seconds = 0, tokens = 0, good = 0;
  // TODO [latency_metrics_rates] Count what was done, and what was done in time
  // Set `seconds` from the first arrival to the last token of all; `tokens` to the number of output
  // tokens; `good` to the number of requests that meet every goal. Requests come in any order.
  todo("latency_metrics_rates");
  return {.seconds = seconds,
          .requests_per_second = static_cast<double>(requests.size()) / seconds,
          .tokens_per_second = tokens / seconds,
          .goodput = good / seconds};
}

}  // namespace qlab::exercise
