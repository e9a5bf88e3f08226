// SPDX-License-Identifier: Apache-2.0
/// \file
/// LlamaConfig: what config.json may leave out, and what it may not ask for.
#include "model/llama_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "model/model_files.h"

namespace qlab::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// Every key the reader looks at, none of them at its default.
const Json kLlama = Json::parse(R"({
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 250,
  "hidden_size": 96, "intermediate_size": 100, "num_hidden_layers": 3, "num_attention_heads": 6,
  "num_key_value_heads": 2, "head_dim": 20, "max_position_embeddings": 77, "rope_theta": 5000.5,
  "rms_norm_eps": 1e-4, "hidden_act": "silu", "tie_word_embeddings": true})");

class Config : public testing::Test {
 protected:
  LlamaConfig read(const std::string& text) const {
    write_file(file_, text);
    return read_llama_config(file_);
  }
  /// The config above with the members of a patch; null removes.
  LlamaConfig read_with(const char* patch) const {
    Json json = kLlama;
    json.merge_patch(Json::parse(patch));
    return read(json.dump());
  }

  TempDirectory directory_;
  Path file_ = directory_ / "config.json";
};

TEST_F(Config, ReadsEveryKey) {
  const LlamaConfig c = read(kLlama.dump());
  EXPECT_EQ(c.vocab_size, 250);
  EXPECT_EQ(c.hidden_size, 96);
  EXPECT_EQ(c.intermediate_size, 100);
  EXPECT_EQ(c.n_layers, 3);
  EXPECT_EQ(c.n_heads, 6);
  EXPECT_EQ(c.n_kv_heads, 2);
  EXPECT_EQ(c.head_dim, 20);
  EXPECT_EQ(c.max_positions, 77);
  EXPECT_EQ(c.rope_theta, 5000.5);
  EXPECT_EQ(c.rms_norm_eps, 1e-4);
  EXPECT_TRUE(c.tie_word_embeddings);
  EXPECT_FALSE(c.rope_scaling);
}

TEST_F(Config, FillsInWhatTransformersFillsIn) {
  const LlamaConfig c = read_with(R"({"num_key_value_heads": null, "head_dim": null,
      "rope_theta": null, "rms_norm_eps": null, "hidden_act": null, "tie_word_embeddings": null,
      "architectures": null})");
  EXPECT_EQ(c.n_kv_heads, 6);
  EXPECT_EQ(c.head_dim, 16);
  EXPECT_EQ(c.rope_theta, 10000);
  EXPECT_EQ(c.rms_norm_eps, 1e-6);
  EXPECT_FALSE(c.tie_word_embeddings);
}

TEST_F(Config, TakesExplicitNulls) {
  Json json = kLlama;
  json.update(Json::parse(R"({"rope_scaling": null, "quantization_config": null,
      "sliding_window": null, "head_dim": null})"));
  EXPECT_EQ(read(json.dump()).head_dim, 16);
}

TEST_F(Config, ReadsRotationsOfEveryGeneration) {
  const char* const kSpellings[] = {
      R"({"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}, "rope_theta": 500000.0})",
      R"({"rope_scaling": {"type": "llama3", "factor": 8.0, "low_freq_factor": 1,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}, "rope_theta": 5e5})",
      R"({"rope_parameters": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
          "rope_theta": 500000}, "rope_theta": null})",
  };
  for (const char* spelling : kSpellings) {
    const LlamaConfig c = read_with(spelling);
    EXPECT_EQ(c.rope_theta, 500000) << spelling;
    ASSERT_TRUE(c.rope_scaling) << spelling;
    EXPECT_EQ(c.rope_scaling->factor, 8);
    EXPECT_EQ(c.rope_scaling->low_freq_factor, 1);
    EXPECT_EQ(c.rope_scaling->high_freq_factor, 4);
    EXPECT_EQ(c.rope_scaling->original_max_position_embeddings, 8192);
  }
  const LlamaConfig plain = read_with(
      R"({"rope_parameters": {"rope_type": "default", "rope_theta": 12345.0}, "rope_theta": null})");
  EXPECT_EQ(plain.rope_theta, 12345);
  EXPECT_FALSE(plain.rope_scaling);
}

TEST_F(Config, ReadsTheTinyModel) {
  const LlamaConfig c = read_llama_config(Path(QLAB_SOURCE_DIR) / "model/tiny_lm/config.json");
  EXPECT_EQ(c.hidden_size, 256);
  EXPECT_EQ(c.n_kv_heads, 2);
}

struct Refused {
  const char* name;
  const char* patch;
  const char* says;
};
void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.name; }

class ConfigRefuses : public Config, public testing::WithParamInterface<Refused> {};

TEST_P(ConfigRefuses, InOneSentence) {
  EXPECT_THAT(input_error([&] { read_with(GetParam().patch); }),
              AllOf(HasSubstr(file_.string()), HasSubstr(GetParam().says)));
}

INSTANTIATE_TEST_SUITE_P(
    , ConfigRefuses,
    testing::Values(
        Refused{"NoModelType", R"({"model_type": null})",
                "model_type is missing, expected \"llama\""},
        Refused{"AnotherModel", R"({"model_type": "gpt2"})", "model_type is \"gpt2\""},
        Refused{"AnotherHead", R"({"architectures": ["LlamaForTokenClassification"]})",
                "architectures"},
        Refused{"ArchitecturesOfNumbers", R"({"architectures": 3})", "architectures is 3"},
        Refused{"AttentionBias", R"({"attention_bias": true})", "attention_bias is true"},
        Refused{"MlpBias", R"({"mlp_bias": true})", "mlp_bias is true"},
        Refused{"BiasOfNoBool", R"({"mlp_bias": 1})", "mlp_bias is 1, expected true or false"},
        Refused{"AnotherActivation", R"({"hidden_act": "gelu"})", "hidden_act is \"gelu\""},
        Refused{"Quantized", R"({"quantization_config": {"bits": 4}})",
                "quantization_config is an object"},
        Refused{"SlidingWindow", R"({"sliding_window": 4096})", "sliding_window is 4096"},
        Refused{"PartialRotation", R"({"partial_rotary_factor": 0.5})",
                "partial_rotary_factor is 0.5"},
        Refused{"YarnRope", R"({"rope_scaling": {"rope_type": "yarn", "factor": 2}})",
                "rope_type is \"yarn\""},
        Refused{"LinearRope", R"({"rope_scaling": {"type": "linear", "factor": 2}})",
                "type is \"linear\""},
        Refused{"DynamicRopeParameters", R"({"rope_parameters": {"rope_type": "dynamic"}})",
                "rope_type is \"dynamic\""},
        Refused{"RopeOfNoObject", R"({"rope_scaling": 2})", "rope_scaling is 2"},
        Refused{"Llama3WithoutFactor", R"({"rope_scaling": {"rope_type": "llama3"}})",
                "factor is missing"},
        Refused{"Llama3BandReversed",
                R"({"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4,
                    "high_freq_factor": 4, "original_max_position_embeddings": 8192}})",
                "high_freq_factor is 4"},
        Refused{"NoVocabulary", R"({"vocab_size": null})", "vocab_size is missing"},
        Refused{"ZeroLayers", R"({"num_hidden_layers": 0})", "num_hidden_layers is 0"},
        Refused{"NegativeSize", R"({"hidden_size": -96})", "hidden_size is -96"},
        Refused{"FractionalSize", R"({"intermediate_size": 100.5})", "intermediate_size is 100.5"},
        Refused{"SizeOfText", R"({"max_position_embeddings": "many"})",
                "max_position_embeddings is \"many\""},
        Refused{"AbsurdSize", R"({"hidden_size": 4294967296})",
                "expected an integer in 1 … 1048576"},
        Refused{"SizePast63Bits", R"({"vocab_size": 18446744073709551615})",
                "vocab_size is 1844674"},
        Refused{"HeadsThatDoNotDivide", R"({"num_key_value_heads": 4})",
                "num_key_value_heads is 4, which does not divide the 6"},
        Refused{"HeadDimThatDoesNotDivide",
                R"({"num_attention_heads": 7, "num_key_value_heads": 7, "head_dim": null})",
                "num_attention_heads is 7"},
        Refused{"MoreHeadsThanWidth",
                R"({"num_attention_heads": 98, "num_key_value_heads": 2, "head_dim": null})",
                "num_attention_heads is 98"},
        Refused{"OddHeadDim", R"({"head_dim": 15})", "head_dim is 15, expected an even"},
        Refused{"ZeroTheta", R"({"rope_theta": 0})", "rope_theta is 0, expected a number above 0"},
        Refused{"NegativeEpsilon", R"({"rms_norm_eps": -1e-5})", "rms_norm_eps is -1e-05"},
        Refused{"EpsilonOfText", R"({"rms_norm_eps": "small"})", "rms_norm_eps is \"small\""}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(Config, RefusesWhatIsNoJsonObject) {
  EXPECT_THAT(input_error([&] { read(""); }), HasSubstr("no valid JSON"));
  EXPECT_THAT(input_error([&] { read("[1]"); }), HasSubstr("the JSON is of type array"));
  EXPECT_THAT(input_error([&] { read(std::string(10'000, '[')); }), HasSubstr("64 deep"));
  EXPECT_THAT(input_error([&] { read(R"({"model_type": "llama", "model_type": "gpt2"})"); }),
              HasSubstr("\"model_type\" stands twice"));
  const std::string whole = kLlama.dump();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(input_error([&] { read(whole.substr(0, size)); }), HasSubstr("no valid JSON"));
  }
}

TEST_F(Config, RefusesAFileThatIsNotThere) {
  EXPECT_THAT(input_error([&] { read_llama_config(file_); }),
              AllOf(HasSubstr(file_.string()), HasSubstr("missing")));
  EXPECT_THAT(input_error([&] { read_llama_config(directory_.path()); }), HasSubstr("not a file"));
}

}  // namespace
}  // namespace qlab::test
