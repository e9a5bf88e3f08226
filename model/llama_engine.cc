// SPDX-License-Identifier: Apache-2.0
/// \file
/// A step of the plan as one batch of the model.
#include "model/llama_engine.h"

#include <chrono>
#include <utility>

namespace qlab {

void LlamaEngine::begin(const ServeRequest& request) {
  Sequence sequence{.tokens = prompt_of_(request),
                    .most = request.prompt_tokens + request.output_tokens,
                    .cache = {}};
  QLAB_CHECK(std::ssize(sequence.tokens) == request.prompt_tokens, "LlamaEngine: request ",
             request.id, " says ", request.prompt_tokens, " tokens, its prompt has ",
             sequence.tokens.size());
  QLAB_CHECK(sequence.most <= model_.config().max_positions, "LlamaEngine: request ", request.id,
             " reaches ", sequence.most, " tokens, and the model has ",
             model_.config().max_positions, " positions; shorten it");
  sequences_.insert_or_assign(request.id, std::move(sequence));
}

SequenceInput LlamaEngine::input_of(const StepWork& work) {
  Sequence& sequence = sequences_.at(work.id);
  if (work.context == 0) sequence.cache.emplace(model_.new_cache(sequence.most));
  return {
      std::span(sequence.tokens)
          .subspan(static_cast<std::size_t>(work.context), static_cast<std::size_t>(work.tokens)),
      &*sequence.cache};
}

double LlamaEngine::run(const StepPlan& plan) {
  const auto start = std::chrono::steady_clock::now();
  for (const std::int64_t id : plan.preempted) sequences_.at(id).cache.reset();
  std::vector<SequenceInput> batch;
  std::vector<StepWork> works = plan.decode;
  works.insert(works.end(), plan.prefill.begin(), plan.prefill.end());
  for (const StepWork& work : works) batch.push_back(input_of(work));
  const Matrix<float> logits = model_.forward(batch, machine_);

  std::int64_t row = -1;  // the last of each sequence
  for (const StepWork& work : works) {
    row += work.tokens;
    std::vector<std::int32_t>& tokens = sequences_.at(work.id).tokens;
    const bool complete = work.context + work.tokens == std::ssize(tokens);
    if (complete) tokens.push_back(most_likely(logits, row));  // else a chunk: more is to come
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void LlamaEngine::end(std::int64_t id) { sequences_.at(id).cache.reset(); }

}  // namespace qlab
