// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the given scheduler: golden traces, what must be true of any trace, what it refuses.
#include "05_serving/scheduler.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "05_serving/scheduler_audit.h"
#include "05_serving/scheduler_trace.h"
#include "05_serving/scheduler_workloads.h"

namespace qlab::test {
namespace {

constexpr SchedulerCalls kGiven{schedule_step, complete_step};
constexpr SchedulerConfig kSmall{
    .block_tokens = 4, .total_blocks = 8, .max_running = 3, .max_tokens_per_step = 16};

TEST(Scheduler, FollowsTheGoldenTraces) {
  const std::vector<GoldenTrace> traces = read_golden_traces();
  ASSERT_EQ(traces.size(), 5U);
  for (const auto& [workload, trace] : traces) {
    judge_trace(workload, run_trace(kGiven, workload), trace);
  }
}

TEST(Scheduler, KeepsAllRulesOnRandomRequests) {
  std::vector<Rule> all(kRules);
  for (int i = 0; i < kRules; ++i) all[i] = static_cast<Rule>(i);
  std::int64_t preemptions = 0, requests = 0;
  for (const Workload& workload : random_workloads(TestSeed())) {
    const Audit audit(kGiven, workload);
    audit.judge_rules(all);
    preemptions += audit.preemptions();
    requests += std::ssize(workload.requests);
  }
  EXPECT_EQ(requests, 600);
  EXPECT_GT(preemptions, 20);  // otherwise half of the rules were not looked at
}

TEST(Scheduler, KeepsAllRulesInARush) {
  const Workload workload = rush(300, 24);
  const Audit audit(kGiven, workload);
  std::vector<Rule> all(kRules);
  for (int i = 0; i < kRules; ++i) all[i] = static_cast<Rule>(i);
  audit.judge_rules(all);
  EXPECT_GT(audit.preemptions(), 0);
}

TEST(Scheduler, RefusesWhatCanServeNobody) {
  const auto with = [](auto member, std::int64_t value) {
    SchedulerConfig config = kSmall;
    config.*member = value;
    return [=] { Scheduler{config}; };
  };
  using C = SchedulerConfig;
  check_refusals(
      "configurations",
      {{"no blocks", "Scheduler: total_blocks is 0; choose 1 to", with(&C::total_blocks, 0)},
       {"empty blocks", "block_tokens is 0", with(&C::block_tokens, 0)},
       {"nobody at once", "max_running is -1", with(&C::max_running, -1)},
       {"no budget", "max_tokens_per_step is 0", with(&C::max_tokens_per_step, 0)},
       {"2^40 blocks", "total_blocks is 1099511627776", with(&C::total_blocks, 1LL << 40)}});
}

TEST(Scheduler, RefusesRequestsThatCanNeverRun) {
  const auto submit = [](ServeRequest request, bool chunked = false, std::int64_t blocks = 8) {
    return [=] {
      SchedulerConfig config = kSmall;
      config.chunked_prefill = chunked;
      config.total_blocks = blocks;
      Scheduler state(config);
      state.submit({.id = 1, .arrival = 0, .prompt_tokens = 1, .output_tokens = 1});
      try {
        state.submit(request);
      } catch (const ContractError&) {
        EXPECT_EQ(state.waiting.size(), 1U) << "a refused request waits";
        EXPECT_EQ(state.ids.size(), 1U) << "a refused request took an id";
        throw;
      }
    };
  };
  constexpr std::int64_t kMax = kMaxServeTokens;
  check_refusals(
      "requests",
      {{"33 tokens at the end",
        "submit: request 9 can never run: its 33 tokens need 9 blocks, and "
        "there are 8",
        submit({9, 0, 14, 20}, true)},
       {"a budget of 16",
        "request 9 can never run: evicted late, it prefills 17 tokens at once, "
        "and max_tokens_per_step is 16",
        submit({9, 0, 14, 4})},
       {"no prompt", "request 9 has 0 tokens and wants 1", submit({9, 0, 0, 1})},
       {"no output", "request 9 has 1 tokens and wants 0", submit({9, 0, 1, 0})},
       {"a prompt too long for a count", "both together at most", submit({9, 0, kMax, 1})},
       {"an output that overflows", "both together at most", submit({9, 0, 1, INT64_MAX})},
       {"an id of before", "there was a request 1 before", submit({1, 0, 1, 1})},
       {"before the start", "request 9 arrives at -0.5", submit({9, -0.5, 1, 1})},
       {"at no time", "request 9 arrives at nan", submit({9, std::nan(""), 1, 1})},
       {"never", "request 9 arrives at inf", submit({9, HUGE_VAL, 1, 1})}});
  // The nearest that can run.
  submit({9, 0, 13, 20}, true)();  // 32 tokens at the end, 8 blocks
  submit({9, 0, 13, 4})();         // 16 tokens at most, a budget of 16
  submit({-9, 0, 1, 1})();         // an id is a name
}

TEST(Scheduler, FinishesARequestThatFillsAllOfItsLimits) {
  const Workload workload{.name = "\"13 + 4 tokens in 4 blocks, 16 a step\"",
                          .config = {4, 4, 2, 16},
                          .requests = {{0, 0, 13, 4}, {1, 0, 13, 4}, {2, 0, 1, 16}}};
  Audit(kGiven, workload).judge_rules({kEndsWithAllTokens, kFreeIsNotNegative});
}

}  // namespace
}  // namespace qlab::test
