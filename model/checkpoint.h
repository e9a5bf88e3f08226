// SPDX-License-Identifier: Apache-2.0
/// \file
/// Checkpoint: a Llama model as it lies on disk, widened to FP32; the source of every recipe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "common/matrix.h"
#include "model/llama_config.h"

namespace qlab {

/// The weights of one layer; a linear layer is [out, in].
struct LayerWeights {
  std::vector<float> input_norm;           // [hidden]
  Matrix<float> q_proj, k_proj, v_proj;    // [n_heads · head_dim | n_kv_heads · head_dim, hidden]
  Matrix<float> o_proj;                    // [hidden, n_heads · head_dim]
  std::vector<float> post_attention_norm;  // [hidden]
  Matrix<float> gate_proj, up_proj;        // [intermediate, hidden]
  Matrix<float> down_proj;                 // [hidden, intermediate]
};

/// A model's numbers, as floats.
struct Checkpoint {
  LlamaConfig config;
  Matrix<float> embed_tokens;  // [vocab, hidden]
  std::vector<LayerWeights> layers;
  std::vector<float> norm;  // [hidden]
  Matrix<float> lm_head;    // [vocab, hidden]; a copy of embed_tokens when they are tied
};

/// Reads config.json and model.safetensors (or the shards of model.safetensors.index.json).
/// \throws InputError naming the file, the tensor and the way out.
Checkpoint load_checkpoint(const std::filesystem::path& directory);

/// Plants activation outliers without changing the function: in both norms of every layer, `channels`
/// gains are multiplied by `factor` and the columns that read them (of q, k, v; of gate, up) divided
/// by it. A power of two rounds nothing, so the FP32 logits keep their bits. The last norm is left
/// alone: only lm_head reads it, which no recipe quantizes. Large models grow such channels by
/// themselves (Dettmers et al., "LLM.int8()", 2022, section 4); this small one has to be helped.
/// \param factor    a power of two
/// \param channels  how many channels a norm, those of middling gain: the factor alone makes them
///                  outliers, and no channel that matters more than others is singled out
/// \throws ContractError for another factor, a count beyond hidden_size, or a product that FP32
///         cannot hold exactly; the checkpoint is then half changed.
void plant_outliers(Checkpoint& checkpoint, float factor, std::int64_t channels);

}  // namespace qlab
