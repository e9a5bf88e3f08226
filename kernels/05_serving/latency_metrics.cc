// SPDX-License-Identifier: Apache-2.0
/// \file
/// The given latency_metrics: it replays what happened gap by gap, and asks each goal in turn.
#include "05_serving/latency_metrics.h"

#include <cmath>
#include <string>

namespace qlab {
namespace {

/// `before` is the time that `time` must not precede, and `what` names it.
void check_follows(std::ptrdiff_t request, const std::string& name, double time, const char* what,
                   double before) {
  QLAB_CHECK(std::isfinite(time), "latency_metrics: ", name, " of request ", request, " is ", time,
             "; times are finite seconds");
  QLAB_CHECK(time >= before, "latency_metrics: ", name, " of request ", request, " at ", time,
             " s is before ", what, " at ", before, " s; take all times from one clock");
}

void check_goal(const char* name, double seconds) {
  QLAB_CHECK(seconds >= 0, "latency_metrics: the goal for ", name, " is ", seconds,
             " s; it is 0 or more, and infinity promises nothing");
}

double sum(const std::vector<double>& values) {
  double total = 0;
  for (const double value : values) total += value;
  return total;
}

}  // namespace

void check_requests(std::span<const RequestTimes> requests) {
  QLAB_CHECK(!requests.empty(), "latency_metrics: there is no request; nothing was measured");
  for (std::ptrdiff_t i = 0; i < std::ssize(requests); ++i) {
    const auto& [arrival, admitted, tokens] = requests[static_cast<std::size_t>(i)];
    check_follows(i, "arrival", arrival, "the beginning", -HUGE_VAL);
    check_follows(i, "admission", admitted, "its arrival", arrival);
    QLAB_CHECK(!tokens.empty(), "latency_metrics: request ", i,
               " has no token; leave out requests that failed, and count them apart");
    check_follows(i, "token 0", tokens[0], "its admission", admitted);
    for (std::size_t t = 1; t < tokens.size(); ++t) {
      check_follows(i, "token " + std::to_string(t), tokens[t], "the one in front of it",
                    tokens[t - 1]);
    }
  }
}

void check_rates(std::span<const RequestTimes> requests, const LatencyGoals& goals) {
  check_requests(requests);
  check_goal("ttft", goals.ttft);
  check_goal("tpot", goals.tpot);
  check_goal("e2e", goals.e2e);
  const double first = requests[0].arrival;
  for (const RequestTimes& request : requests) {
    if (request.arrival != first || request.token_times.back() != first) return;
  }
  QLAB_CHECK(false, "latency_metrics: everything happened at ", first,
             " s; rates need a duration over 0");
}

RequestLatency request_latency(const RequestTimes& request) {
  const std::vector<double> gaps = inter_token_latencies({&request, 1});
  const double queued = request.admitted - request.arrival;
  const double prefill = request.token_times[0] - request.admitted;
  const double decode = sum(gaps);
  return {.ttft = queued + prefill,
          .e2e = queued + prefill + decode,
          .tpot = gaps.empty() ? 0 : decode / static_cast<double>(gaps.size())};
}

std::vector<double> inter_token_latencies(std::span<const RequestTimes> requests) {
  check_requests(requests);
  std::vector<double> gaps;
  for (const RequestTimes& request : requests) {
    double last = request.token_times[0];
    for (const double time : std::span(request.token_times).subspan(1)) {
      gaps.push_back(time - last);
      last = time;
    }
  }
  return gaps;
}

ServingRates serving_rates(std::span<const RequestTimes> requests, const LatencyGoals& goals) {
  check_rates(requests, goals);
  double first = HUGE_VAL, last = -HUGE_VAL, tokens = 0, good = 0;
  for (const RequestTimes& request : requests) {
    if (request.arrival < first) first = request.arrival;
    for (const double time : request.token_times) {
      if (time > last) last = time;
      ++tokens;
    }
    const auto [ttft, e2e, tpot] = request_latency(request);
    bool broken = false;
    if (ttft > goals.ttft) broken = true;
    if (tpot > goals.tpot) broken = true;
    if (e2e > goals.e2e) broken = true;
    if (!broken) ++good;
  }
  const double seconds = last - first;
  return {.seconds = seconds,
          .requests_per_second = static_cast<double>(requests.size()) / seconds,
          .tokens_per_second = tokens / seconds,
          .goodput = good / seconds};
}

}  // namespace qlab
