// SPDX-License-Identifier: Apache-2.0
/// \file
/// Checkpoint: the tensors that the config asks for, by the names that Transformers gives them.
#include "model/checkpoint.h"

#include <string>
#include <system_error>

#include "model/tensor_files.h"

namespace qlab {
namespace {

LayerWeights load_layer(const TensorFiles& files, const LlamaConfig& c, std::int64_t index) {
  const std::string layer = "model.layers." + std::to_string(index) + ".";
  const auto matrix = [&](const char* name, std::int64_t out, std::int64_t in) {
    return files.matrix(layer + name + ".weight", out, in);
  };
  const std::int64_t q = c.n_heads * c.head_dim;
  const std::int64_t kv = c.n_kv_heads * c.head_dim;
  const auto hidden = c.hidden_size;
  return {.input_norm = files.vector(layer + "input_layernorm.weight", hidden),
          .q_proj = matrix("self_attn.q_proj", q, hidden),
          .k_proj = matrix("self_attn.k_proj", kv, hidden),
          .v_proj = matrix("self_attn.v_proj", kv, hidden),
          .o_proj = matrix("self_attn.o_proj", hidden, q),
          .post_attention_norm = files.vector(layer + "post_attention_layernorm.weight", hidden),
          .gate_proj = matrix("mlp.gate_proj", c.intermediate_size, hidden),
          .up_proj = matrix("mlp.up_proj", c.intermediate_size, hidden),
          .down_proj = matrix("mlp.down_proj", hidden, c.intermediate_size)};
}

}  // namespace

Checkpoint load_checkpoint(const std::filesystem::path& directory) {
  std::error_code error;
  if (!std::filesystem::exists(directory, error)) {
    fail_input(directory, "no such directory; give one with config.json and model.safetensors");
  }
  if (!std::filesystem::is_directory(directory, error)) {
    fail_input(directory, "not a directory; give the one that holds config.json");
  }
  Checkpoint checkpoint;
  checkpoint.config = read_llama_config(directory / "config.json");
  const LlamaConfig& c = checkpoint.config;
  const TensorFiles files(directory);
  const char* embedding = "model.embed_tokens.weight";
  const char* head = c.tie_word_embeddings ? embedding : "lm_head.weight";
  checkpoint.embed_tokens = files.matrix(embedding, c.vocab_size, c.hidden_size);
  checkpoint.lm_head = files.matrix(head, c.vocab_size, c.hidden_size);
  checkpoint.norm = files.vector("model.norm.weight", c.hidden_size);
  for (std::int64_t i = 0; i < c.n_layers; ++i) {
    checkpoint.layers.push_back(load_layer(files, c, i));
  }
  return checkpoint;
}

}  // namespace qlab
