// SPDX-License-Identifier: Apache-2.0
/// \file
/// continuous_batching: blocks as tokens come, the youngest gives way, first come first served.
///
/// Bottleneck   none: counting, where a step of a model takes milliseconds
/// Teaches      memory is taken late and given back early; an order that starves nobody
/// Leaves out   choosing a victim by its cost; keeping blocks that a prefix shares
#include "05_serving/continuous_batching.h"

#include <algorithm>
#include <utility>

namespace qlab::exercise {
namespace {

// block_tokens 4, 3 blocks     step 1      step 2      step 3      c: tokens in the cache
// A: prompt 5, outputs 5       c 5, 2 bl.  c 6, 2 bl.  c 7, 2 bl.
// B: prompt 4, outputs 4       c 4, 1 bl.  B wants a fifth token, no block is free, and B is the
//                                          youngest: it waits with its one output, and later
//                                          prefills 4 + 1 tokens.

/// Blocks that a sequence lacks to hold `tokens` more than are cached.
std::int64_t missing_blocks(const SchedulerConfig& config, const ServeSequence& sequence,
                            std::int64_t tokens) {
  std::int64_t missing = 0;
  // BEGIN SOLUTION [continuous_batching_blocks] Count the blocks that are missing
  // Set `missing` to how many blocks the sequence needs besides its own, so that they hold what is
  // cached and `tokens` more. A block belongs to one sequence, however little is in it.

  // A token generated in this step is not among them: its K and V are computed in the next one.
  const std::int64_t held = sequence.cached + tokens;
  missing = (held + config.block_tokens - 1) / config.block_tokens - sequence.blocks;
  // END SOLUTION [continuous_batching_blocks]
  return missing;
}

/// Evicts until `need` blocks are free, or until running[index] has gone too.
void make_room(Scheduler& state, std::size_t index, std::int64_t need, StepPlan& plan) {
  // BEGIN SOLUTION [continuous_batching_evict] Let the youngest give way
  // While fewer than `need` blocks are free and running[index] is still there: move the youngest of
  // state.running to the front of state.waiting. Its blocks become free, its cache is lost, what it
  // generated stays; it counts one preemption, and plan.preempted gets its id.

  while (need > state.free_blocks && state.running.size() > index) {
    // The youngest: the oldest then always gets on, so somebody finishes. Evict the oldest, and two
    // long sequences can throw each other out for ever.
    ServeSequence youngest = std::move(state.running.back());
    state.running.pop_back();
    state.free_blocks += std::exchange(youngest.blocks, 0);
    // K and V are gone and will be computed again; the tokens are not, a client has read them.
    youngest.cached = 0;
    ++youngest.preemptions;
    plan.preempted.push_back(youngest.request.id);
    // It came before all that wait. The next victim is older, and will stand before it.
    state.waiting.push_front(std::move(youngest));
  }
  // END SOLUTION [continuous_batching_evict]
}

/// Puts a running sequence into the plan: takes its blocks and its part of the budget.
void run(Scheduler& state, ServeSequence& sequence, std::int64_t tokens, std::int64_t& budget,
         StepPlan& plan) {
  const std::int64_t need = missing_blocks(state.config, sequence, tokens);
  sequence.blocks += need;
  state.free_blocks -= need;
  budget -= tokens;
  auto& list = sequence.cached >= sequence.goal ? plan.decode : plan.prefill;
  list.push_back({.id = sequence.request.id, .context = sequence.cached, .tokens = tokens});
}

void admit(Scheduler& state, std::int64_t& budget, StepPlan& plan) {
  const SchedulerConfig& config = state.config;
  // BEGIN SOLUTION [continuous_batching_admit] Admit in the order of arrival
  // If nobody was evicted in this step: while somebody waits, fewer than max_running run and budget
  // is left, take the front of state.waiting. Its goal is its prompt and all that it generated.
  // It computes the goal, or with chunked_prefill what the budget has left of it. If budget or free
  // blocks do not suffice, stop. Else move it to the back of state.running, and run() it.

  // Whoever was evicted stands at the front and would take back what was just made free.
  if (!plan.preempted.empty()) return;
  while (!state.waiting.empty() && std::ssize(state.running) < config.max_running && budget > 0) {
    ServeSequence head = state.waiting.front();
    head.goal = head.request.prompt_tokens + head.generated;
    const std::int64_t tokens = config.chunked_prefill ? std::min(head.goal, budget) : head.goal;
    // Stop, do not try the next: while small ones slip through, a large one would wait for ever.
    if (tokens > budget || missing_blocks(config, head, tokens) > state.free_blocks) break;
    state.waiting.pop_front();
    state.running.push_back(std::move(head));
    run(state, state.running.back(), tokens, budget, plan);
  }
  // END SOLUTION [continuous_batching_admit]
}

}  // namespace

StepPlan schedule_step(Scheduler& state) {
  StepPlan plan;
  std::int64_t budget = state.config.max_tokens_per_step;
  // Oldest first, so that who must give way has not been planned yet.
  for (std::size_t i = 0; i < state.running.size() && budget > 0; ++i) {
    const std::int64_t left = state.running[i].goal - state.running[i].cached;  // to prefill
    const std::int64_t tokens = left <= 0 ? 1 : std::min(left, budget);
    make_room(state, i, missing_blocks(state.config, state.running[i], tokens), plan);
    if (i < state.running.size()) run(state, state.running[i], tokens, budget, plan);
  }
  admit(state, budget, plan);
  return plan;
}

StepResult complete_step(Scheduler& state, const StepPlan& plan) {
  check_plan(state, plan);
  StepResult result;
  const auto complete = [&](ServeSequence& sequence, std::int64_t tokens) {
    // BEGIN SOLUTION [continuous_batching_complete] Say what the step has changed
    // The model has computed `tokens` more of the sequence: they are cached now. If its goal is
    // reached, it has generated one token: count it, and put the id into result.produced. If that
    // was its last, give its blocks back, and put the id into result.finished.

    sequence.cached += tokens;
    // A chunk in the middle of a prompt gives no token: only the last position has a next one.
    if (sequence.cached < sequence.goal) return;
    ++sequence.generated;
    result.produced.push_back(sequence.request.id);
    if (sequence.generated == sequence.request.output_tokens) {
      // At once, and not when the others are done: the next step can have the place and the blocks.
      state.free_blocks += std::exchange(sequence.blocks, 0);
      result.finished.push_back(sequence.request.id);
    }
    // END SOLUTION [continuous_batching_complete]
  };
  for (const auto* const list : {&plan.decode, &plan.prefill}) {
    for (const StepWork& work : *list) {
      for (ServeSequence& sequence : state.running) {
        if (sequence.request.id == work.id) complete(sequence, work.tokens);
      }
    }
  }
  std::erase_if(state.running, [](const ServeSequence& sequence) {
    return sequence.generated == sequence.request.output_tokens;
  });
  return result;
}

}  // namespace qlab::exercise
