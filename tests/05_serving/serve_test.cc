// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the serving loop: what queueing theory says of any server, and what the cost model says of
/// one request.
#include "05_serving/serve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "05_serving/scheduler_workloads.h"
#include "05_serving/workload.h"
#include "common/statistics.h"

namespace qlab::test {
namespace {

/// Every step takes as long.
class Metronome : public ServeEngine {
 public:
  explicit Metronome(double seconds) : seconds_(seconds) {}
  double run(const StepPlan&) override { return seconds_; }

 private:
  double seconds_;
};

/// A step takes a little, and more for each token.
class PerToken : public ServeEngine {
 public:
  double run(const StepPlan& plan) override {
    std::int64_t tokens = 0;
    for (const auto* const list : {&plan.decode, &plan.prefill}) {
      for (const StepWork& work : *list) tokens += work.tokens;
    }
    return 0.25 + 0.0625 * static_cast<double>(tokens);
  }
};

constexpr ServedModel kModel{.n_layers = 32,
                             .hidden = 4096,
                             .intermediate = 11008,
                             .n_heads = 32,
                             .n_kv_heads = 32,
                             .head_dim = 128,
                             .vocab = 32000};
constexpr ServedFormat kFormat{
    .weights = {.bits = 16, .group_size = 0}, .kv_bytes_per_token = 524288, .arithmetic = {}};
constexpr ServedDevice kDevice{.fp16_flops = 7e14,
                               .int8_flops = 14e14,
                               .bytes_per_second = 4e12,
                               .step_overhead_seconds = 1e-4};

const SchedulerConfig kAmple{
    .block_tokens = 16, .total_blocks = 4096, .max_running = 64, .max_tokens_per_step = 4096};

/// ∫ of the number of requests in the server, from the steps: those that ran or waited in a step, and
/// those that came during it, from when they came.
double integral_of_requests(const ServeRun& run) {
  double integral = 0;
  for (const ServedStep& step : run.steps) {
    integral += static_cast<double>(step.running + step.waiting) * step.seconds;
    for (const ServedRequest& served : run.requests) {
      const double arrival = served.request.arrival, end = step.start + step.seconds;
      if (arrival > step.start && arrival < end) integral += end - arrival;
    }
  }
  return integral;
}

TEST(Serve, KeepsLittlesLawInEveryRun) {
  PerToken engine;
  std::int64_t preemptions = 0;
  for (const Workload& workload : random_workloads(TestSeed())) {
    const ServeRun run = serve(workload.config, workload.requests, engine);
    double stayed = 0;
    for (const ServedRequest& served : run.requests) {
      stayed += served.times.token_times.back() - served.request.arrival;
      preemptions += served.preemptions;
    }
    // Sums of binary fractions: exact, but for products with counts of a few hundred.
    EXPECT_NEAR(integral_of_requests(run), stayed, 1e-9 * stayed) << workload.name;
  }
  EXPECT_GT(preemptions, 20);
}

TEST(Serve, NobodyIsLostOrStarved) {
  PerToken engine;
  for (const Workload& workload : random_workloads(TestSeed())) {
    const ServeRun run = serve(workload.config, workload.requests, engine);
    ASSERT_EQ(run.requests.size(), workload.requests.size());
    for (const ServedRequest& served : run.requests) {
      EXPECT_EQ(std::ssize(served.times.token_times), served.request.output_tokens);
      EXPECT_TRUE(std::ranges::is_sorted(served.times.token_times));
      EXPECT_GE(served.times.admitted, served.request.arrival);
    }
    EXPECT_NO_THROW(check_requests(request_times(run)));
  }
}

TEST(Serve, NeverRestsWhileSomebodyWaits) {
  PerToken engine;
  for (const Workload& workload : random_workloads(TestSeed())) {
    const ServeRun run = serve(workload.config, workload.requests, engine);
    for (std::size_t i = 1; i < run.steps.size(); ++i) {
      const double end = run.steps[i - 1].start + run.steps[i - 1].seconds;
      if (run.steps[i].start == end) continue;
      // The server rested: everybody who had come before was done, and somebody came just then.
      for (const ServedRequest& served : run.requests) {
        const bool before = served.request.arrival <= end;
        const bool done = served.times.token_times.back() <= end;
        EXPECT_EQ(before, done) << workload.name << ", step " << i;
      }
    }
  }
}

TEST(Serve, OneRequestTakesWhatTheCostModelSays) {
  ModelledEngine engine(kModel, kFormat, kDevice);
  const ServeRequest request{.id = 1, .arrival = 2.5, .prompt_tokens = 300, .output_tokens = 40};
  const ServeRun run = serve(kAmple, {&request, 1}, engine);
  const RequestLatency latency = request_latency(run.requests.front().times);
  const double prefill = step_seconds(prefill_cost(kModel, kFormat, 300), kFormat, kDevice);
  double decode = 0;
  for (std::int64_t context = 301; context < 340; ++context) {
    decode +=
        step_seconds(decode_step_cost(kModel, kFormat, std::vector{context}), kFormat, kDevice);
  }
  // The clock counts from an arrival at 2.5 s: each of 40 sums rounds by at most 2⁻⁵² · 2.
  EXPECT_NEAR(latency.ttft, prefill, 40 * 0x1p-51);
  EXPECT_NEAR(latency.tpot * 39, decode, 80 * 0x1p-51);
}

TEST(Serve, WithoutAKernelEveryStepUnpacksTheWeights) {
  const std::int64_t bytes = unpack_bytes(kModel);
  EXPECT_EQ(bytes, 4 * 32 * (4 * 4096 * 4096LL + 3 * 4096 * 11008LL));
  ModelledEngine fused(kModel, kFormat, kDevice), unfused(kModel, kFormat, kDevice, bytes);
  const StepPlan plan{.decode = {{1, 100, 1}}, .prefill = {}, .preempted = {}};
  EXPECT_NEAR(unfused.run(plan) - fused.run(plan), static_cast<double>(bytes) / 4e12, 1e-12);
}

/// Mean wait in the queue of one server with Poisson arrivals and equal services of one second, and
/// four standard errors of it: the deviation of 20 batch means over √20.
struct Wait {
  double mean, allowed;
};

Wait wait_of_md1(double utilisation) {
  constexpr std::int64_t kRequests = 200'000, kBatches = 20;
  constexpr TokenLengths kOne{.median = 1, .spread = 0, .most = 1};
  const std::vector<ServeRequest> requests = poisson_workload(
      {.requests = kRequests, .rate = utilisation, .prompt = kOne, .output = kOne, .seed = 8});
  Metronome engine(1);
  const SchedulerConfig one{
      .block_tokens = 1, .total_blocks = 1, .max_running = 1, .max_tokens_per_step = 1};
  const ServeRun run = serve(one, requests, engine);
  double batch[kBatches] = {}, mean = 0, squares = 0;
  for (std::size_t i = 0; i < run.requests.size(); ++i) {
    const RequestTimes& times = run.requests[i].times;
    batch[i * kBatches / kRequests] += (times.admitted - times.arrival) * kBatches / kRequests;
  }
  for (const double b : batch) mean += b / kBatches;
  for (const double b : batch) squares += (b - mean) * (b - mean);
  return {mean, 4 * std::sqrt(squares / (kBatches - 1) / kBatches)};
}

TEST(Serve, WaitsAsLongAsMD1Says) {
  for (const double utilisation : {0.3, 0.6, 0.9}) {
    const double theory = utilisation / (2 * (1 - utilisation));
    const auto [mean, allowed] = wait_of_md1(utilisation);
    EXPECT_NEAR(mean, theory, allowed) << "utilisation " << utilisation;
    EXPECT_LT(allowed, 0.2 * theory)
        << "too coarse to tell M/D/1 from M/M/1, which waits twice as long";
  }
}

TEST(Serve, TheSameRequestsGiveTheSameRun) {
  const Workload workload = random_workloads(TestSeed())[1];
  ModelledEngine a(kModel, kFormat, kDevice), b(kModel, kFormat, kDevice);
  const ServeRun one = serve(workload.config, workload.requests, a);
  const ServeRun two = serve(workload.config, workload.requests, b);
  ASSERT_EQ(one.steps.size(), two.steps.size());
  for (std::size_t i = 0; i < one.requests.size(); ++i) {
    EXPECT_EQ(one.requests[i].times.token_times, two.requests[i].times.token_times);
  }
}

TEST(Serve, KeepsToTheBlocksThereAre) {
  PerToken engine;
  for (const Workload& workload : random_workloads(TestSeed())) {
    for (const ServedStep& step : serve(workload.config, workload.requests, engine).steps) {
      EXPECT_GE(step.used_blocks, 1);
      EXPECT_LE(step.used_blocks, workload.config.total_blocks);
    }
  }
}

TEST(Serve, ARateThatCannotBeServedEndsAndTakesAllTheTimeThereIs) {
  constexpr TokenLengths kPrompt{.median = 100, .spread = 0.5, .most = 400},
      kOutput{.median = 50, .spread = 0.5, .most = 200};
  ModelledEngine engine(kModel, kFormat, kDevice);
  const std::vector<ServeRequest> requests = poisson_workload(
      {.requests = 300, .rate = 1e9, .prompt = kPrompt, .output = kOutput, .seed = 1});
  const ServeRun run = serve(kAmple, requests, engine);
  const double most = saturated_rate(kAmple, requests, engine);
  const ServingRates rates = serving_rates(request_times(run), {});
  EXPECT_LT(rates.requests_per_second, most);  // filling and emptying take their time
  EXPECT_GT(rates.requests_per_second, 0.5 * most);
}

TEST(Serve, IsSaturatedAtOneRequestAService) {
  constexpr TokenLengths kOne{.median = 1, .spread = 0, .most = 1};
  Metronome engine(0.5);
  const SchedulerConfig one{
      .block_tokens = 1, .total_blocks = 1, .max_running = 1, .max_tokens_per_step = 1};
  for (const std::int64_t count : {1, 2, 3, 7, 100}) {
    const std::vector<ServeRequest> requests = poisson_workload(
        {.requests = count, .rate = 0.1, .prompt = kOne, .output = kOne, .seed = 1});
    EXPECT_DOUBLE_EQ(saturated_rate(one, requests, engine), 2) << count << " requests";
  }
}

TEST(Serve, IsSaturatedByFewRequestsToo) {
  // As many places as a long list fills: a short one, repeated, says the same.
  constexpr TokenLengths kPrompt{.median = 100, .spread = 0.2, .most = 400},
      kOutput{.median = 50, .spread = 0.2, .most = 200};
  ModelledEngine engine(kModel, kFormat, kDevice);
  const auto rate_of = [&](std::int64_t count) {
    return saturated_rate(
        kAmple,
        poisson_workload(
            {.requests = count, .rate = 1, .prompt = kPrompt, .output = kOutput, .seed = 1}),
        engine);
  };
  // Means of 16 lengths are off by 0.2/√16, 5 %; four of these.
  EXPECT_NEAR(rate_of(16), rate_of(2000), 0.2 * rate_of(2000));
}

/// Schedulers that a learner might write.
StepPlan plans_nothing(Scheduler&) { return {}; }
StepPlan plans_a_stranger(Scheduler&) {
  return {.decode = {{99, 0, 1}}, .prefill = {}, .preempted = {}};
}

TEST(Serve, RefusesInOneSentence) {
  const ServeRequest fine{.id = 1, .arrival = 0, .prompt_tokens = 8, .output_tokens = 8};
  const auto with = [=](auto member, auto value) {
    ServeRequest request = fine;
    request.*member = value;
    return [=] {
      Metronome engine(1);
      serve({.block_tokens = 4, .total_blocks = 4, .max_running = 2, .max_tokens_per_step = 64},
            {&request, 1}, engine);
    };
  };
  const auto took = [=](double seconds) {
    return [=] {
      Metronome engine(seconds);
      serve(kAmple, {&fine, 1}, engine);
    };
  };
  const auto scheduled = [=](auto schedule) {
    return [=] {
      Metronome engine(1);
      serve(kAmple, {&fine, 1}, engine, {.schedule = schedule});
    };
  };
  using R = ServeRequest;
  check_refusals(
      "serve",
      {
          {"nobody", "there is no request",
           [] {
             Metronome engine(1);
             serve(kAmple, {}, engine);
           }},
          {"longer than the pool", "request 1 can never run",
           with(&R::output_tokens, std::int64_t{10})},
          {"a negative arrival", "arrives at -1", with(&R::arrival, -1.0)},
          {"an empty prompt", "has 0 tokens", with(&R::prompt_tokens, std::int64_t{0})},
          {"a step in no time", "a step took 0 seconds", took(0)},
          {"a step of NaN", "a step took nan seconds", took(std::nan(""))},
          {"a lazy scheduler", "a step without work, while 1 requests wait",
           scheduled(plans_nothing)},
          {"an invented id", "request 99, which never arrived", scheduled(plans_a_stranger)},
          {"negative bytes", "unpacked_bytes is -1",
           [] { ModelledEngine(kModel, kFormat, kDevice, -1); }},
      });
}

}  // namespace
}  // namespace qlab::test
