// SPDX-License-Identifier: Apache-2.0
/// \file
/// Llama: the forward pass of a Llama-architecture model, weights and cache in a chosen precision.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "02_int8_calibration/quantize_rows.h"
#include "04_kv_cache/kv_cache.h"
#include "common/isa.h"
#include "common/matrix.h"
#include "model/checkpoint.h"
#include "model/linear.h"

namespace qlab {

/// Which precision goes where. Embedding, norms and lm_head stay in 16 bits (with kFp32: in FP32),
/// as in the checkpoints that engines load.
struct Recipe {
  WeightFormat weights = WeightFormat::kFp16;
  std::int64_t group_size = 128;                   ///< of kInt4, along K
  Granularity activations = Granularity::kPerRow;  ///< of kInt8: a scale a token, or one a call
  KvFormat kv = KvFormat::kFp16;
};

class Llama {
 public:
  Llama(const Checkpoint& checkpoint, const Recipe& recipe, const Machine& machine);

  const LlamaConfig& config() const { return config_; }

  /// An empty cache for one sequence. \throws ContractError beyond config().max_positions.
  KvCache new_cache(std::int64_t capacity) const;

  /// Appends the tokens to the cache and returns the logits of each: [tokens, vocab]. All tokens of
  /// a prompt at once is prefill; one token is decode.
  /// \throws ContractError for a token outside the vocabulary or a cache too short.
  Matrix<float> forward(std::span<const std::int32_t> tokens, KvCache& cache,
                        const Machine& machine) const;

  /// Bytes of all weights as stored, scales and zero points included.
  std::int64_t weight_bytes() const;
  /// The same for the linear layers inside the blocks only, which a recipe quantizes.
  std::int64_t linear_bytes() const;
  /// Number of weights in those layers.
  std::int64_t linear_weights() const;

 private:
  struct Layer;
  LlamaConfig config_;
  Recipe recipe_;
  // … the author of llama.cc completes this.
};

/// The most likely next tokens, one after the other, starting from a prompt (ties: lowest token).
std::vector<std::int32_t> generate_greedy(const Llama& model, std::span<const std::int32_t> prompt,
                                          std::int64_t new_tokens, const Machine& machine);

}  // namespace qlab
