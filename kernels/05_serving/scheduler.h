// SPDX-License-Identifier: Apache-2.0
/// \file
/// scheduler: which sequences share the next step of a model, and who must give up its blocks.
///
/// Bottleneck   none: some microseconds a step, where a step of a model takes milliseconds
/// Bytes moved  none: a block of the KV cache is only counted here
/// FLOPs        none
/// Teaches      a batch that changes at every step; blocks as tokens come; eviction, recomputation
/// Leaves out   time (who drives it has a clock), swapping, priorities, shared blocks (paged_kv)
///
/// Source: Yu et al., "Orca: A Distributed Serving System for Transformer-Based Generative Models",
/// OSDI 2022 (a batch for each iteration); Kwon et al., "Efficient Memory Management for Large
/// Language Model Serving with PagedAttention", SOSP 2023, section 4.5 (eviction); Agrawal et al.,
/// "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve", OSDI 2024 (chunks).
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_set>
#include <vector>

#include "common/contract.h"

namespace qlab {

/// What a scheduler has to give.
struct SchedulerConfig {
  std::int64_t block_tokens;         ///< tokens in a block of the KV cache, at least 1
  std::int64_t total_blocks;         ///< blocks of the cache, at least 1
  std::int64_t max_running;          ///< sequences in a step, at least 1
  std::int64_t max_tokens_per_step;  ///< the budget: tokens that one step may compute, at least 1
  bool chunked_prefill = false;      ///< a prompt may be prefilled over several steps
};

/// A request may have so many tokens, prompt and output together.
inline constexpr std::int64_t kMaxServeTokens = std::int64_t{1} << 26;

/// What a client asks for.
struct ServeRequest {
  std::int64_t id;
  double arrival;              ///< seconds, at least 0; for whoever drives the scheduler
  std::int64_t prompt_tokens;  ///< P, at least 1
  std::int64_t output_tokens;  ///< O, at least 1
};

/// A request on its way. After g tokens its cache holds P + g - 1, since the last one has not gone
/// through the model yet: P + O - 1 is the most it ever holds.
struct ServeSequence {
  ServeRequest request;
  std::int64_t cached = 0;       ///< c: tokens whose K and V are in the cache
  std::int64_t generated = 0;    ///< g: tokens that the client has; an eviction takes none back
  std::int64_t goal = 0;         ///< tokens to prefill before the next one is generated
  std::int64_t blocks = 0;       ///< blocks of the cache that it owns
  std::int64_t preemptions = 0;  ///< how often it was evicted
};

/// Who waits, who runs, and how many blocks are free. `waiting` is served from its front; `running`
/// is in the order of admission, so that the youngest is the last.
struct Scheduler {
  /// \throws ContractError when a number of the configuration is under 1.
  explicit Scheduler(const SchedulerConfig& config);

  /// Puts a request that has arrived behind those that wait. Between schedule_step() and
  /// complete_step() too.
  /// \throws ContractError when its numbers make no request, its id was there before, or it could
  /// never run: P + O - 1 tokens need more blocks than there are, or, without chunks, more than the
  /// budget of a step. (Evicted before its last token, it would prefill that many at once.)
  void submit(const ServeRequest& request);

  /// Whether nobody waits and nobody runs.
  bool idle() const { return waiting.empty() && running.empty(); }

  SchedulerConfig config;
  std::deque<ServeSequence> waiting;
  std::vector<ServeSequence> running;
  std::int64_t free_blocks;
  std::unordered_set<std::int64_t> ids;  ///< of all requests so far
};

/// What a sequence computes in a step: `tokens` more, behind the `context` that its cache holds.
struct StepWork {
  std::int64_t id, context, tokens;
};

/// One step: who computes what, and who had to go.
struct StepPlan {
  std::vector<StepWork> decode;         ///< one token each, oldest first
  std::vector<StepWork> prefill;        ///< oldest first; in chunks only with chunked_prefill
  std::vector<std::int64_t> preempted;  ///< ids, in the order of their eviction
};

/// What a step has produced.
struct StepResult {
  std::vector<std::int64_t> produced;  ///< ids of those that have one token more
  std::vector<std::int64_t> finished;  ///< those of them that had their last
};

/// Refuses a plan that is not the state's next step: somebody in it does not run, or has another
/// context, or would compute more than its goal.
void check_plan(const Scheduler& state, const StepPlan& plan);

/// Decides one step and takes the blocks it needs.
///
/// 1. Running sequences, oldest first. Each wants 1 token once its goal is in the cache, else the
///    rest of it, as far as the budget goes. While blocks are missing, the youngest is evicted: its
///    blocks become free, its cache is lost, its tokens stay, and it waits at the front. Whoever
///    is evicted itself does not run.
/// 2. Unless somebody was evicted: waiting ones, strictly in order, while there is a place, budget
///    and memory. The goal is P + g: what was evicted is computed again. In chunks, as much of it
///    as the budget has left; otherwise all or nothing.
///
/// The oldest is never evicted by others, so every step with somebody in it makes progress.
StepPlan schedule_step(Scheduler& state);

/// What the step changes when the model has run: caches grow, whoever has reached its goal has one
/// token more, and whoever has its last gives all blocks back at once.
/// \throws ContractError as check_plan() does.
StepResult complete_step(Scheduler& state, const StepPlan& plan);

}  // namespace qlab
