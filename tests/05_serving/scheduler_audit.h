// SPDX-License-Identifier: Apache-2.0
/// \file
/// What must be true of any trace: rules that are checked step by step, from the states before and
/// after it, without knowing how a scheduler decides.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "05_serving/scheduler_trace.h"

namespace qlab::test {

enum Rule {
  kBlocksAreConserved,
  kFreeIsNotNegative,
  kOwnedHoldsTheCache,
  kNobodyIsLost,
  kLimitsAreKept,
  kWorkFitsTheGoal,
  kOnlyTheYoungestGoes,
  kEvictionIsNeeded,
  kEvictedWaitsInFront,
  kEvictedKeepsItsTokens,
  kAdmissionIsInOrder,
  kNobodyWaitsInVain,
  kOldestRuns,
  kTokenAtTheGoal,
  kEndsWithAllTokens,
  kRules
};

inline const char* const kRuleBroken[kRules] = {
    "steps in which blocks appear or vanish: free and owned are not all blocks",
    "steps with fewer than 0 free blocks",
    "sequences that own more or fewer blocks than what they compute and cache needs",
    "requests that neither wait nor run, or do so twice",
    "steps with more tokens than the budget, or more sequences than max_running",
    "sequences that compute neither one token, nor their goal or a chunk of it",
    "evictions of another than the youngest",
    "evictions although there were blocks enough",
    "evicted sequences that do not wait at the front, the older before the younger",
    "evicted sequences with a cache or blocks, or with other tokens than before",
    "admissions out of turn, or in a step with an eviction",
    "steps in which the first of the line could have been admitted",
    "steps in which the oldest did not run, or another did not though budget was left",
    "tokens too many or too few: one comes when all of a sequence is cached",
    "requests that did not end with all their tokens"};

/// Watches one trace.
class Audit {
 public:
  Audit(const SchedulerCalls& calls, const Workload& workload) : workload_(workload) {
    trace_ = run_trace(calls, workload, [&](const auto&... step) { see(step...); });
    for (const ServeRequest& r : workload.requests) {
      const bool right = made_[r.id] == r.output_tokens && finished_[r.id] == 1;
      check(kEndsWithAllTokens, right, [&] {
        return "request " + std::to_string(r.id) + " has " + std::to_string(made_[r.id]) + " of " +
               std::to_string(r.output_tokens) + " tokens" +
               (trace_.refusal.empty() ? "" : ": " + trace_.refusal);
      });
    }
  }

  /// Judges some of the rules: how often each was broken, and where first.
  void judge_rules(const std::vector<Rule>& rules) const {
    const auto n = static_cast<std::int64_t>(rules.size());
    Matrix<float> got(1, n);
    Matrix<double> expected(1, n);
    for (std::int64_t i = 0; i < n; ++i) got(0, i) = static_cast<float>(broken_[rules[i]]);
    judge({.name = workload_.name,
           .place =
               [&](auto, std::int64_t i) {
                 return kRuleBroken[rules[i]] + std::string(" (first: ") + first_[rules[i]] + ")";
               }},
          got.view(), expected.view(), exactly());
  }

  std::int64_t preemptions() const { return preemptions_; }
  std::int64_t computed() const { return computed_; }
  std::int64_t peak_blocks() const { return peak_blocks_; }
  std::int64_t steps() const { return static_cast<std::int64_t>(trace_.steps.size()); }

 private:
  using Owned = std::map<std::int64_t, ServeSequence>;

  template <class Text>
  void check(Rule rule, bool kept, const Text& text) {
    if (kept) return;
    if (broken_[rule]++ == 0) first_[rule] = "step " + std::to_string(step_) + ", " + text();
  }

  void check(Rule rule, bool kept, const char* what, std::int64_t number) {
    check(rule, kept, [&] { return what + std::to_string(number); });
  }

  std::int64_t blocks_of(std::int64_t tokens) const {
    std::int64_t blocks = 0;
    while (blocks * workload_.config.block_tokens < tokens) ++blocks;
    return blocks;
  }

  /// " 7 14 | 21 28": the running and the waiting.
  static std::string text_of(const Scheduler& s) {
    std::string text;
    for (const ServeSequence& r : s.running) text += " " + std::to_string(r.request.id);
    text += " |";
    for (const ServeSequence& r : s.waiting) text += " " + std::to_string(r.request.id);
    return text;
  }

  void see(const Scheduler& before, const StepPlan& plan, const Scheduler& between,
           const StepResult& result, const Scheduler& after) {
    ++step_;
    Owned old;
    for (const ServeSequence& s : before.running) old[s.request.id] = s;
    for (const ServeSequence& s : before.waiting) old[s.request.id] = s;
    std::map<std::int64_t, std::int64_t> work;  // tokens of each id
    for (const auto* const list : {&plan.decode, &plan.prefill}) {
      for (const StepWork& w : *list) work[w.id] += w.tokens;
    }
    see_blocks(between, work);
    see_blocks(after, {});
    see_work(plan, old, between);
    see_evictions(before, plan, between, old);
    see_admissions(before, plan, between, work);
    see_result(between, work, result, after);
  }

  /// Of a state between two calls, or with work that is planned and not yet cached.
  void see_blocks(const Scheduler& s, const std::map<std::int64_t, std::int64_t>& work) {
    std::int64_t owned = 0;
    for (const ServeSequence& r : s.running) {
      owned += r.blocks;
      const auto planned = work.find(r.request.id);
      const std::int64_t more = planned == work.end() ? 0 : planned->second;
      check(kOwnedHoldsTheCache, r.blocks == blocks_of(r.cached + more), [&] {
        return "sequence " + std::to_string(r.request.id) + ": " + std::to_string(r.blocks) +
               " blocks for " + std::to_string(r.cached + more) + " tokens";
      });
    }
    for (const ServeSequence& r : s.waiting) owned += r.blocks;
    check(kBlocksAreConserved, s.free_blocks + owned == s.config.total_blocks, [&] {
      return std::to_string(s.free_blocks) + " free and " + std::to_string(owned) + " owned of " +
             std::to_string(s.config.total_blocks);
    });
    check(kFreeIsNotNegative, s.free_blocks >= 0, "free: ", s.free_blocks);
    peak_blocks_ = std::max(peak_blocks_, owned);
  }

  void see_work(const StepPlan& plan, Owned& old, const Scheduler& between) {
    std::int64_t tokens = 0;
    for (const StepWork& w : plan.decode) {
      tokens += w.tokens;
      check(kWorkFitsTheGoal, w.tokens == 1 && w.context == old[w.id].cached && made_[w.id] > 0,
            "decode of ", w.id);
    }
    for (const StepWork& w : plan.prefill) {
      tokens += w.tokens;
      const std::int64_t all = old[w.id].request.prompt_tokens + old[w.id].generated;
      const bool whole = w.context + w.tokens == all;
      const bool part = between.config.chunked_prefill && w.context + w.tokens < all;
      check(kWorkFitsTheGoal, w.tokens >= 1 && w.context == old[w.id].cached && (whole || part),
            "prefill of ", w.id);
    }
    computed_ += tokens;
    const SchedulerConfig& c = between.config;
    check(kLimitsAreKept, tokens <= c.max_tokens_per_step, "tokens: ", tokens);
    const auto running = static_cast<std::int64_t>(between.running.size());
    check(kLimitsAreKept, running <= c.max_running, "running: ", running);
    for (const ServeSequence& s : between.running) {
      const auto is = [&](const StepWork& w) { return w.id == s.request.id; };
      const bool runs =
          std::ranges::any_of(plan.decode, is) || std::ranges::any_of(plan.prefill, is);
      const bool oldest = &s == &between.running.front();
      check(kOldestRuns, runs || (!oldest && tokens >= c.max_tokens_per_step),
            "no work for sequence ", s.request.id);
    }
    check(kOldestRuns, between.idle() || running > 0, "running: ", running);
  }

  void see_evictions(const Scheduler& before, const StepPlan& plan, const Scheduler& between,
                     Owned& old) {
    preemptions_ += static_cast<std::int64_t>(plan.preempted.size());
    Ids running = ids_of(before.running), waiting = ids_of(before.waiting);
    for (const std::int64_t id : plan.preempted) {
      check(kOnlyTheYoungestGoes, running.size() > 1 && running.back() == id, "evicted: ", id);
      std::erase(running, id);
      waiting.insert(waiting.begin(), id);
      // The last victim is the oldest of them. With its blocks still owned, the others' would not
      // suffice; or it went for itself, and what is free now is less than it would need.
      if (id != plan.preempted.back()) continue;
      const ServeSequence& s = old[id];
      const std::int64_t most = blocks_of(std::max(s.cached + 1, s.goal));
      check(kEvictionIsNeeded, between.free_blocks < std::max(s.blocks, most), "evicted: ", id);
    }
    if (plan.preempted.empty()) return;
    check(kEvictedWaitsInFront, ids_of(between.waiting) == waiting,
          "evicted at last: ", plan.preempted.back());
    for (const ServeSequence& s : between.waiting) {
      check(kEvictedKeepsItsTokens,
            s.cached == 0 && s.blocks == 0 && s.generated == made_[s.request.id], "sequence ",
            s.request.id);
    }
  }

  void see_admissions(const Scheduler& before, const StepPlan& plan, const Scheduler& between,
                      const std::map<std::int64_t, std::int64_t>& work) {
    const auto text = [&] {
      return "running and waiting were" + text_of(before) + ", and are" + text_of(between);
    };
    if (!plan.preempted.empty()) {
      const std::size_t stayed = before.running.size() - plan.preempted.size();
      check(kAdmissionIsInOrder, between.running.size() == stayed, text);
      return;
    }
    // Those that run and those that wait, one after the other: only the border moves.
    Ids line = ids_of(before.running), now = ids_of(between.running);
    for (const ServeSequence& s : before.waiting) line.push_back(s.request.id);
    for (const ServeSequence& s : between.waiting) now.push_back(s.request.id);
    check(kAdmissionIsInOrder, line == now && between.running.size() >= before.running.size(),
          text);
    if (between.waiting.empty()) return;
    const SchedulerConfig& c = between.config;
    const ServeSequence& head = between.waiting.front();
    std::int64_t left = c.max_tokens_per_step, goal = head.request.prompt_tokens + head.generated;
    for (const auto& [id, tokens] : work) left -= tokens;
    if (c.chunked_prefill) goal = std::min(goal, left);
    const bool full = static_cast<std::int64_t>(between.running.size()) >= c.max_running;
    check(kNobodyWaitsInVain,
          full || left <= 0 || goal > left || blocks_of(goal) > between.free_blocks,
          "first of the line: ", head.request.id);
  }

  void see_result(const Scheduler& between, std::map<std::int64_t, std::int64_t>& work,
                  const StepResult& result, const Scheduler& after) {
    for (const ServeSequence& s : between.running) {
      const std::int64_t id = s.request.id, all = s.request.prompt_tokens + made_[id];
      const bool due = work.contains(id) && s.cached + work[id] == all;
      const std::int64_t got = std::ranges::count(result.produced, id);
      check(kTokenAtTheGoal, got == (due ? 1 : 0), "sequence ", id);
    }
    for (const std::int64_t id : result.produced) ++made_[id];
    for (const std::int64_t id : result.finished) ++finished_[id];
    Ids here = ids_of(after.running);
    for (const ServeSequence& s : after.waiting) here.push_back(s.request.id);
    for (const std::int64_t id : after.ids) {
      check(kNobodyIsLost, std::ranges::count(here, id) == (finished_[id] > 0 ? 0 : 1), "request ",
            id);
    }
  }

  const Workload& workload_;
  Trace trace_;
  std::int64_t step_ = 0, preemptions_ = 0, computed_ = 0, peak_blocks_ = 0;
  std::map<std::int64_t, std::int64_t> made_, finished_;  // tokens, ends, by id
  std::int64_t broken_[kRules] = {};
  std::string first_[kRules];
};

}  // namespace qlab::test
