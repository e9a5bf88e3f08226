// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of cost_model put their questions: counts and times in lists, and what each is.
#pragma once

#include <cstdint>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "04_kv_cache/kv_budget_checks.h"
#include "05_serving/cost_model.h"
#include "05_serving/judge_times.h"

namespace qlab::test {

/// From the config.json of Llama-3-8B; K and V of a token in FP16 are 2 · 32 · 8 · 128 · 2 bytes.
inline constexpr ServedModel kServed8B{32, 4096, 14'336, 32, 8, 128, 128'256};
inline constexpr std::int64_t kKv8B = 131'072;

inline constexpr ServedFormat kW16A16{{16, 0}, kKv8B, Arithmetic::kFp16},
    kW8A8{{8, 0}, kKv8B, Arithmetic::kInt8}, kW4A16{{4, 128}, kKv8B, Arithmetic::kFp16},
    kW4A8{{4, 128}, kKv8B, Arithmetic::kInt8};

/// An H200 as its datasheet describes it, without overhead.
inline constexpr ServedDevice kServedH200{989e12, 1979e12, 4.8e12, 0};

inline std::string text_of(const ServedFormat& f) {
  std::string text = "W" + std::to_string(f.weights.bits);
  text += f.arithmetic == Arithmetic::kInt8 ? "A8" : "A16";
  if (f.weights.group_size != 0) text += " g" + std::to_string(f.weights.group_size);
  return text;
}

inline std::string text_of(const SequenceStep& s) {
  return std::to_string(s.tokens) + (s.tokens == 1 ? " token" : " tokens") + " behind " +
         std::to_string(s.before);
}

inline std::string text_of(std::span<const SequenceStep> sequences) {
  if (sequences.size() == 1) return text_of(sequences[0]);
  return std::to_string(sequences.size()) + " sequences, the first " + text_of(sequences[0]);
}

inline std::string text_of(const ServedModel& m) {
  std::ostringstream out;
  out << m.n_layers << " layers of " << m.hidden << ", MLP " << m.intermediate << ", " << m.n_heads
      << " heads, " << m.n_kv_heads << " KV heads of " << m.head_dim << ", vocab " << m.vocab;
  return out.str();
}

inline StepCost step_of(const ServedModel& model, const ServedFormat& format,
                        const std::vector<SequenceStep>& sequences) {
  return exercise::step_cost(model, format, sequences);
}

/// A decode step of Llama-3-8B: so many sequences, with so many tokens each to attend to.
inline StepCost decode_of(const ServedFormat& format, std::int64_t batch, std::int64_t context) {
  return step_of(kServed8B, format,
                 std::vector<SequenceStep>(static_cast<std::size_t>(batch), {context - 1, 1}));
}

inline double seconds_of(const StepCost& step, const ServedFormat& format,
                         const ServedDevice& device) {
  return exercise::step_seconds(step, format, device);
}

/// All twelve numbers of a step.
inline void ask_step(std::vector<Count>& counts, const std::string& of, const StepCost& got,
                     const StepCost& expected) {
  const auto ask = [&](const char* part, const Cost& g, const Cost& e) {
    counts.push_back({std::string("bytes of ") + part + ", " + of, g.bytes, e.bytes});
    counts.push_back({std::string("FLOPs of ") + part + ", " + of, g.flops, e.flops});
  };
  ask("qkv", got.qkv, expected.qkv);
  ask("out", got.out, expected.out);
  ask("gate_up", got.gate_up, expected.gate_up);
  ask("down", got.down, expected.down);
  ask("attention", got.attention, expected.attention);
  ask("head", got.head, expected.head);
}

}  // namespace qlab::test
