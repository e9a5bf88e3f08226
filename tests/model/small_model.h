// SPDX-License-Identifier: Apache-2.0
/// \file
/// Checkpoints small enough for an oracle, with sides that are no multiple of a vector.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/formats.h"
#include "common/matrix.h"
#include "common/random.h"
#include "model/checkpoint.h"

namespace qlab::test {

inline LlamaConfig small_config() {
  return {.vocab_size = 37,
          .hidden_size = 44,
          .intermediate_size = 58,
          .n_layers = 3,
          .n_heads = 6,
          .n_kv_heads = 2,
          .head_dim = 10,
          .max_positions = 40,
          .rope_theta = 100,
          .rms_norm_eps = 1e-5,
          .tie_word_embeddings = false,
          .rope_scaling = std::nullopt};
}

/// Values that FP16 and BF16 hold (8 significant bits), so that only what a test means to round is.
inline float short_normal(Random& random, double mean, double deviation) {
  return to_float(from_float<bf16_t>(static_cast<float>(mean + deviation * random.normal())));
}

inline Matrix<float> short_matrix(std::int64_t rows, std::int64_t cols, double deviation,
                                  Random& random) {
  Matrix<float> m(rows, cols);
  for (std::int64_t i = 0; i < rows * cols; ++i) m.data()[i] = short_normal(random, 0, deviation);
  return m;
}

/// Weights that keep the size of what flows through them.
inline Checkpoint small_checkpoint(const LlamaConfig& c, Random& random) {
  const auto matrix = [&](std::int64_t out, std::int64_t in) {
    return short_matrix(out, in, 1 / std::sqrt(static_cast<double>(in)), random);
  };
  const auto gains = [&] {
    std::vector<float> gain(static_cast<std::size_t>(c.hidden_size));
    for (float& g : gain) g = short_normal(random, 1, 0.2);
    return gain;
  };
  const std::int64_t q = c.n_heads * c.head_dim;
  const std::int64_t kv = c.n_kv_heads * c.head_dim;
  Checkpoint checkpoint;
  checkpoint.config = c;
  checkpoint.embed_tokens = short_matrix(c.vocab_size, c.hidden_size, 1, random);
  checkpoint.lm_head = matrix(c.vocab_size, c.hidden_size);
  if (c.tie_word_embeddings) {
    std::copy_n(checkpoint.embed_tokens.data(), c.vocab_size * c.hidden_size,
                checkpoint.lm_head.data());
  }
  checkpoint.norm = gains();
  for (std::int64_t i = 0; i < c.n_layers; ++i) {
    checkpoint.layers.push_back({.input_norm = gains(),
                                 .q_proj = matrix(q, c.hidden_size),
                                 .k_proj = matrix(kv, c.hidden_size),
                                 .v_proj = matrix(kv, c.hidden_size),
                                 .o_proj = matrix(c.hidden_size, q),
                                 .post_attention_norm = gains(),
                                 .gate_proj = matrix(c.intermediate_size, c.hidden_size),
                                 .up_proj = matrix(c.intermediate_size, c.hidden_size),
                                 .down_proj = matrix(c.hidden_size, c.intermediate_size)});
  }
  return checkpoint;
}

}  // namespace qlab::test
