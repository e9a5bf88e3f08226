// SPDX-License-Identifier: Apache-2.0
/// \file
/// The given cost_model: it goes through the layers one by one, and through the tokens of each
/// sequence; times come from what a byte and a FLOP cost.
#include "05_serving/cost_model.h"

#include <cmath>
#include <initializer_list>
#include <utility>
#include <vector>

namespace qlab {
namespace {

void check_side(const char* name, std::int64_t value, std::int64_t low, std::int64_t high) {
  QLAB_CHECK(value >= low && value <= high, "cost_model: ", name, " is ", value, "; choose ", low,
             " to ", high);
}

void check_speed(const char* name, double value) {
  QLAB_CHECK(value > 0 && std::isfinite(value), "cost_model: ", name, " is ", value,
             "; a speed is a finite number over 0");
}

void check_model(const ServedModel& model) {
  constexpr std::int64_t kMaxWidth = std::int64_t{1} << 21;
  check_side("n_layers", model.n_layers, 1, 256);
  check_side("hidden", model.hidden, 1, 1 << 15);
  check_side("intermediate", model.intermediate, 1, 1 << 17);
  check_side("vocab", model.vocab, 1, 1 << 20);
  check_side("n_kv_heads", model.n_kv_heads, 1, kMaxWidth);
  check_side("n_heads", model.n_heads, 1, kMaxWidth);
  check_side("head_dim", model.head_dim, 1, kMaxWidth);
  QLAB_CHECK(model.n_heads % model.n_kv_heads == 0, "cost_model: n_heads ", model.n_heads,
             " is no multiple of n_kv_heads = ", model.n_kv_heads);
  QLAB_CHECK(model.n_heads * model.head_dim <= kMaxWidth / model.n_layers,
             "cost_model: n_layers · n_heads · head_dim is over 2^21; FLOPs of long contexts would "
             "not fit in an int64");
}

void check_format(const ServedFormat& format) {
  check_side("bits", format.weights.bits, 1, 16);
  check_side("group_size", format.weights.group_size, 0, 1 << 17);
  check_side("kv_bytes_per_token", format.kv_bytes_per_token, 1, 1 << 24);
  QLAB_CHECK(format.arithmetic == Arithmetic::kFp16 || format.weights.bits <= 8,
             "cost_model: ", format.weights.bits,
             " bits do not fit in INT8 arithmetic; choose kFp16");
}

/// Y[rows, N] = X[rows, K] · W[N, K]ᵀ, `matrices` of them side by side: X is read once for all.
struct Product {
  std::int64_t matrices, N, K;
};

Cost cost_of(std::initializer_list<Product> side_by_side, std::int64_t rows,
             WeightStorage storage) {
  Cost cost{};
  for (const auto& [matrices, N, K] : side_by_side) {
    for (std::int64_t i = 0; i < matrices; ++i) {
      const double codes = std::ceil(static_cast<double>(K) * storage.bits / 8);
      double scales = 0;
      if (storage.group_size > 0) {
        scales = 2 * std::ceil(static_cast<double>(K) / storage.group_size);
      }
      cost.bytes += N * static_cast<std::int64_t>(codes + scales);
      cost.bytes += rows * N * 4;  // Y
      cost.flops += rows * N * K;  // products
      cost.flops += rows * N * K;  // additions
    }
  }
  cost.bytes += rows * side_by_side.begin()->K * 2;  // X
  return cost;
}

void add(Cost& sum, const Cost& cost) {
  sum.bytes += cost.bytes;
  sum.flops += cost.flops;
}

/// One sequence in one layer, without the bytes, which are known for all layers together.
std::int64_t attention_flops(const ServedModel& model, const SequenceStep& sequence) {
  std::int64_t attended = 0;  // by the new tokens, one after the other
  for (std::int64_t i = 0; i < sequence.tokens; ++i) attended += sequence.before + i + 1;
  const std::int64_t scores = 2 * model.head_dim * attended, outputs = scores;
  return model.n_heads * (scores + outputs);
}

std::vector<SequenceStep> decodes(std::span<const std::int64_t> contexts) {
  std::vector<SequenceStep> sequences;
  for (const std::int64_t context : contexts) {
    check_side("context", context, 1, kMaxServedTokens);
    sequences.push_back({.before = context - 1, .tokens = 1});
  }
  return sequences;
}

}  // namespace

void check_step(const ServedModel& model, const ServedFormat& format,
                std::span<const SequenceStep> sequences) {
  check_model(model);
  check_format(format);
  QLAB_CHECK(!sequences.empty(), "cost_model: the step has no sequence; there is nothing to time");
  check_side("number of sequences", std::ssize(sequences), 1, kMaxServedSequences);
  std::int64_t rows = 0;
  for (const SequenceStep& sequence : sequences) {
    check_side("tokens", sequence.tokens, 1, kMaxServedTokens);
    check_side("before", sequence.before, 0, kMaxServedTokens - sequence.tokens);
    rows += sequence.tokens;
  }
  check_side("number of new tokens of all sequences", rows, 1, kMaxServedTokens);
}

void check_device(const ServedDevice& device) {
  check_speed("fp16_flops", device.fp16_flops);
  check_speed("int8_flops", device.int8_flops);
  check_speed("bytes_per_second", device.bytes_per_second);
  QLAB_CHECK(device.step_overhead_seconds >= 0 && std::isfinite(device.step_overhead_seconds),
             "cost_model: step_overhead_seconds is ", device.step_overhead_seconds,
             "; it is a finite number, 0 or more");
}

StepCost step_cost(const ServedModel& model, const ServedFormat& format,
                   std::span<const SequenceStep> sequences) {
  check_step(model, format, sequences);
  const auto& [n_layers, hidden, intermediate, n_heads, n_kv_heads, head_dim, vocab] = model;
  std::int64_t rows = 0, logits = 0, flops = 0;
  StepCost step{};
  for (const SequenceStep& sequence : sequences) {
    rows += sequence.tokens;
    ++logits;
    flops += attention_flops(model, sequence);
    step.attention.bytes += sequence.before * format.kv_bytes_per_token;
    step.attention.bytes += sequence.tokens * format.kv_bytes_per_token;
  }
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const Product q{1, n_heads * head_dim, hidden}, k_and_v{2, n_kv_heads * head_dim, hidden};
    add(step.qkv, cost_of({q, k_and_v}, rows, format.weights));
    add(step.out, cost_of({{1, hidden, n_heads * head_dim}}, rows, format.weights));
    add(step.gate_up, cost_of({{2, intermediate, hidden}}, rows, format.weights));
    add(step.down, cost_of({{1, hidden, intermediate}}, rows, format.weights));
    step.attention.flops += flops;
  }
  step.head = cost_of({{1, vocab, hidden}}, logits, {.bits = 16, .group_size = 0});
  return step;
}

double step_seconds(const StepCost& step, const ServedFormat& format, const ServedDevice& device) {
  check_device(device);
  const double byte = 1 / device.bytes_per_second, fp16_flop = 1 / device.fp16_flops;
  const double flop = format.arithmetic == Arithmetic::kInt8 ? 1 / device.int8_flops : fp16_flop;
  double seconds = device.step_overhead_seconds;
  for (const auto& [cost, price] : {std::pair{step.qkv, flop},
                                    {step.out, flop},
                                    {step.gate_up, flop},
                                    {step.down, flop},
                                    {step.attention, fp16_flop},
                                    {step.head, fp16_flop}}) {
    const double load = static_cast<double>(cost.bytes) * byte;
    const double compute = static_cast<double>(cost.flops) * price;
    seconds += load > compute ? load : compute;
  }
  return seconds;
}

double tpot_bound(const ServedModel& model, const ServedFormat& format, const ServedDevice& device,
                  std::span<const std::int64_t> contexts) {
  check_device(device);
  const StepCost step = decode_step_cost(model, format, contexts);
  const auto& [n_layers, hidden, intermediate, n_heads, n_kv_heads, head_dim, vocab] = model;
  // All that a step moves, less the rows that go in and come out of its products.
  const std::int64_t width = n_heads * head_dim, kv_width = n_kv_heads * head_dim;
  const std::int64_t in = n_layers * (hidden + width + hidden + intermediate) + hidden;
  const std::int64_t out =
      n_layers * (width + 2 * kv_width + hidden + 2 * intermediate + hidden) + vocab;
  const std::int64_t bytes = total_cost(step).bytes - std::ssize(contexts) * (2 * in + 4 * out);
  return static_cast<double>(bytes) * (1 / device.bytes_per_second);
}

StepCost decode_step_cost(const ServedModel& model, const ServedFormat& format,
                          std::span<const std::int64_t> contexts) {
  return step_cost(model, format, decodes(contexts));
}

StepCost prefill_cost(const ServedModel& model, const ServedFormat& format, std::int64_t tokens,
                      std::int64_t before) {
  const SequenceStep prompt{.before = before, .tokens = tokens};
  return step_cost(model, format, {&prompt, 1});
}

}  // namespace qlab
