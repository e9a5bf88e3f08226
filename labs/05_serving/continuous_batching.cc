// SPDX-License-Identifier: Apache-2.0
/// \file
/// continuous_batching: your turn. Replace each todo() with your code, then run `./lab check continuous_batching`.
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
  // TODO [continuous_batching_blocks] Count the blocks that are missing
  // Set `missing` to how many blocks the sequence needs besides its own, so that they hold what is
  // cached and `tokens` more. A block belongs to one sequence, however little is in it.
  todo("continuous_batching_blocks");
  return missing;
}

/// Evicts until `need` blocks are free, or until running[index] has gone too.
void make_room(Scheduler& state, std::size_t index, std::int64_t need, StepPlan& plan) {
  // TODO [continuous_batching_evict] Let the youngest give way
  // While fewer than `need` blocks are free and running[index] is still there: move the youngest of
  // state.running to the front of state.waiting. Its blocks become free, its cache is lost, what it
  // generated stays; it counts one preemption, and plan.preempted gets its id.
  todo("continuous_batching_evict");
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
  // TODO [continuous_batching_admit] Admit in the order of arrival
  // If nobody was evicted in this step: while somebody waits, fewer than max_running run and budget
  // is left, take the front of state.waiting. Its goal is its prompt and all that it generated.
  // It computes the goal, or with chunked_prefill what the budget has left of it. If budget or free
  // blocks do not suffice, stop. Else move it to the back of state.running, and run() it.
  todo("continuous_batching_admit");
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
    // TODO [continuous_batching_complete] Say what the step has changed
    // The model has computed `tokens` more of the sequence: they are cached now. If its goal is
    // reached, it has generated one token: count it, and put the id into result.produced. If that
    // was its last, give its blocks back, and put the id into result.finished.
    todo("continuous_batching_complete");
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
