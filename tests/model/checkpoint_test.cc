// SPDX-License-Identifier: Apache-2.0
/// \file
/// Checkpoint: one file and shards, tied tables, every missing or misshapen part named; outliers.
#include "model/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "model/model_files.h"
#include "model/small_model.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::int64_t kVocab = 5, kHidden = 4, kIntermediate = 6, kQ = 8, kKv = 2;
const Json kConfig = Json::parse(R"({
  "model_type": "llama", "vocab_size": 5, "hidden_size": 4, "intermediate_size": 6,
  "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 2,
  "max_position_embeddings": 8, "rms_norm_eps": 1e-5})");

struct Tensor {
  std::vector<std::int64_t> shape;
  float first;  // values count up from here, so that no two tensors are equal
};
using Tensors = std::map<std::string, Tensor>;

Tensors all_tensors() {
  Tensors tensors{{"lm_head.weight", {{kVocab, kHidden}, 0}},
                  {"model.embed_tokens.weight", {{kVocab, kHidden}, 0}},
                  {"model.norm.weight", {{kHidden}, 0}}};
  for (const std::string layer : {"model.layers.0.", "model.layers.1."}) {
    tensors[layer + "input_layernorm.weight"] = {{kHidden}, 0};
    tensors[layer + "post_attention_layernorm.weight"] = {{kHidden}, 0};
    tensors[layer + "self_attn.q_proj.weight"] = {{kQ, kHidden}, 0};
    tensors[layer + "self_attn.k_proj.weight"] = {{kKv, kHidden}, 0};
    tensors[layer + "self_attn.v_proj.weight"] = {{kKv, kHidden}, 0};
    tensors[layer + "self_attn.o_proj.weight"] = {{kHidden, kQ}, 0};
    tensors[layer + "mlp.gate_proj.weight"] = {{kIntermediate, kHidden}, 0};
    tensors[layer + "mlp.up_proj.weight"] = {{kIntermediate, kHidden}, 0};
    tensors[layer + "mlp.down_proj.weight"] = {{kHidden, kIntermediate}, 0};
  }
  float first = 0;
  for (auto& [name, tensor] : tensors) tensor.first = first += 100;
  return tensors;
}

std::string file_of(const Tensors& tensors) {
  SafetensorsWriter writer;
  for (const auto& [name, tensor] : tensors) {
    std::size_t size = 1;
    for (const std::int64_t side : tensor.shape) size *= static_cast<std::size_t>(side);
    std::vector<float> values(size);
    std::iota(values.begin(), values.end(), tensor.first);
    writer.add(name, tensor.shape, values);
  }
  return writer.file();
}

class CheckpointFiles : public testing::Test {
 protected:
  void write(const Tensors& tensors, const Json& config = kConfig) const {
    write_file(directory_ / "config.json", config.dump());
    write_file(directory_ / "model.safetensors", file_of(tensors));
  }
  /// Layers in a.safetensors, the rest in b.safetensors.
  void write_shards() const {
    std::map<std::string, Tensors> shards;
    Json weight_map;
    for (const auto& [name, tensor] : all_tensors()) {
      const std::string shard =
          name.find("layers") != name.npos ? "a.safetensors" : "b.safetensors";
      shards[shard][name] = tensor;
      weight_map[name] = shard;
    }
    write_file(directory_ / "config.json", kConfig.dump());
    write_file(directory_ / kIndex, Json{{"weight_map", weight_map}}.dump());
    for (const auto& [name, tensors] : shards) write_file(directory_ / name, file_of(tensors));
  }
  std::string refusal() const {
    return input_error([&] { load_checkpoint(directory_.path()); });
  }

  static constexpr const char* kIndex = "model.safetensors.index.json";
  TempDirectory directory_;
};

/// Every tensor is where it belongs: its first value and its shape say which one it is.
void expect_all(const Checkpoint& checkpoint, const Tensors& tensors) {
  const auto matrix = [&](const Matrix<float>& m, const std::string& name) {
    const Tensor& tensor = tensors.at(name);
    ASSERT_EQ((std::vector{m.rows(), m.cols()}), tensor.shape) << name;
    for (std::int64_t i = 0; i < m.rows() * m.cols(); ++i) {
      ASSERT_EQ(m.data()[i], tensor.first + static_cast<float>(i)) << name;
    }
  };
  const auto vector = [&](const std::vector<float>& v, const std::string& name) {
    ASSERT_EQ(std::ssize(v), kHidden);
    ASSERT_EQ(v[1], tensors.at(name).first + 1) << name;
  };
  matrix(checkpoint.embed_tokens, "model.embed_tokens.weight");
  matrix(checkpoint.lm_head, "lm_head.weight");
  vector(checkpoint.norm, "model.norm.weight");
  ASSERT_EQ(checkpoint.layers.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    const LayerWeights& w = checkpoint.layers[i];
    vector(w.input_norm, layer + "input_layernorm.weight");
    vector(w.post_attention_norm, layer + "post_attention_layernorm.weight");
    matrix(w.q_proj, layer + "self_attn.q_proj.weight");
    matrix(w.k_proj, layer + "self_attn.k_proj.weight");
    matrix(w.v_proj, layer + "self_attn.v_proj.weight");
    matrix(w.o_proj, layer + "self_attn.o_proj.weight");
    matrix(w.gate_proj, layer + "mlp.gate_proj.weight");
    matrix(w.up_proj, layer + "mlp.up_proj.weight");
    matrix(w.down_proj, layer + "mlp.down_proj.weight");
  }
}

TEST_F(CheckpointFiles, LoadsOneFile) {
  write(all_tensors());
  expect_all(load_checkpoint(directory_.path()), all_tensors());
}

TEST_F(CheckpointFiles, LoadsShards) {
  write_shards();
  expect_all(load_checkpoint(directory_.path()), all_tensors());
}

TEST_F(CheckpointFiles, UsesTheEmbeddingTwiceWhenTheyAreTied) {
  Tensors tensors = all_tensors();
  tensors.erase("lm_head.weight");
  Json config = kConfig;
  config["tie_word_embeddings"] = true;
  write(tensors, config);
  tensors["lm_head.weight"] = tensors.at("model.embed_tokens.weight");
  expect_all(load_checkpoint(directory_.path()), tensors);
}

TEST_F(CheckpointFiles, NamesEachMissingTensor) {
  for (const auto& [name, tensor] : all_tensors()) {
    Tensors tensors = all_tensors();
    tensors.erase(name);
    write(tensors);
    EXPECT_THAT(refusal(), HasSubstr("model.safetensors: tensor \"" + name + "\" is missing"));
  }
}

TEST_F(CheckpointFiles, NamesEachTensorOfAnotherShape) {
  for (const auto& [name, tensor] : all_tensors()) {
    Tensors tensors = all_tensors();
    tensors[name].shape.back() += 1;
    write(tensors);
    EXPECT_THAT(refusal(),
                AllOf(HasSubstr("\"" + name + "\" has shape ["), HasSubstr("asks for [")));
  }
}

TEST_F(CheckpointFiles, SaysWhatIsMissing) {
  const Path nowhere = directory_ / "nowhere";
  EXPECT_THAT(input_error([&] { load_checkpoint(nowhere); }),
              AllOf(HasSubstr(nowhere.string()), HasSubstr("no such directory")));
  write_file(nowhere, "a file");
  EXPECT_THAT(input_error([&] { load_checkpoint(nowhere); }), HasSubstr("not a directory"));
  write_file(directory_ / "model.safetensors", "cut");
  EXPECT_THAT(refusal(), HasSubstr("config.json: the file is missing"));
  std::filesystem::remove(directory_ / "model.safetensors");
  write_file(directory_ / "config.json", kConfig.dump());
  EXPECT_THAT(refusal(), AllOf(HasSubstr("model.safetensors"), HasSubstr("save_pretrained")));
}

TEST_F(CheckpointFiles, SaysThatTheTinyModelIsTruncated) {
  const Path source = Path(QLAB_SOURCE_DIR) / "model/tiny_lm";
  std::filesystem::copy_file(source / "config.json", directory_ / "config.json");
  std::ifstream in(source / "model.safetensors", std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  ASSERT_EQ(whole.size(), 9'712'032U);
  for (const std::size_t size : {0UL, 7UL, 5000UL, 6048UL, 1'000'000UL, whole.size() - 1}) {
    write_file(directory_ / "model.safetensors", whole.substr(0, size));
    EXPECT_THAT(refusal(), AllOf(HasSubstr("model.safetensors"), HasSubstr("truncated"))) << size;
  }
}

TEST_F(CheckpointFiles, NamesAMissingShardAndATensorThatOneLacks) {
  write_shards();
  write_file(directory_ / "b.safetensors", file_of({}));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("b.safetensors: tensor"), HasSubstr("lm_head.weight")));
  std::filesystem::remove(directory_ / "b.safetensors");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("b.safetensors: the shard"), HasSubstr("lm_head.weight")));
}

TEST_F(CheckpointFiles, NamesATensorThatTheIndexLacks) {
  write_shards();
  write_file(directory_ / kIndex, R"({"weight_map": {"model.norm.weight": "b.safetensors"}})");
  EXPECT_THAT(refusal(), AllOf(HasSubstr(kIndex), HasSubstr("embed_tokens.weight\" is missing")));
  write_file(directory_ / kIndex, R"({"weight_map": {}})");
  EXPECT_THAT(refusal(), HasSubstr("is missing"));
  write_file(directory_ / kIndex, R"({"weight_map": []})");
  EXPECT_THAT(refusal(), HasSubstr("weight_map"));
}

TEST_F(CheckpointFiles, OpensNoShardOutsideTheDirectory) {
  write_shards();
  for (const char* name : {"/etc/x.safetensors", "../x.safetensors", "a/b.safetensors", "x.bin", "",
                           "..\\\\x.safetensors", "\\u0000.safetensors"}) {
    write_file(directory_ / kIndex,
               std::string(R"({"weight_map": {"model.norm.weight": ")") + name + "\"}}");
    EXPECT_THAT(refusal(), AllOf(HasSubstr(kIndex), HasSubstr("is no file name"))) << name;
  }
  write_file(directory_ / kIndex, R"({"weight_map": {"model.norm.weight": 3}})");
  EXPECT_THAT(refusal(), HasSubstr("is no file name"));
}

/// How often `after` is exactly factor · before; every other value must not have moved.
std::int64_t count_scaled(const float* before, const float* after, std::int64_t count,
                          float factor) {
  std::int64_t scaled = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (after[i] == before[i]) continue;
    EXPECT_EQ(after[i], factor * before[i]) << i;
    ++scaled;
  }
  return scaled;
}

TEST(PlantOutliers, MovesAFactorFromColumnsIntoTheMiddleGains) {
  const TestSeed seed;
  Random first(seed);
  Random second(seed);
  const Checkpoint before = small_checkpoint(small_config(), first);
  Checkpoint after = small_checkpoint(small_config(), second);
  plant_outliers(after, 32, 3);

  const LlamaConfig& c = before.config;
  for (std::size_t i = 0; i < before.layers.size(); ++i) {
    const LayerWeights& a = before.layers[i];
    const LayerWeights& b = after.layers[i];
    for (const auto norm : {&LayerWeights::input_norm, &LayerWeights::post_attention_norm}) {
      EXPECT_EQ(count_scaled((a.*norm).data(), (b.*norm).data(), c.hidden_size, 32), 3);
      std::vector<float> planted;
      for (std::size_t k = 0; k < (a.*norm).size(); ++k) {
        if ((a.*norm)[k] != (b.*norm)[k]) planted.push_back((a.*norm)[k]);
      }
      std::vector<float> sorted = a.*norm;  // all positive
      std::ranges::sort(sorted);
      std::ranges::sort(planted);
      EXPECT_EQ(planted, std::vector<float>(sorted.begin() + 20, sorted.begin() + 23));  // of 44
    }
    for (const auto reader : {&LayerWeights::q_proj, &LayerWeights::k_proj, &LayerWeights::v_proj,
                              &LayerWeights::gate_proj, &LayerWeights::up_proj}) {
      const Matrix<float>& w = a.*reader;
      EXPECT_EQ(count_scaled(w.data(), (b.*reader).data(), w.rows() * w.cols(), 1.0F / 32),
                3 * w.rows());
    }
    for (const auto other : {&LayerWeights::o_proj, &LayerWeights::down_proj}) {
      const Matrix<float>& w = a.*other;
      EXPECT_EQ(count_scaled(w.data(), (b.*other).data(), w.rows() * w.cols(), 1), 0);
    }
  }
  EXPECT_EQ(before.norm, after.norm);
}

TEST(PlantOutliers, RefusesWhatWouldRound) {
  const TestSeed seed;
  Random random(seed);
  Checkpoint checkpoint = small_checkpoint(small_config(), random);
  for (const float factor : {3.0F, 0.0F, -2.0F, std::numeric_limits<float>::infinity(),
                             std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_THAT([&] { plant_outliers(checkpoint, factor, 1); },
                testing::ThrowsMessage<ContractError>(HasSubstr("is no power of two")));
  }
  EXPECT_THAT([&] { plant_outliers(checkpoint, 2, 45); },
              testing::ThrowsMessage<ContractError>(HasSubstr("45 channels")));
  std::ranges::fill(checkpoint.layers[0].input_norm, 4.0F);
  EXPECT_THAT([&] { plant_outliers(checkpoint, 0x1p127F, 1); },
              testing::ThrowsMessage<ContractError>(HasSubstr("leaves the range of FP32")));
  // Over 2¹²⁰ it is a subnormal of fewer bits.
  std::fill_n(checkpoint.layers[0].q_proj.data(), checkpoint.config.hidden_size, 0x1.fffffep-20F);
  EXPECT_THAT([&] { plant_outliers(checkpoint, 0x1p120F, 1); },
              testing::ThrowsMessage<ContractError>(HasSubstr("leaves the range of FP32")));
}

}  // namespace
}  // namespace qlab::test
