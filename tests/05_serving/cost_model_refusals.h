// SPDX-License-Identifier: Apache-2.0
/// \file
/// What cost_model must refuse, and the nearest that it must not.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "05_serving/cost_model_checks.h"

namespace qlab::test {

inline void check_cost_model_refusals() {
  const auto model = [](ServedModel m) {
    return [=] { exercise::step_cost(m, kW16A16, std::vector<SequenceStep>{{0, 1}}); };
  };
  const auto format = [](WeightStorage weights, std::int64_t kv, Arithmetic arithmetic) {
    return [=] {
      exercise::step_cost(kServed8B, {weights, kv, arithmetic}, std::vector<SequenceStep>{{0, 1}});
    };
  };
  const auto step = [](std::vector<SequenceStep> sequences) {
    return [=] { exercise::step_cost(kServed8B, kW16A16, sequences); };
  };
  const auto device = [](ServedDevice d) {
    return [=] { exercise::step_seconds({}, kW16A16, d); };
  };
  const auto bound = [](std::vector<std::int64_t> contexts, ServedDevice d) {
    return [=] { exercise::tpot_bound(kServed8B, kW16A16, d, contexts); };
  };
  constexpr Arithmetic kHalf = Arithmetic::kFp16;
  const double nan = std::nan("");
  check_refusals(
      "refusals",
      {{"no layers", "n_layers is 0; choose 1 to 256", model({0, 8, 8, 2, 1, 4, 8})},
       {"no hidden", "hidden is -8", model({1, -8, 8, 2, 1, 4, 8})},
       {"3 heads read 2", "n_heads 3 is no multiple of n_kv_heads = 2",
        model({1, 8, 8, 3, 2, 4, 8})},
       {"too wide", "is over 2^21", model({256, 8, 8, 128, 8, 128, 8})},
       {"no words", "vocab is 0", model({1, 8, 8, 2, 1, 4, 0})},
       {"17 bits", "bits is 17", format({17, 0}, 1, kHalf)},
       {"no KV", "kv_bytes_per_token is 0", format({16, 0}, 0, kHalf)},
       {"16 bits in INT8", "16 bits do not fit in INT8", format({16, 0}, 1, Arithmetic::kInt8)},
       {"a negative group", "group_size is -1", format({4, -1}, 1, kHalf)},
       {"no sequence", "the step has no sequence", step({})},
       {"no new token", "tokens is 0; choose 1", step({{4, 1}, {4, 0}})},
       {"a negative cache", "before is -1; choose 0", step({{-1, 1}})},
       {"a sequence too long", "before is 1048576", step({{kMaxServedTokens, 1}})},
       {"no speed", "bytes_per_second is 0", device({1, 1, 0, 0})},
       {"a speed that is NaN", "fp16_flops is nan", device({nan, 1, 1, 0})},
       {"an endless speed", "int8_flops is inf", device({1, HUGE_VAL, 1, 0})},
       {"time won", "step_overhead_seconds is -1", device({1, 1, 1, -1})},
       {"overhead that is NaN", "step_overhead_seconds is nan", device({1, 1, 1, nan})},
       {"a bound without sequence", "the step has no sequence", bound({}, kServedH200)},
       {"a bound without context", "context is 0; choose 1", bound({7, 0}, kServedH200)},
       {"a bound without speed", "bytes_per_second is -1", bound({7}, {1, 1, -1, 0})}});
  // The nearest that must be counted.
  const std::vector<SequenceStep> first{{0, 1}}, last{{kMaxServedTokens - 1, 1}},
      prompt{{0, kMaxServedTokens}};
  const auto attention = [](const std::vector<SequenceStep>& sequences) {
    return exercise::step_cost(kServed8B, kW16A16, sequences).attention;
  };
  judge_counts(
      "the smallest model and the longest context",
      {{"FLOPs of all, 1 of each",
        total_cost(exercise::step_cost({1, 1, 1, 1, 1, 1, 1}, {{8, 0}, 1, kHalf}, first)).flops,
        2 * (3 + 1 + 2 + 1 + 1) + 4},
       {"bytes of attention, the 2^20th token", attention(last).bytes, kMaxServedTokens * kKv8B},
       {"FLOPs of attention, a prompt of 2^20", attention(prompt).flops,
        (kMaxServedTokens << 18) * (kMaxServedTokens + 1)}});
}

}  // namespace qlab::test
