// SPDX-License-Identifier: Apache-2.0
/// \file
/// cost_model: five products, one attention, and the longer of two times for each.
///
/// Bottleneck   none: a handful of operations for each question
/// Teaches      what a batch shares (weights) and what it does not (caches, arithmetic)
/// Leaves out   what a real step adds: dequantization, norms, softmax, copies between devices
#include "05_serving/cost_model.h"

#include <algorithm>
#include <cstdint>

namespace qlab::exercise {
namespace {

/// The linear layers of a step: `rows` tokens go through the layers, `logits` of them to lm_head.
void count_linears(const ServedModel& model, const ServedFormat& format, std::int64_t rows,
                   std::int64_t logits, StepCost& step) {
  const auto& [n_layers, hidden, intermediate, n_heads, n_kv_heads, head_dim, vocab] = model;
  // BEGIN SOLUTION [cost_model_linears] Multiply every row by every weight
  // Set step.qkv, step.out, step.gate_up, step.down (each the sum over all layers) and step.head.
  // linear_cost() counts one product. Q, K and V are one product, gate and up another. lm_head is
  // FP16 in every format, and only the rows whose logits are asked for go through it.

  const auto of_all_layers = [&, layers = n_layers](std::int64_t N, std::int64_t K) -> Cost {
    const Cost one = linear_cost({rows, N, K}, format.weights);
    return {.bytes = layers * one.bytes, .flops = layers * one.flops};
  };
  const std::int64_t width = n_heads * head_dim;
  // With grouped queries K and V are narrower than Q: their heads are fewer.
  step.qkv = of_all_layers(width + 2 * n_kv_heads * head_dim, hidden);
  step.out = of_all_layers(hidden, width);
  step.gate_up = of_all_layers(2 * intermediate, hidden);
  step.down = of_all_layers(hidden, intermediate);
  // Of a prompt only the last token's logits choose a word; the others' would be thrown away.
  step.head = linear_cost({logits, vocab, hidden}, {.bits = 16, .group_size = 0});
  // END SOLUTION [cost_model_linears]
}

void count_attention(const ServedModel& model, const ServedFormat& format,
                     std::span<const SequenceStep> sequences, StepCost& step) {
  std::int64_t bytes = 0, flops = 0;  // of all layers and sequences
  // BEGIN SOLUTION [cost_model_attention] Give every sequence a cache of its own
  // Set `bytes`: of each sequence's cache, K and V of a token are moved once, be it before or new.
  // Set `flops`: a new token attends to every token before it and to itself. For each such pair a
  // query head multiplies head_dim numbers for the score, and as many for the output.

  for (const auto& [before, tokens] : sequences) {
    // No two sequences share a cache, so nothing here is divided by the batch.
    bytes += (before + tokens) * format.kv_bytes_per_token;
    // The i-th new token sees before + i: a rectangle, and a triangle of about tokens²/2.
    const std::int64_t pairs = tokens * before + tokens * (tokens + 1) / 2;
    // A multiply-add is two FLOPs, and there are two products. Query heads compute, not KV heads.
    flops += 4 * model.n_layers * model.n_heads * model.head_dim * pairs;
  }
  // END SOLUTION [cost_model_attention]
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
  // BEGIN SOLUTION [cost_model_seconds] Add up the longer time of each operation
  // Set `seconds`: of each of the six operations the longer of its loads and its arithmetic, and
  // the overhead once. The linear layers compute in format.arithmetic, attention and head in FP16.

  const auto longer = [&](const Cost& cost, double flops_per_second) {
    return std::max(static_cast<double>(cost.bytes) / device.bytes_per_second,
                    static_cast<double>(cost.flops) / flops_per_second);
  };
  // Not by bits: W4A16 unpacks its codes to FP16 and multiplies there. It saves loads only.
  const bool int8 = format.arithmetic == Arithmetic::kInt8;
  const double linear = int8 ? device.int8_flops : device.fp16_flops;
  seconds = device.step_overhead_seconds;
  // One maximum over the whole step would let attention load while the linear layers compute.
  for (const Cost& cost : {step.qkv, step.out, step.gate_up, step.down}) {
    seconds += longer(cost, linear);
  }
  seconds += longer(step.attention, device.fp16_flops) + longer(step.head, device.fp16_flops);
  // END SOLUTION [cost_model_seconds]
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
  // BEGIN SOLUTION [cost_model_bound] Bound a token by what must be read for it
  // Set `seconds` to the time in which the weights, and the K and V of all contexts, are read once.

  std::int64_t tokens = 0;
  for (const std::int64_t context : contexts) tokens += context;
  const std::int64_t bytes = weight_bytes + tokens * format.kv_bytes_per_token;
  // Not divided by the batch: each user waits for the whole step. The batch divides the cost of a
  // token, and lengthens the wait for it by its caches.
  seconds = static_cast<double>(bytes) / device.bytes_per_second;
  // END SOLUTION [cost_model_bound]
  return seconds;
}

}  // namespace qlab::exercise
