// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise cost_model: bytes and FLOPs are whole numbers and compared as such; times
/// against a reference that takes another way.
#include <cstdint>
#include <iomanip>
#include <sstream>
#include <string>
#include <vector>

#include "05_serving/cost_model_checks.h"
#include "05_serving/cost_model_refusals.h"
#include "common/random.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

/// 1 layer: Q is 8 wide, K and V 4 each.
constexpr ServedModel kByHand{1, 6, 10, 2, 1, 4, 11};
constexpr ServedFormat kByHandFp16{{16, 0}, 16, Arithmetic::kFp16};

TEST(CostModel, CountsADecodeByHand) {
  // W + X + Y bytes and 2·N·K FLOPs: [16, 6], [6, 8], [20, 6], [6, 10], and [11, 6] for lm_head.
  StepCost expected{.qkv = {192 + 12 + 64, 192},
                    .out = {96 + 16 + 24, 96},
                    .gate_up = {240 + 12 + 80, 240},
                    .down = {120 + 20 + 24, 120},
                    .attention = {5 * 16, 4 * 2 * 4 * 5},
                    .head = {132 + 12 + 44, 132}};
  std::vector<Count> counts;
  ask_step(counts, "FP16", step_of(kByHand, kByHandFp16, {{4, 1}}), expected);
  // Codes of 4 bits, a scale for 4: rows of 6 take 3 + 2·2 bytes, of 8 take 4 + 2·2, of 10 5 + 3·2.
  expected.qkv.bytes = 16 * 7 + 12 + 64;
  expected.out.bytes = 6 * 8 + 16 + 24;
  expected.gate_up.bytes = 20 * 7 + 12 + 80;
  expected.down.bytes = 6 * 11 + 20 + 24;
  ask_step(counts, "4 bits g4", step_of(kByHand, {{4, 4}, 16, Arithmetic::kFp16}, {{4, 1}}),
           expected);
  judge_counts("1 layer, 1 token that attends to 5", counts);
}

TEST(CostModel, MultipliesByTheLayers) {
  ServedModel three = kByHand;
  three.n_layers = 3;
  const StepCost got = step_of(three, kByHandFp16, {{4, 1}});
  const StepCost expected{.qkv = {3 * 268, 3 * 192},
                          .out = {3 * 136, 3 * 96},
                          .gate_up = {3 * 332, 3 * 240},
                          .down = {3 * 164, 3 * 120},
                          .attention = {5 * 16, 3 * 160},  // the bytes are of all layers as given
                          .head = {188, 132}};             // there is one
  std::vector<Count> counts;
  ask_step(counts, "3 layers", got, expected);
  judge_counts("3 layers, 1 token that attends to 5", counts);
}

TEST(CostModel, ReadsWeightsOnceForTheBatch) {
  std::vector<Count> counts;
  for (const std::int64_t batch : {1, 2, 16, 64}) {
    const StepCost got = decode_of(kW16A16, batch, 1024);
    const std::string of = ", " + std::to_string(batch) + " sequences";
    // 32 layers of 218,103,808 weights, and lm_head, in 2 bytes. A row brings 2·K + 4·N bytes to
    // each product: 225,280 a layer.
    counts.push_back({"bytes of the linear layers" + of,
                      got.qkv.bytes + got.out.bytes + got.gate_up.bytes + got.down.bytes,
                      32 * (2 * 218'103'808 + batch * 225'280)});
    counts.push_back({"bytes of the head" + of, got.head.bytes,
                      2 * 525'336'576 + batch * (2 * 4096 + 4 * 128'256)});
  }
  judge_counts("Llama-3-8B, decode", counts);
}

TEST(CostModel, GivesEverySequenceItsOwnCache) {
  std::vector<Count> counts;
  for (const std::int64_t batch : {1, 2, 64}) {
    const StepCost got = decode_of(kW16A16, batch, 1000);
    const std::string of = " of attention, " + std::to_string(batch) + " times 1000 tokens";
    counts.push_back({"bytes" + of, got.attention.bytes, batch * 1000 * kKv8B});
    counts.push_back({"FLOPs" + of, got.attention.flops, batch * 1000 * 4 * 32 * 32 * 128});
  }
  const StepCost mixed = step_of(kServed8B, kW16A16, {{99, 1}, {4999, 1}, {0, 300}});
  counts.push_back(
      {"bytes of attention, contexts of 100, 5000 and 300", mixed.attention.bytes, 5400 * kKv8B});
  judge_counts("Llama-3-8B, caches", counts);
}

TEST(CostModel, LetsATokenSeeOnlyWhatIsBeforeIt) {
  std::vector<Count> counts;
  const auto ask = [&](const SequenceStep& sequence, std::int64_t pairs) {
    counts.push_back({"FLOPs of attention, " + text_of(sequence),
                      step_of(kByHand, kByHandFp16, {sequence}).attention.flops, 32 * pairs});
  };
  ask({0, 1}, 1);
  ask({0, 2}, 1 + 2);
  ask({0, 5}, 1 + 2 + 3 + 4 + 5);
  ask({3, 2}, 4 + 5);
  ask({1000, 1}, 1001);
  ask({1000, 3}, 1001 + 1002 + 1003);
  ask({0, 4096}, 8'390'656);
  judge_counts("2 heads of 4: 32 FLOPs for each pair", counts);
}

TEST(CostModel, CountsAPromptAndItsChunksAlike) {
  std::vector<Count> counts;
  const std::int64_t whole = step_of(kServed8B, kW16A16, {{0, 4096}}).attention.flops;
  for (const std::int64_t chunk : {1, 256, 1024, 4096}) {
    std::int64_t flops = 0;
    for (std::int64_t before = 0; before < 4096; before += chunk) {
      flops += step_of(kServed8B, kW16A16, {{before, chunk}}).attention.flops;
    }
    // 4096 · 4097 / 2 pairs of 4 · 32 layers · 32 heads · 128.
    counts.push_back(
        {"FLOPs of attention, chunks of " + std::to_string(chunk), flops, 8'390'656LL * 524'288});
  }
  counts.push_back({"FLOPs of attention, whole", whole, 8'390'656LL * 524'288});
  judge_counts("Llama-3-8B, a prompt of 4096", counts);
}

TEST(CostModel, AsksTheHeadOncePerSequence) {
  std::vector<Count> counts;
  const auto ask = [&](const ServedFormat& format, const std::vector<SequenceStep>& sequences) {
    const StepCost got = step_of(kServed8B, format, sequences);
    const auto logits = std::ssize(sequences);
    const std::string of = " of the head, " + text_of(format) + ", " + text_of(sequences);
    counts.push_back(
        {"bytes" + of, got.head.bytes, 1'050'673'152 + logits * (2 * 4096 + 4 * 128'256)});
    counts.push_back({"FLOPs" + of, got.head.flops, logits * 1'050'673'152});
  };
  for (const ServedFormat& format : {kW16A16, kW8A8, kW4A16}) {
    ask(format, {{0, 2048}});
    ask(format, {{100, 1}, {200, 1}, {300, 1}});
    ask(format, {{100, 1}, {0, 512}});
  }
  judge_counts("Llama-3-8B, lm_head [128256, 4096] in FP16", counts);
}

TEST(CostModel, TakesTheLongerTimeOfEachOperation) {
  // 8 FLOP/s in FP16, 32 in INT8, 4 bytes a second; half a second of overhead.
  constexpr ServedDevice kDevice{8, 32, 4, 0.5};
  std::vector<Time> times;
  const auto ask = [&](const std::string& what, const StepCost& step, double fp16, double int8) {
    times.push_back({what + ", W16A16", seconds_of(step, kW16A16, kDevice), fp16});
    times.push_back({what + ", W4A16", seconds_of(step, kW4A16, kDevice), fp16});
    times.push_back({what + ", W8A8", seconds_of(step, kW8A8, kDevice), int8});
  };
  ask("nothing but overhead", {}, 0.5, 0.5);
  ask("loads everywhere", {{4, 1}, {8, 1}, {12, 1}, {16, 1}, {20, 1}, {24, 1}}, 21.5, 21.5);
  ask("arithmetic everywhere", {{1, 32}, {1, 64}, {1, 96}, {1, 128}, {1, 160}, {1, 192}}, 84.5,
      1 + 2 + 3 + 4 + 20 + 24 + 0.5);
  ask("loads of attention, arithmetic of gate_up", {.gate_up = {4, 320}, .attention = {400, 8}},
      40 + 100 + 0.5, 10 + 100 + 0.5);
  ask("arithmetic of attention and head", {.attention = {4, 80}, .head = {4, 160}}, 30.5, 30.5);
  judge_times("8 FLOP/s in FP16, 32 in INT8, 4 bytes a second", times);
}

TEST(CostModel, GainsNothingFromSmallWeightsInALongPrompt) {
  const std::vector<SequenceStep> prompt{{0, 8192}};
  std::vector<Time> times;
  for (const ServedFormat& format : {kW16A16, kW4A16, kW8A8, kW4A8}) {
    const StepCost step = step_of(kServed8B, format, prompt);
    // 2 · 8192 · 6,979,321,856 FLOPs of linear layers; attention and head are the same in all.
    const double peak = format.arithmetic == Arithmetic::kInt8 ? 1979e12 : 989e12;
    const double linear = 2.0 * 8192 * 6'979'321'856 / peak;
    const double attention = 524'288.0 * 8192 * 8193 / 2 / 989e12;
    const double head = (1'050'673'152 + 2 * 4096 + 4 * 128'256) / 4.8e12;
    times.push_back({"seconds, " + text_of(format), seconds_of(step, format, kServedH200),
                     linear + attention + head});
  }
  judge_times("Llama-3-8B, a prompt of 8192 on an H200", times);
}

TEST(CostModel, IsNoFasterThanItsCeilingsAllow) {
  RecordProperty("guards",
                 "a ratio turned upside down, or a cost that grows faster than the batch");
  // Exact to a few roundings of a double, 2^-53 each.
  const auto at_most = [](double time, double bound) {
    return time > 0 && time <= bound * (1 + 0x1p-48);
  };
  std::vector<Count> counts;
  for (const ServedFormat& format : {kW16A16, kW8A8, kW4A16}) {
    for (const std::int64_t batch : {1, 8, 64, 256, 1024}) {
      const auto time = [&](std::int64_t sequences, double arithmetic, double memory) {
        const ServedDevice device{989e12 * arithmetic, 1979e12 * arithmetic, 4.8e12 * memory, 0};
        return seconds_of(decode_of(format, sequences, 512), format, device);
      };
      const std::string of = ", " + text_of(format) + ", batch " + std::to_string(batch);
      const double here = time(batch, 1, 1), twice = time(2 * batch, 1, 1);
      counts.push_back({"no longer with faster units" + of, at_most(time(batch, 3, 1), here), 1});
      counts.push_back({"no longer with faster memory" + of, at_most(time(batch, 1, 3), here), 1});
      counts.push_back(
          {"a third if both are 3 times as fast" + of,
           at_most(3 * time(batch, 3, 3), here) && at_most(here, 3 * time(batch, 3, 3)), 1});
      counts.push_back({"no shorter with twice the batch" + of, at_most(here, twice), 1});
      counts.push_back({"at most doubled by twice the batch" + of, at_most(twice, 2 * here), 1});
    }
  }
  judge_counts("Llama-3-8B, decode, contexts of 512 (1: it holds)", counts);
}

TEST(CostModel, BoundsTheTimeOfAToken) {
  std::vector<Time> times;
  for (const ServedFormat& format : {kW16A16, kW8A8, kW4A16}) {
    const double bits = format.weights.group_size != 0 ? 4.125 : format.weights.bits;
    const double weights = 6'979'321'856 * bits / 8 + 1'050'673'152;
    for (const std::int64_t batch : {1, 32}) {
      const std::vector<std::int64_t> contexts(static_cast<std::size_t>(batch), 2000);
      times.push_back({text_of(format) + ", " + std::to_string(batch) + " times 2000 tokens",
                       exercise::tpot_bound(kServed8B, format, kServedH200, contexts),
                       (weights + static_cast<double>(batch * 2000 * kKv8B)) / 4.8e12});
    }
  }
  const std::vector<std::int64_t> mixed{10, 5000, 1};
  times.push_back({"W16A16, contexts of 10, 5000 and 1",
                   exercise::tpot_bound(kServed8B, kW16A16, kServedH200, mixed),
                   (15'009'316'864.0 + 5011.0 * kKv8B) / 4.8e12});
  judge_times("Llama-3-8B on 4.8 TB/s, seconds for each token", times);
}

TEST(CostModel, AgreesWithTheReferenceOnRandomSteps) {
  const TestSeed seed;
  Random random(seed);
  std::vector<Count> counts;
  std::vector<Time> times;
  for (int i = 0; i < 100; ++i) {
    const std::int64_t kv_heads = 1 + random.below(4);
    const ServedModel model{1 + random.below(5),
                            1 + random.below(300),
                            1 + random.below(300),
                            kv_heads * (1 + random.below(5)),
                            kv_heads,
                            1 + random.below(64),
                            1 + random.below(500)};
    const bool int8 = random.below(2) == 0;
    const ServedFormat format{
        {static_cast<int>(1 + random.below(8)), static_cast<int>(random.below(3) * 16)},
        1 + random.below(2000),
        int8 ? Arithmetic::kInt8 : Arithmetic::kFp16};
    std::vector<SequenceStep> sequences;
    std::vector<std::int64_t> contexts;
    for (std::int64_t s = 1 + random.below(6); s > 0; --s) {
      sequences.push_back({random.below(1000), random.below(2) == 0 ? 1 : 1 + random.below(300)});
      contexts.push_back(1 + random.below(1000));
    }
    const std::string of = text_of(format) + ", " + text_of(model) + ", " + text_of(sequences);
    const StepCost expected = qlab::step_cost(model, format, sequences);
    ask_step(counts, of, step_of(model, format, sequences), expected);
    const double fp16 = random.uniform(1e9, 1e12);
    const ServedDevice device{fp16, fp16 * random.uniform(1, 4), random.uniform(1e8, 1e10), 1e-5};
    times.push_back({"seconds, " + of, seconds_of(expected, format, device),
                     qlab::step_seconds(expected, format, device)});
    times.push_back({"bound for " + std::to_string(contexts.size()) + " contexts, " + of,
                     exercise::tpot_bound(model, format, device, contexts),
                     qlab::tpot_bound(model, format, device, contexts)});
  }
  judge_counts("random steps, seed " + std::to_string(seed), counts);
  judge_times("random steps, seed " + std::to_string(seed), times);
}

TEST(CostModel, RefusesWhatIsNoStep) { check_cost_model_refusals(); }

TEST(CostModel, TellsWhatFourBitsSaveOfAToken) {
  const auto bytes = [](const ServedFormat& f) { return total_cost(decode_of(f, 1, 1024)).bytes; };
  const auto time = [](const ServedFormat& f, std::int64_t batch) {
    return seconds_of(decode_of(f, batch, 1024), f, kServedH200);
  };
  // 15.009 GB and 3.599 + 1.051 GB of weights, 0.134 of K and V; a row adds 7.73 MB of activations.
  constexpr std::int64_t kRow = 32 * 225'280 + 2 * 4096 + 4 * 128'256, kCache = 1024 * kKv8B;
  judge_counts("Llama-3-8B, B = 1, T = 1024, bytes of a step",
               {{"FP16", bytes(kW16A16), 15'009'316'864 + kCache + kRow},
                {"W4 g128", bytes(kW4A16), 3'598'712'832 + 1'050'673'152 + kCache + kRow}});
  judge_times("the same, seconds at 4.8 TB/s",
              {{"FP16", time(kW16A16, 1), (15'009'316'864.0 + kCache + kRow) / 4.8e12},
               {"W4 g128", time(kW4A16, 1), (4'649'385'984.0 + kCache + kRow) / 4.8e12}});
  const auto faster = [&](std::int64_t batch) {
    return time(kW16A16, batch) / time(kW4A16, batch);
  };
  std::ostringstream fact;
  fact << std::fixed << std::setprecision(2) << "A token of Llama-3-8B at 4.8 TB/s takes "
       << 1e3 * time(kW16A16, 1) << " ms in FP16 and " << 1e3 * time(kW4A16, 1)
       << " ms with 4-bit weights: " << faster(1) << " times as fast, not 4. The factor is "
       << faster(64) << " with 64 users and " << faster(256) << " with 256.";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
