// SPDX-License-Identifier: Apache-2.0
/// \file
/// The list of configurations.
#include "lab/configurations.h"

namespace qlab {

const std::vector<Configuration>& configurations() {
  using enum WeightFormat;
  const Granularity per_tensor = Granularity::kPerTensor;
  static const std::vector<Configuration> all = {
      {.name = "fp16",
       .row = "FP16/BF16",
       .recipe = {.weights = kFp16},
       .what = "nothing: weights, activations and KV cache in FP16"},
      {.name = "fp32",
       .recipe = {.weights = kFp32, .kv = KvFormat::kFp32},
       .what = "nothing, not even to FP16"},
      {.name = "bf16",
       .recipe = {.weights = kBf16},
       .what = "weights and activations in BF16, KV cache in FP16"},
      {.name = "int8",
       .row = "INT8",
       .recipe = {.weights = kInt8},
       .what = "weights with a scale a channel, activations with a scale a token"},
      {.name = "int8_tensor",
       .recipe = {.weights = kInt8, .activations = per_tensor},
       .what = "weights with a scale a channel, activations of a call with one scale"},
      {.name = "int8_outliers",
       .recipe = {.weights = kInt8},
       .outliers = true,
       .what = "as int8, outliers planted"},
      {.name = "int8_tensor_outliers",
       .recipe = {.weights = kInt8, .activations = per_tensor},
       .outliers = true,
       .what = "as int8_tensor, outliers planted"},
      {.name = "int4_g128",
       .row = "INT4 weight-only",
       .recipe = {.weights = kInt4, .group_size = 128},
       .what = "weights, a scale and a zero point for 128"},
      {.name = "int4_g32",
       .recipe = {.weights = kInt4, .group_size = 32},
       .what = "weights, a scale and a zero point for 32"},
      {.name = "kv_int8",
       .row = "KV Cache quantization",
       .recipe = {.weights = kFp16, .kv = KvFormat::kInt8},
       .what = "KV cache, a scale a token and head"},
      {.name = "kv_fp8",
       .recipe = {.weights = kFp16, .kv = KvFormat::kFp8E4m3},
       .what = "KV cache in E4M3 with scale 1"},
      {.name = "int4_g128 + kv_int8",
       .recipe = {.weights = kInt4, .group_size = 128, .kv = KvFormat::kInt8},
       .what = "weights and KV cache"},
  };
  return all;
}

}  // namespace qlab
