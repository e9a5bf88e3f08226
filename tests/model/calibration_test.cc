// SPDX-License-Identifier: Apache-2.0
/// \file
/// Calibration of a model: what is observed, that smoothing keeps the function, and the file of scales
/// with everything that can be wrong in it.
#include "model/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "model/double_llama.h"
#include "model/input_error.h"
#include "model/model_files.h"
#include "model/small_model.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr Recipe kRuler{.weights = WeightFormat::kFp32, .kv = KvFormat::kFp32};
const std::vector<Document> kDocuments = {{"one", {3, 36, 0, 17, 17, 5, 29}},
                                          {"two", {1, 36, 11, 8, 22, 30}}};

struct Small {
  explicit Small(Random& random) : checkpoint(small_checkpoint(small_config(), random)) {}
  std::vector<LayerInput> observe(std::span<const Document> documents = kDocuments) {
    return observe_inputs(Llama(checkpoint, kRuler, machine), documents, machine);
  }
  ThreadPool threads{2};
  Machine machine{threads};
  Checkpoint checkpoint;
};

TEST(Calibration, ObservesTheInputOfEveryLayerOnce) {
  const TestSeed seed;
  Random random(seed);
  Small small(random);
  const std::vector<LayerInput> inputs = small.observe();
  ASSERT_EQ(inputs.size(), 12U);
  EXPECT_EQ(inputs[0].name, "model.layers.0.self_attn.qkv_proj");
  EXPECT_EQ(inputs[11].name, "model.layers.2.mlp.down_proj");
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::int64_t K = std::array{44, 60, 44, 58}[i % 4];
    ASSERT_EQ(std::ssize(inputs[i].channel_absmax), K) << inputs[i].name;
    ASSERT_EQ(std::ssize(inputs[i].samples), 13 * K) << inputs[i].name;
    std::vector<float> absmax(static_cast<std::size_t>(K));
    for (std::size_t s = 0; s < inputs[i].samples.size(); ++s) {
      float& largest = absmax[s % absmax.size()];
      largest = std::max(largest, std::abs(inputs[i].samples[s]));
    }
    EXPECT_EQ(absmax, inputs[i].channel_absmax) << inputs[i].name;
  }
}

TEST(Calibration, SeesWhatTheNormMadeOfTheFirstToken) {
  const TestSeed seed;
  Random random(seed);
  Small small(random);
  const std::vector<LayerInput> inputs = small.observe();
  double squares = 0;
  const auto x = small.checkpoint.embed_tokens.view().row(3, 0, 44);
  for (const float value : x) squares += double{value} * value;
  const double scale = 1 / std::sqrt(squares / 44 + small.checkpoint.config.rms_norm_eps);
  for (std::size_t k = 0; k < 44; ++k) {
    const double expected = x[k] * scale * small.checkpoint.layers[0].input_norm[k];
    // rms_norm rounds a sum of 44 squares, a root, a quotient and two products: far under 2⁻²⁰.
    EXPECT_NEAR(inputs[0].samples[k], expected, 0x1p-20 * std::abs(expected)) << k;
  }
}

TEST(Calibration, OfTwoDocumentsIsTheUnionOfBoth) {
  const TestSeed seed;
  Random random(seed);
  Small small(random);
  const std::vector<LayerInput> both = small.observe();
  const std::vector<LayerInput> one = small.observe(std::span(kDocuments).first(1));
  const std::vector<LayerInput> two = small.observe(std::span(kDocuments).last(1));
  const Thresholds all = calibrate_layers(both, Calibrator::kAbsmax, 100, small.machine);
  const Thresholds of_one = calibrate_layers(one, Calibrator::kAbsmax, 100, small.machine);
  const Thresholds of_two = calibrate_layers(two, Calibrator::kAbsmax, 100, small.machine);
  for (const auto& [name, threshold] : all) {
    EXPECT_EQ(threshold, std::max(of_one.at(name), of_two.at(name))) << name;
  }
}

TEST(Calibration, NeedsADocument) {
  const TestSeed seed;
  Random random(seed);
  Small small(random);
  EXPECT_THAT([&] { small.observe({}); }, ThrowsMessage<ContractError>(HasSubstr("no document")));
}

/// The largest change of the logits when a checkpoint is smoothed.
TEST(Calibration, SmoothingLeavesTheFunctionAsItWas) {
  const TestSeed seed;
  Random random(seed);
  Small small(random);
  const std::vector<LayerInput> inputs = small.observe();
  DoubleLlama reference(small.checkpoint);
  const std::vector<std::int32_t>& tokens = kDocuments[0].tokens;
  const Matrix<double> exact = reference.logits(tokens);
  // Folding rounds a gain and a weight, 2⁻²⁴ each; the bound already moves every product by that much
  // and more, so twice the bound covers both.
  const double bound = 2 * reference.bound(tokens, exact, {});
  for (const double alpha : {0.0, 0.5, 0.85, 1.0}) {
    Checkpoint smooth = small.checkpoint;
    smooth_checkpoint(smooth, inputs, alpha);
    const Llama model(smooth, kRuler, small.machine);
    KvCache cache = model.new_cache(std::ssize(tokens));
    const double off = largest_difference(model.forward(tokens, cache, small.machine), exact);
    EXPECT_TRUE(off <= bound) << "alpha " << alpha << ": " << off << " > " << bound;
    EXPECT_NE(smooth.layers[1].gate_proj(0, 0), small.checkpoint.layers[1].gate_proj(0, 0));
    EXPECT_EQ(smooth.layers[1].down_proj(0, 0), small.checkpoint.layers[1].down_proj(0, 0));
  }
}

TEST(Calibration, SmoothingWithAlphaOneFlattensTheInputs) {
  const TestSeed seed;
  Random random(seed);
  Small small(random);
  smooth_checkpoint(small.checkpoint, small.observe(), 1);
  const std::vector<LayerInput> after = small.observe();
  for (const std::size_t layer : {0, 2, 4, 6}) {  // those behind a norm
    for (const float largest : after[layer].channel_absmax) {
      // Roundings of the whole forward pass up to here, of which each is 2⁻²⁴ of its value or sum.
      EXPECT_NEAR(largest, 1, 1e-4) << after[layer].name;
    }
  }
}

TEST(Calibration, SmoothingNeedsTheInputsOfThisModel) {
  const TestSeed seed;
  Random random(seed);
  Small small(random);
  std::vector<LayerInput> inputs = small.observe();
  inputs.erase(inputs.begin() + 4);
  EXPECT_THAT([&] { smooth_checkpoint(small.checkpoint, inputs, 0.5); },
              ThrowsMessage<ContractError>(HasSubstr("model.layers.1.self_attn.qkv_proj")));
}

TEST(Calibration, FixedScalesAreForTheLayersOfTheModel) {
  const TestSeed seed;
  Random random(seed);
  Small small(random);
  const Recipe int8{.weights = WeightFormat::kInt8};
  const Thresholds good =
      calibrate_layers(small.observe(), Calibrator::kAbsmax, 100, small.machine);
  EXPECT_NO_THROW(Llama(small.checkpoint, int8, small.machine, {.absmax = good}));
  Thresholds missing = good;
  missing.erase("model.layers.1.mlp.down_proj");
  EXPECT_THAT(
      [&] { Llama(small.checkpoint, int8, small.machine, {.absmax = missing}); },
      ThrowsMessage<ContractError>(HasSubstr("no threshold for model.layers.1.mlp.down_proj")));
  Thresholds strange = good;
  strange["model.layers.9.mlp.down_proj"] = 1;
  EXPECT_THAT([&] { Llama(small.checkpoint, int8, small.machine, {.absmax = strange}); },
              ThrowsMessage<ContractError>(HasSubstr("model.layers.9.mlp.down_proj, which this")));
  Thresholds negative = good;
  negative["model.layers.0.mlp.down_proj"] = -1;
  EXPECT_THAT([&] { Llama(small.checkpoint, int8, small.machine, {.absmax = negative}); },
              ThrowsMessage<ContractError>(HasSubstr("is -1, expected a finite number")));
}

Thresholds some_thresholds() {
  Thresholds thresholds;
  float value = 0.1F;
  for (const std::string& name : linear_names(small_config())) thresholds[name] = value *= 1.7F;
  return thresholds;
}

TEST(ThresholdsFile, KeepsEveryBit) {
  const TempDirectory directory;
  std::ofstream(directory / "t.json") << thresholds_to_json(some_thresholds(), "mse");
  EXPECT_EQ(read_thresholds(directory / "t.json", small_config()), some_thresholds());
}

struct Damage {
  const char* name;
  void (*damage)(Json&);
  const char* words;
};
void PrintTo(const Damage& d, std::ostream* out) { *out << d.name; }

const Damage kDamages[] = {
    {"another_schema", [](Json& j) { j["schema"] = "something"; }, "is no file of thresholds"},
    {"a_newer_version", [](Json& j) { j["schema_version"] = 2; }, "\"schema_version\" is not 1"},
    {"no_thresholds", [](Json& j) { j.erase("thresholds"); }, "no object \"thresholds\""},
    {"a_list",
     [](Json& j) {
       j["thresholds"] = {1, 2};
     },
     "no object \"thresholds\""},
    {"a_layer_missing", [](Json& j) { j["thresholds"].erase("model.layers.2.mlp.down_proj"); },
     "no threshold for model.layers.2.mlp.down_proj; it is of another model"},
    {"another_models_layer", [](Json& j) { j["thresholds"]["transformer.h.0.c_attn"] = 1; },
     "transformer.h.0.c_attn"},
    {"negative", [](Json& j) { j["thresholds"]["model.layers.2.mlp.down_proj"] = -1; }, "is -1"},
    {"a_word", [](Json& j) { j["thresholds"]["model.layers.2.mlp.down_proj"] = "big"; },
     "is \"big\""},
    {"beyond_fp32", [](Json& j) { j["thresholds"]["model.layers.2.mlp.down_proj"] = 1e39; },
     "is 1e+39"},
};

class DamagedThresholds : public testing::TestWithParam<Damage> {};
INSTANTIATE_TEST_SUITE_P(, DamagedThresholds, testing::ValuesIn(kDamages),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(DamagedThresholds, AreRefusedWithThePlaceAndTheWayOut) {
  const TempDirectory directory;
  Json json = Json::parse(thresholds_to_json(some_thresholds(), "mse"));
  GetParam().damage(json);
  std::ofstream(directory / "t.json") << json.dump();
  const auto read = [&] { read_thresholds(directory / "t.json", small_config()); };
  EXPECT_THAT(
      read, ThrowsMessage<InputError>(testing::AllOf(
                HasSubstr("t.json: "), HasSubstr(GetParam().words), HasSubstr("./lab calibrate"))));
}

TEST(ThresholdsFile, NamesOneThatIsNotThereAndOneThatIsNoJson) {
  const TempDirectory directory;
  const auto read = [&] { read_thresholds(directory / "t.json", small_config()); };
  EXPECT_THAT(read, ThrowsMessage<InputError>(HasSubstr("does not exist")));
  std::ofstream(directory / "t.json") << "{\"schema\": ";
  EXPECT_THAT(read, ThrowsMessage<InputError>(HasSubstr("no valid JSON")));
}

}  // namespace
}  // namespace qlab::test
