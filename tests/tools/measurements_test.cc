// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of what `lab compare` measures, on problems so small that they take no time: every claim of
/// the plan finds its measurement, and the numbers that can be known beforehand are those.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "01_fp16_baseline/fp16_panel_gemm.h"
#include "lab/interleaved.h"
#include "model/linear.h"
#include "tools/small_results.h"

namespace qlab::test {
namespace {

double exact(const std::string& name) {
  const auto& m = std::get<Measurement>(small_results().measurements.at(name));
  EXPECT_EQ(m.interval.low, m.interval.high) << name;
  return m.interval.value;
}

TEST(Measurements, EveryClaimOfThePlanIsMeasured) {
  for (const Claim& claim : small_results().plan.claims) {
    ASSERT_TRUE(small_results().measurements.contains(claim.measure))
        << claim.id << " measures `" << claim.measure << "`";
    if (claim.measure.starts_with("loss("))
      continue;  // these windows are shorter than its contexts
    EXPECT_TRUE(std::holds_alternative<Measurement>(small_results().measurements.at(claim.measure)))
        << claim.id;
  }
}

TEST(Measurements, EveryRowOfTheTableHasQualitySpeedAndMemory) {
  const auto rows = small_results().table();
  ASSERT_EQ(rows.size(), 4U);
  for (const TableRow& row : rows) {
    EXPECT_TRUE(std::isfinite(row.quality->bits_per_byte.value)) << row.written->config;
    EXPECT_GT(row.memory->weight_bytes, 0) << row.written->config;
    EXPECT_FALSE(row.speed.empty()) << row.written->config;
  }
}

TEST(Measurements, BytesAreThoseOfTheFormats) {
  EXPECT_EQ(exact("weight_bits(fp16)"), 16);
  EXPECT_EQ(exact("weight_bits(int4_g128)"), 4 + 24.0 / 128);
  EXPECT_EQ(exact("weight_bits(int4_g32)"), 4 + 24.0 / 32);
  EXPECT_EQ(exact("linear_bytes(kv_int8) / linear_bytes(fp16)"), 1);
  EXPECT_EQ(exact("kv_bytes(kv_fp8) / kv_bytes(fp16)"), 0.5);
  EXPECT_EQ(exact("kv_bytes(kv_int8) / kv_bytes(fp16)"), (64 + 2) / 128.0);  // head_dim 64
  EXPECT_EQ(exact("kv_bytes(kv_int4) / kv_bytes(fp16)"), 5 / 16.0);
  EXPECT_EQ(exact("kv_bytes(kv_kivi2) / kv_bytes(fp16)"), 3 / 16.0);
}

TEST(Measurements, SayWhenWindowsAreTooShortForALengthOfContext) {
  const auto& loss = small_results().measurements.at(
      "loss(kv_int2, context 769-1024) - loss(kv_int2, context 1-256)");
  EXPECT_EQ(std::get<NotMeasured>(loss).reason, "no window of text is longer than 768 bytes");
  const QualityRow& fp16 = small_results().quality.rows[0];
  EXPECT_EQ(fp16.delta_by_context[0]->value, 0);
  EXPECT_EQ(fp16.recall_by_context[0]->value, fp16.recall.value);
  EXPECT_FALSE(fp16.delta_by_context[1].has_value());
}

TEST(Measurements, BatchedAttentionIsNamedByBatchAndContext) {
  EXPECT_TRUE(small_results().measurements.contains(
      "attention_time(kv_int4, 2x1024) / attention_time(fp16, 2x1024)"));
}

TEST(Measurements, Fp16DiffersFromItselfByNothing) {
  const QualityRow& fp16 = small_results().quality.rows[0];
  EXPECT_EQ(fp16.delta.value, 0);
  EXPECT_EQ(fp16.kl.value, 0);
  EXPECT_EQ(fp16.flips.value, 0);
}

TEST(Measurements, OutliersArePlantedWhereTheNameSaysSo) {
  double plain = 0;
  double planted = 0;
  for (const QualityRow& row : small_results().quality.rows) {
    if (row.configuration->name == "int8_tensor") plain = row.kl.value;
    if (row.configuration->name == "int8_tensor_outliers") planted = row.kl.value;
  }
  EXPECT_GT(plain, 0);
  EXPECT_GT(planted, 2 * plain);  // 64 times the range of a scale is 6 of its 8 bits
}

TEST(Results, ALimitedRunSaysOfEachClaimThatItLeftItOut) {
  Results r = small_results();
  r.measurements.erase("kl(kv_fp8) - kl(kv_int8)");
  EXPECT_THROW(r.claims(), std::logic_error) << "a full run must measure every claim";
  r.circumstances.only = "int8";
  const std::vector<JudgedClaim> claims = r.claims();
  const auto found = std::ranges::find_if(
      claims, [](const JudgedClaim& judged) { return judged.claim->id == "C28"; });
  EXPECT_EQ(found->verdict.outcome, Outcome::kNotMeasured);
  EXPECT_EQ(found->verdict.reason, "--only int8 leaves it out");
}

TEST(TimedProblems, TakeThePathThatTheyName) {
  ThreadPool threads(1);
  LinearProblem layer(64, 64, 1, {threads, best_isa()});
  AttentionProblem attention(2, 2, 32, 1024, 1);
  const Machine scalar{threads, Isa::kScalar};
  for (const Candidate& candidate : layer.candidates(1, 64, true, scalar)) {
    EXPECT_EQ(candidate.path, Isa::kScalar) << candidate.name;
  }
  for (const Candidate& candidate : attention.candidates(1, 1024, true, scalar)) {
    EXPECT_EQ(candidate.path, Isa::kScalar) << candidate.name;
  }
  const Machine best{threads, best_isa()};
  EXPECT_EQ(layer.candidates(1, 64, true, best).front().path,
            best_rung(kFp16PanelGemmRungs, best_isa()).needs);
  EXPECT_EQ(layer.candidates(1, 64, true, best).back().name, "int4_g128 on scalar");
  EXPECT_EQ(layer.candidates(1, 64, true, best).back().path, Isa::kScalar);
  EXPECT_EQ(attention.candidates(1, 1024, true, best).back().name, "kv_int8 on scalar");
  EXPECT_EQ(attention.candidates(1, 1024, true, best).back().path, Isa::kScalar);
}

TEST(Memory, KnowsTheBytesThatALayerTakes) {
  ThreadPool threads(1);
  Matrix<float> weight(6, 72);
  for (const WeightFormat format :
       {WeightFormat::kFp32, WeightFormat::kFp16, WeightFormat::kBf16, WeightFormat::kInt8,
        WeightFormat::kInt4, WeightFormat::kW4A8}) {
    const Recipe recipe{.weights = format, .group_size = 32};  // 72 is three groups, one is short
    const auto layer =
        make_linear(weight.view(), {.weights = format, .group_size = 32}, Machine{threads});
    EXPECT_EQ(linear_layer_bytes(recipe, 6, 72), layer->bytes()) << weight_format_name(format);
  }
}

TEST(Memory, ComputesWhatTheTinyModelAllocates) {
  const LlamaConfig config = first_block().config;
  for (const MemoryRow& row : small_results().memory) {
    EXPECT_EQ(model_weight_bytes(row.configuration->recipe, config), row.weight_bytes)
        << row.configuration->name;
  }
}

TEST(Memory, TheBigModelHasThePublishedNumberOfParameters) {
  // Llama 2 7B: 6,738,415,616 parameters, of which 266,240 in norms are kept in FP32 here.
  constexpr std::int64_t kNorms = 65 * 4096;
  EXPECT_EQ(model_weight_bytes({.weights = WeightFormat::kFp16}, llama2_7b()),
            2 * (6'738'415'616 - kNorms) + 4 * kNorms);
}

TEST(Memory, WhatFitsIsWhatTheFormulaLeaves) {
  // Llama 2 7B: 32 layers of 32 KV heads of 128. KIVI in two bits: 2 · 32 · 32 · 48 bytes a token, and
  // in its windows 64 tokens of K and of V in FP16.
  constexpr std::int64_t kBudget = std::int64_t{24} << 30;
  constexpr std::int64_t kFp16Token = 524'288, kToken = 98'304,
                         kWindows = 2L * 32 * 32 * 64 * 128 * 2;
  for (const MemoryRow& row : small_results().memory) {
    const std::int64_t left = kBudget - row.big_weight_bytes;
    if (row.configuration->name == "fp16") {
      EXPECT_EQ(row.context, left / kFp16Token);
      EXPECT_EQ(row.batch, left / (kFp16Token * 4096));
    }
    if (row.configuration->name == "kv_kivi2") {
      EXPECT_EQ(row.big_kv_bytes_per_token, kToken);
      EXPECT_EQ(row.context, (left - kWindows) / kToken);
      EXPECT_EQ(row.batch, left / (kToken * 4096 + kWindows));
    }
  }
}

TEST(Interleaved, RunsEveryCandidateOnceARoundAndChecksThemAfterwards) {
  std::vector<int> calls(3);
  std::vector<int> calls_when_checked(3);
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < 3; ++i) {
    candidates.push_back({"c", Isa::kScalar, Cost{}, [&calls, i] { ++calls[i]; },
                          [&calls, &calls_when_checked, i] { calls_when_checked[i] = calls[i]; }});
  }
  int emptied = 0;
  const Pace pace{.min_rounds = 4, .max_rounds = 9, .seconds = 0, .cold = true};
  const Times times = interleaved(candidates, pace, 1, [&] { ++emptied; });
  EXPECT_EQ(calls, std::vector<int>(3, 5)) << "four rounds and the one that is not counted";
  EXPECT_EQ(calls_when_checked, calls);
  EXPECT_EQ(emptied, 15);
  for (const std::vector<double>& of_one : times) EXPECT_EQ(of_one.size(), 4U);
}

TEST(Interleaved, TheRatioIsTakenRoundByRound) {
  // The machine slows down by half from round to round; a is always twice b.
  const std::vector<double> b = {1, 2, 4, 8};
  const std::vector<double> a = {2, 4, 8, 16};
  const Interval ratio = time_ratio(a, b, 1);
  EXPECT_EQ(ratio.value, 2);
  EXPECT_EQ(ratio.low, 2);
  EXPECT_EQ(ratio.high, 2);
}

SpeedRow timed_row(const std::string& name, std::int64_t M, Interval to_fp16, double noise) {
  SpeedRow row{};
  row.operation = "a layer 8×8, M = " + std::to_string(M);
  row.name = name;
  row.to_fp16 = to_fp16;
  row.noise = noise;
  return row;
}

TEST(Crossovers, AreTheFirstNumberOfTokensWithoutAGain) {
  Speed speed{};
  const std::vector<std::pair<std::int64_t, double>> ratios = {
      {1, 0.5}, {2, 0.7}, {4, 0.975}, {8, 0.99}, {16, 1.5}};
  for (const auto& [M, ratio] : ratios) {
    speed.rows.push_back(timed_row("fp16", M, {1, 1, 1}, 0.02));
    speed.rows.push_back(timed_row("int4", M, {ratio, ratio - 0.03, ratio + 0.01}, 0.02));
    speed.rows.push_back(timed_row("int8", M, {0.3, 0.3, 0.3}, 0.02));
    speed.rows.push_back(timed_row("int4 on scalar", M, {9, 9, 9}, 0.02));
  }
  const SpeedPlan::Layer layer{"a layer", 8, 8, {1, 2, 4, 8, 16}};
  const std::vector<Crossover> found = crossovers(speed, layer);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].name, "int4");
  EXPECT_EQ(found[0].tokens.value, 8);  // 0.99 is a gain of 1 %, which is none
  EXPECT_EQ(found[0].tokens.low, 4);    // 0.985 + 2 % may be no gain
  EXPECT_EQ(found[0].tokens.high, 16);  // 0.96 - 2 % may still be one
  EXPECT_EQ(found[1].name, "int8");
  EXPECT_TRUE(std::isinf(found[1].tokens.value));
}

/// The small run, with one exact number moved to the other side of its claim.
TEST(Report, SaysOfEachVerdictHowOftenItFell) {
  Results r = small_results();
  for (auto& [name, found] : r.measurements) found = NotMeasured{"for the test"};
  r.measurements["weight_bits(fp16)"] = Measurement{{16, 16, 16}};
  r.measurements["weight_bits(int8)"] = Measurement{{9, 9, 9}};
  r.measurements["weight_bits(int4_g128)"] = Measurement{{5, 5, 5}};
  const std::string text = report(r, Terminal{});
  EXPECT_THAT(text, testing::HasSubstr("held              C01  16.0, claimed within 16 … 16"));
  EXPECT_THAT(text, testing::HasSubstr("did not hold here C07  9.000, claimed within 8 … 8.25"));
  EXPECT_THAT(text, testing::HasSubstr("not measured here C02  for the test, claimed"));
  EXPECT_THAT(text, testing::HasSubstr("70 claims: 1 held, 2 did not hold here, 67 not measured"));
  EXPECT_FALSE(all_held(r));
  r.measurements["weight_bits(int8)"] = Measurement{{8.24, 8.24, 8.24}, /*margin=*/0.02};
  EXPECT_THAT(report(r, Terminal{}), testing::HasSubstr("C07  8.240, inside the margin of 2 %, "));
  r.measurements["weight_bits(int8)"] = r.measurements["weight_bits(int4_g128)"] = NotMeasured{};
  EXPECT_TRUE(all_held(r)) << "what was not measured does not count against --strict";
}

TEST(Report, NamesEveryRowAndEveryClaim) {
  const std::string text = report(small_results(), Terminal{});
  for (const PlanRow& row : small_results().plan.rows) {
    EXPECT_THAT(text, testing::HasSubstr("  " + row.config));
  }
  for (const Claim& claim : small_results().plan.claims) {
    EXPECT_THAT(text, testing::HasSubstr(" " + claim.id + " "));
  }
  EXPECT_THAT(text, testing::HasSubstr("70 claims: "));
}

TEST(Report, HasNoEscapesWithoutColorAndOnlyAsciiWhenAsked) {
  const std::string plain = report(small_results(), Terminal{.ascii = true});
  for (const char c : plain) {
    ASSERT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << "byte " << int{c} << " in the report";
  }
  EXPECT_THAT(report(small_results(), Terminal{.color = true}), testing::HasSubstr("\033[1m"));
}

TEST(Json, HoldsTheTableTheClaimsAndTheirVerdicts) {
  const auto json = nlohmann::json::parse(to_json(small_results()));
  EXPECT_EQ(json["schema"], "quantization-lab.compare");
  EXPECT_EQ(json["schema_version"], kJsonSchemaVersion);
  ASSERT_EQ(json["table"].size(), 4U);
  EXPECT_EQ(json["table"][1]["main_risk"], "calibration and outliers");
  EXPECT_TRUE(json["table"][3]["speed"][0]["time_of_fp16"]["value"].is_number());
  ASSERT_EQ(json["claims"].size(), small_results().plan.claims.size());
  EXPECT_EQ(json["claims"][0]["verdict"], "held");
  EXPECT_EQ(json["claims"][0]["measured"]["value"], 16);
}

}  // namespace
}  // namespace qlab::test
