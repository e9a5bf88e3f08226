// SPDX-License-Identifier: Apache-2.0
/// \file
/// scheduler: what it refuses, and the given scheduler, written as its description reads.
#include "05_serving/scheduler.h"

#include <algorithm>
#include <cmath>

namespace qlab {
namespace {

std::int64_t blocks_of(const SchedulerConfig& config, std::int64_t tokens) {
  return (tokens + config.block_tokens - 1) / config.block_tokens;
}

/// Evicts the youngest, so that the oldest can always go on.
void evict(Scheduler& state, StepPlan& plan) {
  ServeSequence sequence = state.running.back();
  state.running.pop_back();
  state.free_blocks += sequence.blocks;
  sequence.blocks = sequence.cached = 0;
  ++sequence.preemptions;
  state.waiting.push_front(sequence);
  plan.preempted.push_back(sequence.request.id);
}

auto find_running(std::vector<ServeSequence>& running, std::int64_t id) {
  return std::ranges::find_if(running, [=](const auto& s) { return s.request.id == id; });
}

}  // namespace

Scheduler::Scheduler(const SchedulerConfig& c) : config(c), free_blocks(c.total_blocks) {
  const auto check = [](const char* name, std::int64_t value) {
    QLAB_CHECK(value >= 1 && value <= kMaxServeTokens, "Scheduler: ", name, " is ", value,
               "; choose 1 to ", kMaxServeTokens);
  };
  check("block_tokens", c.block_tokens);
  check("total_blocks", c.total_blocks);
  check("max_running", c.max_running);
  check("max_tokens_per_step", c.max_tokens_per_step);
}

void Scheduler::submit(const ServeRequest& r) {
  QLAB_CHECK(r.prompt_tokens >= 1 && r.output_tokens >= 1 && r.prompt_tokens <= kMaxServeTokens &&
                 r.output_tokens <= kMaxServeTokens - r.prompt_tokens,
             "submit: request ", r.id, " has ", r.prompt_tokens, " tokens and wants ",
             r.output_tokens, "; each must be at least 1, and both together at most ",
             kMaxServeTokens);
  QLAB_CHECK(std::isfinite(r.arrival) && r.arrival >= 0, "submit: request ", r.id, " arrives at ",
             r.arrival, "; count seconds from a start at 0");
  const std::int64_t peak = r.prompt_tokens + r.output_tokens - 1;
  const std::int64_t blocks = blocks_of(config, peak);
  QLAB_CHECK(blocks <= config.total_blocks, "submit: request ", r.id, " can never run: its ", peak,
             " tokens need ", blocks, " blocks, and there are ", config.total_blocks,
             "; shorten it, or give the cache more blocks");
  QLAB_CHECK(config.chunked_prefill || peak <= config.max_tokens_per_step, "submit: request ", r.id,
             " can never run: evicted late, it prefills ", peak,
             " tokens at once, and max_tokens_per_step is ", config.max_tokens_per_step,
             "; raise it, or allow chunked_prefill");
  QLAB_CHECK(ids.insert(r.id).second, "submit: there was a request ", r.id,
             " before; give each an id of its own");
  waiting.push_back({.request = r});
}

void check_plan(const Scheduler& state, const StepPlan& plan) {
  std::unordered_set<std::int64_t> seen;
  for (const auto* const list : {&plan.decode, &plan.prefill}) {
    for (const StepWork& work : *list) {
      const auto found = std::ranges::find_if(
          state.running, [&](const auto& s) { return s.request.id == work.id; });
      QLAB_CHECK(
          found != state.running.end(), "complete_step: sequence ", work.id,
          " of the plan does not run; evict nobody who is planned, and complete a plan once");
      QLAB_CHECK(seen.insert(work.id).second, "complete_step: sequence ", work.id,
                 " stands twice in the plan; it computes its tokens once a step");
      QLAB_CHECK(work.context == found->cached, "complete_step: sequence ", work.id, " has ",
                 found->cached, " tokens in its cache, the plan says ", work.context,
                 "; complete a plan once, and before the next one");
      const std::int64_t most = std::max<std::int64_t>(found->goal - found->cached, 1);
      QLAB_CHECK(work.tokens >= 1 && work.tokens <= most, "complete_step: sequence ", work.id,
                 " would compute ", work.tokens, " tokens, and 1 to ", most, " are missing");
    }
  }
}

StepPlan schedule_step(Scheduler& state) {
  const SchedulerConfig& config = state.config;
  StepPlan plan;
  std::int64_t budget = config.max_tokens_per_step;
  for (std::size_t i = 0; i < state.running.size() && budget > 0; ++i) {
    const std::int64_t cached = state.running[i].cached, goal = state.running[i].goal;
    const bool decodes = cached >= goal;
    const std::int64_t tokens = decodes ? 1 : std::min(goal - cached, budget);
    const std::int64_t need = blocks_of(config, cached + tokens) - state.running[i].blocks;
    while (need > state.free_blocks && i < state.running.size()) evict(state, plan);
    if (i == state.running.size()) break;  // it was itself the youngest
    state.running[i].blocks += need;
    state.free_blocks -= need;
    budget -= tokens;
    (decodes ? plan.decode : plan.prefill).push_back({state.running[i].request.id, cached, tokens});
  }
  if (!plan.preempted.empty()) return plan;
  while (!state.waiting.empty() && budget > 0 &&
         static_cast<std::int64_t>(state.running.size()) < config.max_running) {
    ServeSequence head = state.waiting.front();
    head.goal = head.request.prompt_tokens + head.generated;
    const std::int64_t tokens = config.chunked_prefill ? std::min(head.goal, budget) : head.goal;
    head.blocks = blocks_of(config, tokens);
    if (tokens > budget || head.blocks > state.free_blocks) break;
    state.waiting.pop_front();
    state.free_blocks -= head.blocks;
    budget -= tokens;
    plan.prefill.push_back({head.request.id, 0, tokens});
    state.running.push_back(head);
  }
  return plan;
}

StepResult complete_step(Scheduler& state, const StepPlan& plan) {
  check_plan(state, plan);
  StepResult result;
  for (const auto* const list : {&plan.decode, &plan.prefill}) {
    for (const StepWork& work : *list) {
      const auto sequence = find_running(state.running, work.id);
      sequence->cached += work.tokens;
      if (sequence->cached < sequence->goal) continue;
      result.produced.push_back(work.id);
      if (++sequence->generated < sequence->request.output_tokens) continue;
      result.finished.push_back(work.id);
      state.free_blocks += sequence->blocks;
      state.running.erase(sequence);
    }
  }
  return result;
}

}  // namespace qlab
