// SPDX-License-Identifier: Apache-2.0
/// \file
/// Memory of each configuration: bytes as stored in the loaded model, and what they come to in a 7B
/// model with a stated budget.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/isa.h"
#include "lab/configurations.h"
#include "lab/verdict.h"
#include "model/checkpoint.h"

namespace qlab {

/// The shape of Llama 2 7B (Touvron et al., "Llama 2", 2023; the published config.json).
LlamaConfig llama2_7b();

/// Bytes of a linear layer [N, K] in one format: scales, zero points, and the FP16 copy of LLM.int8().
std::int64_t linear_layer_bytes(const Recipe& recipe, std::int64_t N, std::int64_t K);

/// Bytes of all weights of a model: the linear layers of its blocks by the recipe, embedding and
/// lm_head in 16 bits (32 with kFp32), norms in FP32.
std::int64_t model_weight_bytes(const Recipe& recipe, const LlamaConfig& config);

struct MemoryRow {
  const Configuration* configuration;
  std::int64_t weight_bytes;        ///< of the loaded model, as allocated
  std::int64_t linear_bytes;        ///< of the linear layers inside its blocks
  double bits_per_weight;           ///< of these layers
  std::int64_t kv_bytes_per_token;  ///< of its cache, beside kv_fixed_bytes of a sequence
  std::int64_t big_weight_bytes;    ///< of the 7B model, computed
  std::int64_t big_kv_bytes_per_token;
  std::int64_t context;  ///< tokens that fit the budget beside the 7B model's weights
  std::int64_t batch;    ///< sequences of 4096 tokens that fit
};

inline constexpr std::int64_t kBatchContext = 4096;

/// Loads the model in every configuration that stores something of its own and reads its sizes off.
/// \param configurations  the first one is what all others are compared with; they must outlive the
///                        result
std::vector<MemoryRow> measure_memory(const Checkpoint& checkpoint,
                                      std::span<const Configuration> configurations,
                                      double budget_gib, const Machine& machine,
                                      Measurements& measurements);

}  // namespace qlab
