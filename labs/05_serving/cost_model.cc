// SPDX-License-Identifier: Apache-2.0
/// \file
/// cost_model: your turn. Replace each todo() with your code, then run `./lab check cost_model`.
#include "05_serving/cost_model.h"

#include <algorithm>
#include <cstdint>

namespace qlab::exercise {
namespace {

/// The linear layers of a step: `rows` tokens go through the layers, `logits` of them to lm_head.
void count_linears(const ServedModel& model, const ServedFormat& format, std::int64_t rows,
                   std::int64_t logits, StepCost& step) {
  const auto& [n_layers, hidden, intermediate, n_heads, n_kv_heads, head_dim, vocab] = model;
  // TODO [cost_model_linears] Multiply every row by every weight
  // Set step.qkv, step.out, step.gate_up, step.down (each the sum over all layers) and step.head.
  // linear_cost() counts one product. Q, K and V are one product, gate and up another. lm_head is
  // FP16 in every format, and only the rows whose logits are asked for go through it.
  todo("cost_model_linears");
}

void count_attention(const ServedModel& model, const ServedFormat& format,
                     std::span<const SequenceStep> sequences, StepCost& step) {
  std::int64_t bytes = 0, flops = 0;  // of all layers and sequences
  // TODO [cost_model_attention] Give every sequence a cache of its own
  // Set `bytes`: of each sequence's cache, K and V of a token are moved once, be it before or new.
  // Set `flops`: a new token attends to every token before it and to itself. For each such pair a
  // query head multiplies head_dim numbers for the score, and as many for the output.
  todo("cost_model_attention");
  step.attention = {.bytes = bytes, .flops = flops};
}

}  // namespace

StepCost step_cost(const ServedModel& model, const ServedFormat& format,
                   std::span<const SequenceStep> sequences) {
  check_step(model, format, sequences);
  std::int64_t rows = 0;
  for (const SequenceStep& sequence : sequences) rows += sequence.tokens;
  StepCost step{};
  count_linears(model, format, rows, std::ssize(sequences), step);
  count_attention(model, format, sequences, step);
  return step;
}

double step_seconds(const StepCost& step, const ServedFormat& format, const ServedDevice& device) {
  check_device(device);
  double seconds = 0;
  // TODO [cost_model_seconds] Add up the longer time of each operation
  // Set `seconds`: of each of the six operations the longer of its loads and its arithmetic, and
  // the overhead once. The linear layers compute in format.arithmetic, attention and head in FP16.
  todo("cost_model_seconds");
  return seconds;
}

double tpot_bound(const ServedModel& model, const ServedFormat& format, const ServedDevice& device,
                  std::span<const std::int64_t> contexts) {
  check_device(device);
  decode_step_cost(model, format, contexts);  // refuses what is no decode step
  StepCost of_no_rows{};
  count_linears(model, format, 0, 0, of_no_rows);
  const std::int64_t weight_bytes = total_cost(of_no_rows).bytes;  // all that moves without rows
  double seconds = 0;
  // TODO [cost_model_bound] Bound a token by what must be read for it
  // Set `seconds` to the time in which the weights, and the K and V of all contexts, are read once.
  todo("cost_model_bound");
  return seconds;
}

}  // namespace qlab::exercise
