// SPDX-License-Identifier: Apache-2.0
/// \file
/// cost_model: the time of one step of a served model, from its bytes and FLOPs.
///
/// Bottleneck   none: a handful of operations for each question
/// Bytes moved  none
/// FLOPs        none
/// Teaches      a batch shares the weights and not the caches; smaller codes save bytes, not FLOPs
/// Leaves out   dequantization, caches that miss, several GPUs; queues (continuous_batching)
#pragma once

#include <cstdint>
#include <span>

#include "01_fp16_baseline/roofline.h"
#include "common/contract.h"

namespace qlab {

/// The sides of a model built like Llama: attention with grouped queries, then a gated MLP.
struct ServedModel {
  std::int64_t n_layers;      ///< 1 … 256; n_layers · n_heads · head_dim at most 2^21
  std::int64_t hidden;        ///< 1 … 2^15
  std::int64_t intermediate;  ///< 1 … 2^17
  std::int64_t n_heads;       ///< of queries; a multiple of n_kv_heads
  std::int64_t n_kv_heads;    ///< ≥ 1
  std::int64_t head_dim;      ///< ≥ 1
  std::int64_t vocab;         ///< 1 … 2^20
};

/// What the multiply-add units take. Weight-only formats (W8A16, W4A16) unpack their codes to FP16
/// first and compute there; W8A8 and W4A8 quantize the activations too.
enum class Arithmetic { kFp16, kInt8 };

/// How the model lies in memory and computes. lm_head and attention are FP16 in every format.
struct ServedFormat {
  WeightStorage weights;            ///< of the linear layers of all layers; 1 … 16 bits
  std::int64_t kv_bytes_per_token;  ///< of K and V in all layers (kv_budget); 1 … 2^24
  Arithmetic arithmetic;            ///< of the linear layers of all layers
};

/// A machine, as its datasheet or a measurement describes it.
struct ServedDevice {
  double fp16_flops, int8_flops;  ///< a second; > 0
  double bytes_per_second;        ///< > 0
  double step_overhead_seconds;   ///< of each step: launches, scheduling, sampling; ≥ 0
};

/// A step may have so many sequences, and a sequence so many tokens.
inline constexpr std::int64_t kMaxServedSequences = 1 << 16, kMaxServedTokens = 1 << 20;

/// What a step does with one sequence: a decode has 1 token, a prefill the prompt or a chunk of it.
struct SequenceStep {
  std::int64_t before;  ///< tokens whose K and V are in the cache already; ≥ 0
  std::int64_t tokens;  ///< new ones; ≥ 1; with those before at most kMaxServedTokens
};

/// What a step moves and computes, by operation; each one's sum over all layers. Servers fuse
/// projections that read the same rows, so Q, K and V are one product, and gate and up another.
struct StepCost {
  Cost qkv{}, out{};       ///< linear layers around attention
  Cost gate_up{}, down{};  ///< linear layers of the MLP
  Cost attention{};        ///< scores and outputs, over K and V
  Cost head{};             ///< lm_head
};

/// Bytes and FLOPs of all six operations.
constexpr Cost total_cost(const StepCost& step) {
  Cost sum{};
  for (const Cost& cost :
       {step.qkv, step.out, step.gate_up, step.down, step.attention, step.head}) {
    sum = {.bytes = sum.bytes + cost.bytes, .flops = sum.flops + cost.flops};
  }
  return sum;
}

/// Given: a product as the exercise roofline counts it, X in 2 bytes an element and Y in 4. Of no
/// rows at all the weights remain.
constexpr Cost linear_cost(GemmSides sides, WeightStorage storage) {
  const auto [M, N, K] = sides;
  std::int64_t row_bytes = (K * storage.bits + 7) / 8;
  if (storage.group_size != 0) row_bytes += (K + storage.group_size - 1) / storage.group_size * 2;
  return {.bytes = N * row_bytes + 2 * M * K + 4 * M * N, .flops = 2 * M * N * K};
}

/// \throws ContractError  something is not as described above, or there is no sequence
void check_step(const ServedModel& model, const ServedFormat& format,
                std::span<const SequenceStep> sequences);
/// \throws ContractError a rate that is not above 0, or a negative overhead
void check_device(const ServedDevice& device);

/// The exercise: these are written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// One step of the sequences together. Weights are moved once for all of them; rows of the
/// embedding are not counted. Every sequence has a cache of its own, of which each token is moved
/// once: those before are read, new ones written. A new token attends to those before it and to
/// itself. Logits are computed of the last token of each sequence. Left out, being small beside the
/// rest: queries and outputs of attention, norms, softmax.
/// \throws ContractError  see check_step()
StepCost step_cost(const ServedModel& model, const ServedFormat& format,
                   std::span<const SequenceStep> sequences);

/// The time of a step: of each operation the longer of its loads and its arithmetic, since these
/// overlap within an operation and not between them; and the overhead, once.
/// \throws ContractError  see check_device()
double step_seconds(const StepCost& step, const ServedFormat& format, const ServedDevice& device);

/// What no decode step can be faster than: the weights and all caches, read once. Every sequence
/// gets one token of a step, so this bounds the time per output token (TPOT) of each.
/// Source: Pope et al., "Efficiently Scaling Transformer Inference", 2022, section 2.
/// \param contexts  tokens that each new token attends to, itself included; see decode_step_cost()
double tpot_bound(const ServedModel& model, const ServedFormat& format, const ServedDevice& device,
                  std::span<const std::int64_t> contexts);

}  // namespace exercise

/// The same, given: the oracle, and what the lab's own simulations use. It counts layer by layer,
/// and token by token.
StepCost step_cost(const ServedModel& model, const ServedFormat& format,
                   std::span<const SequenceStep> sequences);
/// The same, given.
double step_seconds(const StepCost& step, const ServedFormat& format, const ServedDevice& device);
/// The same, given.
double tpot_bound(const ServedModel& model, const ServedFormat& format, const ServedDevice& device,
                  std::span<const std::int64_t> contexts);

/// A decode step: each sequence gets one token.
/// \param contexts  tokens that each new token attends to, itself included; 1 … kMaxServedTokens
StepCost decode_step_cost(const ServedModel& model, const ServedFormat& format,
                          std::span<const std::int64_t> contexts);

/// A step of one prompt of `tokens`, or of a chunk of it with `before` tokens done already.
StepCost prefill_cost(const ServedModel& model, const ServedFormat& format, std::int64_t tokens,
                      std::int64_t before = 0);

}  // namespace qlab
