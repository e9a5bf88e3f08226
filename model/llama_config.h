// SPDX-License-Identifier: Apache-2.0
/// \file
/// LlamaConfig: config.json of a Hugging Face Llama checkpoint, read and checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "model/input_error.h"

namespace qlab {

/// Llama 3's stretching of the slow rotations (config key rope_scaling, rope_type "llama3").
struct RopeScaling {
  double factor;
  double low_freq_factor;
  double high_freq_factor;
  double original_max_position_embeddings;
};

/// The sides of a model, as config.json has them.
struct LlamaConfig {
  std::int64_t vocab_size;
  std::int64_t hidden_size;
  std::int64_t intermediate_size;
  std::int64_t n_layers;
  std::int64_t n_heads;
  std::int64_t n_kv_heads;
  std::int64_t head_dim;
  std::int64_t max_positions;
  double rope_theta;
  double rms_norm_eps;
  bool tie_word_embeddings;
  std::optional<RopeScaling> rope_scaling;
};

/// Reads and checks config.json.
///
/// Keys that Transformers lets a config leave out get its defaults; those that change nothing in a
/// forward pass are not looked at. Rotations: rope_scaling and rope_theta, or the rope_parameters
/// of Transformers 5, which hold both.
/// \throws InputError when the file is missing, no JSON, not a Llama config, has an impossible size,
///         or asks for something that the forward pass does not do (biases, another activation, a
///         quantized checkpoint, another rope type): the message says which.
LlamaConfig read_llama_config(const std::filesystem::path& file);

}  // namespace qlab
