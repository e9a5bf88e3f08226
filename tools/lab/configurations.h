// SPDX-License-Identifier: Apache-2.0
/// \file
/// The configurations that `lab compare` puts side by side, and the row of the table each stands for.
#pragma once

#include <string>
#include <vector>

#include "model/llama.h"

namespace qlab {

struct Configuration {
  std::string name;  ///< as in the plan: "int4_g128"
  std::string row;   ///< of the table; empty for a ruler or a variation that belongs to a claim
  Recipe recipe;
  bool outliers = false;  ///< on the model with planted activation outliers
  std::string what;       ///< what is quantized, in words
};

/// The first one, fp16, is what all others are compared with.
inline const std::vector<Configuration>& configurations() {
  using enum WeightFormat;
  using enum Granularity;
  using enum KvFormat;
  static const std::vector<Configuration> all = {
      {"fp16", "FP16/BF16", {.weights = kFp16}, false, "nothing: weights, activations, KV in FP16"},
      {"fp32", "", {.weights = kFp32, .kv = kFp32}, false, "nothing, not even to FP16"},
      {"bf16", "", {.weights = kBf16}, false, "weights and activations in BF16, KV in FP16"},
      {"int8", "INT8", {.weights = kInt8}, false, "weights a channel, activations a token"},
      {"int8_per_tensor",
       "",
       {.weights = kInt8, .activations = kPerTensor},
       false,
       "weights a channel, activations with one scale"},
      {"int8_outliers", "", {.weights = kInt8}, true, "as int8, outliers planted"},
      {"int8_per_tensor_outliers",
       "",
       {.weights = kInt8, .activations = kPerTensor},
       true,
       "as int8_per_tensor, outliers planted"},
      {"int4_g128",
       "INT4 weight-only",
       {.weights = kInt4, .group_size = 128},
       false,
       "weights, groups of 128"},
      {"int4_g32", "", {.weights = kInt4, .group_size = 32}, false, "weights, groups of 32"},
      {"kv_int8",
       "KV Cache quantization",
       {.weights = kFp16, .kv = kInt8},
       false,
       "KV cache, a scale a token and head"},
      {"kv_fp8", "", {.weights = kFp16, .kv = kFp8E4m3}, false, "KV cache, E4M3 with scale 1"},
      {"int4_g128 + kv_int8",
       "",
       {.weights = kInt4, .group_size = 128, .kv = kInt8},
       false,
       "weights and KV cache"},
  };
  return all;
}

/// Channels a norm and factor of the planted outliers. A power of two leaves the FP32 function as it
/// was to the bit; 64 is the size that large models show (Dettmers et al., "LLM.int8()", 2022,
/// section 4.1, report outliers up to 60).
inline constexpr std::int64_t kOutlierChannels = 4;
inline constexpr float kOutlierFactor = 64;

}  // namespace qlab
