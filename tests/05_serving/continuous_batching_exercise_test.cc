// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise continuous_batching: golden traces, and what must be true of any trace.
/// The given scheduler passes the same in scheduler_test.cc.
#include "05_serving/continuous_batching.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "05_serving/scheduler_audit.h"
#include "05_serving/scheduler_trace.h"
#include "05_serving/scheduler_workloads.h"

namespace qlab::test {
namespace {

constexpr SchedulerCalls kYours{exercise::schedule_step, exercise::complete_step};
constexpr SchedulerCalls kGiven{schedule_step, complete_step};

void judge_golden(std::size_t which) {
  const GoldenTrace golden = read_golden_traces().at(which);
  judge_trace(golden.workload, run_trace(kYours, golden.workload), golden.trace);
}

void judge_random(std::uint64_t seed, const std::vector<Rule>& rules) {
  for (const Workload& workload : random_workloads(seed)) {
    Audit(kYours, workload).judge_rules(rules);
    if (testing::Test::HasFailure()) return;
  }
}

/// Numbers with what each of them is.
struct Counted {
  std::string what;
  std::int64_t got, expected;
};

void judge_counts(const std::string& name, const std::vector<Counted>& counts) {
  const auto n = static_cast<std::int64_t>(counts.size());
  Matrix<float> got(1, n);
  Matrix<double> expected(1, n);
  for (std::int64_t i = 0; i < n; ++i) {
    got(0, i) = static_cast<float>(counts[i].got);
    expected(0, i) = static_cast<double>(counts[i].expected);
  }
  judge({.name = name, .place = [&](auto, auto i) { return counts[i].what; }}, got.view(),
        expected.view(), exactly());
}

TEST(ContinuousBatching, JoinsAndLeavesABatchAtAnyStep) { judge_golden(4); }

TEST(ContinuousBatching, EvictsWhenEightBlocksAreNotEnough) { judge_golden(0); }

TEST(ContinuousBatching, EvictsTwiceInSixBlocks) { judge_golden(1); }

TEST(ContinuousBatching, LetsThemWaitInFiveBlocks) { judge_golden(2); }

TEST(ContinuousBatching, PrefillsInChunksOfTheBudget) { judge_golden(3); }

TEST(ContinuousBatching, KeepsItsBooksOfBlocks) {
  judge_random(TestSeed(), {kFreeIsNotNegative, kBlocksAreConserved, kOwnedHoldsTheCache});
}

TEST(ContinuousBatching, EvictsOnlyTheYoungestAndOnlyInNeed) {
  judge_random(TestSeed(), {kOnlyTheYoungestGoes, kEvictionIsNeeded, kEvictedWaitsInFront,
                            kEvictedKeepsItsTokens});
}

TEST(ContinuousBatching, AdmitsInOrderAndAsSoonAsItCan) {
  judge_random(TestSeed(), {kAdmissionIsInOrder, kNobodyWaitsInVain, kLimitsAreKept});
}

TEST(ContinuousBatching, GivesEveryRequestAllItsTokens) {
  judge_random(TestSeed(),
               {kTokenAtTheGoal, kWorkFitsTheGoal, kOldestRuns, kNobodyIsLost, kEndsWithAllTokens});
}

TEST(ContinuousBatching, DoesWhatTheGivenSchedulerDoes) {
  for (const Workload& workload : random_workloads(TestSeed())) {
    judge_trace(workload, run_trace(kYours, workload), run_trace(kGiven, workload));
    if (HasFailure()) return;
  }
}

TEST(ContinuousBatching, NeverHoldsMoreThanAllTokensButTheLast) {
  // P + O - 1 tokens at the end: one more would need one block more.
  std::vector<Counted> counts;
  for (const auto& [prompt, output] : {std::pair{5, 4}, {8, 1}, {1, 8}, {1, 1}, {9, 8}}) {
    const std::int64_t blocks = (prompt + output - 1 + 3) / 4;
    const Workload w{
        .name = "\"alone\"", .config = {4, blocks, 1, 16}, .requests = {{7, 0, prompt, output}}};
    const Audit audit(kYours, w);
    const std::string of =
        " of " + std::to_string(prompt) + " tokens that becomes " + std::to_string(prompt + output);
    counts.push_back({"steps for a prompt" + of, audit.steps(), output});
    counts.push_back({"blocks of 4 for a prompt" + of, audit.peak_blocks(), blocks});
    counts.push_back({"evictions for a prompt" + of, audit.preemptions(), 0});
  }
  judge_counts("\"alone in a memory that just suffices\"", counts);
}

TEST(ContinuousBatching, TakesNoStepTooManyInAmpleMemory) {
  // Nobody waits, so the steps are those of the request that ends last.
  const TestSeed seed;
  Random random(seed);
  std::vector<Counted> counts;
  for (int i = 0; i < 8; ++i) {
    Workload w = random_workload(random, 20, false, "ample memory " + std::to_string(i));
    w.config.total_blocks = w.config.max_running = w.config.max_tokens_per_step = 10'000;
    double last = 0;
    for (const ServeRequest& r : w.requests) {
      last = std::max(last, std::ceil(r.arrival) + static_cast<double>(r.output_tokens));
    }
    counts.push_back({"steps of trace " + std::to_string(i), Audit(kYours, w).steps(),
                      static_cast<std::int64_t>(last)});
  }
  judge_counts("\"20 requests in 10000 blocks\"", counts);
}

TEST(ContinuousBatching, TakesRequestsWhileAStepRuns) {
  RecordProperty("guards", "Time passes between plan and result, and requests arrive in it.");
  Scheduler state(
      {.block_tokens = 4, .total_blocks = 8, .max_running = 2, .max_tokens_per_step = 16});
  state.submit({.id = 1, .arrival = 0, .prompt_tokens = 3, .output_tokens = 1});
  const StepPlan plan = exercise::schedule_step(state);
  state.submit({.id = 2, .arrival = 0, .prompt_tokens = 3, .output_tokens = 1});
  const StepResult result = exercise::complete_step(state, plan);
  judge_counts("\"a request arrives while a step runs\"",
               {{"planned", std::ssize(plan.prefill), 1},
                {"finished", std::ssize(result.finished), 1},
                {"waiting after it", std::ssize(state.waiting), 1},
                {"free blocks after it", state.free_blocks, 8}});
}

TEST(ContinuousBatching, RefusesAPlanOfAnotherStep) {
  RecordProperty("guards", "The check is given; a plan of yesterday must not spoil the counts.");
  Scheduler state(
      {.block_tokens = 4, .total_blocks = 8, .max_running = 2, .max_tokens_per_step = 16});
  state.submit({.id = 5, .arrival = 0, .prompt_tokens = 3, .output_tokens = 2});
  const StepPlan plan = exercise::schedule_step(state);
  exercise::complete_step(state, plan);
  const auto complete = [&](const StepPlan& p) {
    return [&] { exercise::complete_step(state, p); };
  };
  const StepPlan stranger{.decode = {{6, 3, 1}}, .prefill = {}, .preempted = {}};
  const StepPlan twice{.decode = {{5, 3, 1}, {5, 3, 1}}, .prefill = {}, .preempted = {}};
  const StepPlan much{.decode = {{5, 3, 2}}, .prefill = {}, .preempted = {}};
  check_refusals("plans",
                 {{"done before", "5 has 3 tokens in its cache, the plan says 0", complete(plan)},
                  {"a stranger", "6 of the plan does not run", complete(stranger)},
                  {"twice", "5 stands twice in the plan", complete(twice)},
                  {"two tokens", "would compute 2 tokens", complete(much)}});
}

/// Steps when nobody joins a batch before all of it are done. All its prompts go into its first
/// step, whatever the budget: that is in its favour.
std::int64_t steps_in_closed_batches(const Workload& w) {
  std::int64_t steps = 0, longest = 0;
  for (std::size_t i = 0; i < w.requests.size(); ++i) {
    if (i % static_cast<std::size_t>(w.config.max_running) == 0) steps += std::exchange(longest, 0);
    longest = std::max(longest, w.requests[i].output_tokens);
  }
  return steps + longest;
}

TEST(ContinuousBatching, TellsWhatMemoryIsWorth) {
  const Workload ample = rush(200, 1000), scarce = rush(200, 32);
  const Audit rich(kYours, ample), poor(kYours, scarce);
  const Audit given_rich(kGiven, ample), given_poor(kGiven, scarce);
  judge_counts("\"200 requests at once\"",
               {{"evictions in 1000 blocks", rich.preemptions(), 0},
                {"steps in 1000 blocks", rich.steps(), given_rich.steps()},
                {"evictions in 32 blocks", poor.preemptions(), given_poor.preemptions()},
                {"steps in 32 blocks", poor.steps(), given_poor.steps()},
                {"tokens computed in 32 blocks", poor.computed(), given_poor.computed()}});
  const double more = 100.0 * static_cast<double>(poor.computed() - rich.computed()) /
                      static_cast<double>(rich.computed());
  std::ostringstream fact;
  fact << "200 requests, 16 at once, take " << rich.steps() << " steps, and "
       << steps_in_closed_batches(ample)
       << " when nobody joins before a batch is done. In 32 blocks "
       << "instead of 1000 they take " << poor.steps() << ": " << poor.preemptions()
       << " evictions compute " << std::lround(more) << " % more tokens, and fewer run at once.";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
