// SPDX-License-Identifier: Apache-2.0
/// \file
/// The list of configurations.
#include "lab/configurations.h"

namespace qlab {
namespace {

constexpr std::int64_t kWholeRow = std::int64_t{1} << 30;  // longer than any row

constexpr Int8Activations kOneScaleACall{.granularity = Granularity::kPerTensor};
constexpr Int8Activations kLlmInt8{.outliers_from = kLlmInt8Threshold};
constexpr Int8Activations kBitsandbytes{.outliers_from = kLlmInt8Threshold,
                                        .outliers_from_codes = true};

Recipe int8(const Int8Activations& activations = {}) {
  return {.weights = WeightFormat::kInt8, .activations = activations};
}

/// The same on the model with planted outliers.
Configuration planted(Configuration configuration) {
  configuration.name += "_outliers";
  configuration.row.clear();
  configuration.outliers = true;
  configuration.what += ", outliers planted";
  return configuration;
}

Configuration detail(Configuration configuration) {
  configuration.part = Part::kDetail;
  return configuration;
}

Configuration smoothed(const std::string& name, double alpha) {
  return {.name = name,
          .recipe = int8(),
          .smoothing = alpha,
          .what = "as int8, after SmoothQuant with alpha " + std::to_string(alpha).substr(0, 4)};
}

Configuration fixed(const std::string& name, Calibrator calibrator,
                    CalibrationSet set = CalibrationSet::kSameText) {
  std::string seen = "text";
  if (set == CalibrationSet::kOtherDomain) seen = "names and digits instead of text";
  if (set == CalibrationSet::kTooSmall) seen = "eight bytes of text";
  return {.name = name,
          .recipe = int8(),
          .fixed = FixedScales{calibrator, set},
          .what = "activations of a layer with one scale, fixed on " + seen + " by " +
                  std::string(calibrator_name(calibrator))};
}

Configuration cached(const std::string& name, KvFormats formats, const std::string& what) {
  return {.name = name,
          .recipe = {.weights = WeightFormat::kFp16, .kv = formats},
          .part = Part::kDetail,
          .what = "KV cache, " + what};
}

void add_kv(std::vector<Configuration>& all) {
  using enum KvFormat;
  const std::string token_groups = "a scale and a minimum for 32 channels of a token";
  const std::string kivi = "K by channel, V by token (KIVI), the newest in FP16";
  for (const Configuration& c :
       {cached("kv_fp8_e5m2", kFp8E5m2, "in E5M2 with scale 1"),
        cached("kv_int4_head", kInt4Head, "4 bits, a scale a token and head"),
        cached("kv_int4", kInt4, "4 bits, " + token_groups),
        cached("kv_kivi4", kKivi4, "4 bits, " + kivi),
        cached("kv_int2", kInt2, "2 bits, " + token_groups),
        cached("kv_kivi2", kKivi2, "2 bits, " + kivi),
        cached("kv_k_int2", {kInt2, kFp16}, "K as kv_int2, V in FP16"),
        cached("kv_v_int2", {kFp16, kInt2}, "V as kv_int2, K in FP16"),
        cached("kv_k_kivi2", {kKivi2, kFp16}, "K as kv_kivi2, V in FP16")}) {
    all.push_back(c);
  }
}

void add_int8(std::vector<Configuration>& all) {
  using enum Calibrator;
  const Configuration per_token = {
      .name = "int8",
      .row = "INT8",
      .recipe = int8(),
      .what = "weights with a scale a channel, activations with a scale a token"};
  const Configuration per_tensor = {
      .name = "int8_tensor",
      .recipe = int8(kOneScaleACall),
      .what = "weights with a scale a channel, activations of a call with one scale"};
  const Configuration smooth = smoothed("int8_smooth", 0.5);
  const Configuration llm = {.name = "int8_llm",
                             .recipe = int8(kLlmInt8),
                             .what = "as int8, input columns from 6 on in FP16 (LLM.int8())"};
  const Configuration llm_codes = {.name = "int8_llm_codes",
                                   .recipe = int8(kBitsandbytes),
                                   .what = "as int8_llm, weights of these columns from INT8 codes"};
  for (const Configuration& c : {per_token, per_tensor}) all.push_back(c);
  for (const Configuration& c : {per_token, per_tensor, smooth, llm}) all.push_back(planted(c));

  for (const Configuration& c :
       {smooth, llm, llm_codes, fixed("int8_static", kAbsmax),
        fixed("int8_static_percentile", kPercentile), fixed("int8_static_mse", kMse),
        fixed("int8_static_entropy", kEntropy),
        fixed("int8_static_digits", kPercentile, CalibrationSet::kOtherDomain),
        fixed("int8_static_8_bytes", kPercentile, CalibrationSet::kTooSmall)}) {
    all.push_back(detail(c));
  }
  Configuration static_smooth = fixed("int8_static_smooth", kAbsmax);
  static_smooth.smoothing = 0.5;
  static_smooth.what = "as int8_static, after SmoothQuant with alpha 0.50";
  for (const Configuration& c :
       {fixed("int8_static", kAbsmax), fixed("int8_static_entropy", kEntropy), static_smooth,
        smoothed("int8_smooth_25", 0.25), smoothed("int8_smooth_75", 0.75), llm_codes}) {
    all.push_back(detail(planted(c)));
  }
}

std::vector<Configuration> make_configurations() {
  using enum WeightFormat;
  std::vector<Configuration> all = {
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
  };
  add_int8(all);
  const std::vector<Configuration> others = {
      {.name = "int4_g128",
       .row = "INT4 weight-only",
       .recipe = {.weights = kInt4, .group_size = 128},
       .what = "weights, a scale and a zero point for 128"},
      {.name = "int4_g32",
       .recipe = {.weights = kInt4, .group_size = 32},
       .what = "weights, a scale and a zero point for 32"},
      {.name = "int4_gptq",
       .recipe = {.weights = kInt4, .group_size = 128},
       .method = Int4Method::kGptq,
       .part = Part::kDetail,
       .what = "as int4_g128, by GPTQ"},
      {.name = "int4_awq",
       .recipe = {.weights = kInt4, .group_size = 128},
       .method = Int4Method::kAwq,
       .part = Part::kDetail,
       .what = "as int4_g128, after AWQ"},
      {.name = "int4_channel",
       .recipe = {.weights = kInt4, .group_size = kWholeRow},
       .part = Part::kDetail,
       .what = "weights, a scale and a zero point for a whole row"},
      {.name = "int4_gptq_g32",
       .recipe = {.weights = kInt4, .group_size = 32},
       .method = Int4Method::kGptq,
       .part = Part::kDetail,
       .what = "as int4_g32, by GPTQ"},
      {.name = "int4_awq_g32",
       .recipe = {.weights = kInt4, .group_size = 32},
       .method = Int4Method::kAwq,
       .part = Part::kDetail,
       .what = "as int4_g32, after AWQ"},
      {.name = "int4_w4a8",
       .recipe = {.weights = kW4A8, .group_size = 128},
       .part = Part::kDetail,
       .what = "weights as int4_g128, and activations to INT8 with a scale a token"},
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
  all.insert(all.end(), others.begin(), others.end());
  add_kv(all);
  return all;
}

}  // namespace

const std::vector<Configuration>& configurations() {
  static const std::vector<Configuration> all = make_configurations();
  return all;
}

bool in_family(const Configuration& configuration, std::string_view family) {
  const Recipe& recipe = configuration.recipe;
  if (family == "int8") return recipe.weights == WeightFormat::kInt8;
  if (family == "int4") {
    return recipe.weights == WeightFormat::kInt4 || recipe.weights == WeightFormat::kW4A8;
  }
  return recipe.kv != KvFormat::kFp16 && recipe.kv != KvFormat::kFp32;
}

std::vector<Configuration> choose_configurations(std::string_view family, bool details) {
  std::vector<Configuration> chosen;
  for (const Configuration& configuration : configurations()) {
    const bool wanted =
        family.empty() || configuration.name == "fp16" || in_family(configuration, family);
    if (wanted && (details || configuration.part == Part::kMain)) chosen.push_back(configuration);
  }
  return chosen;
}

Configuration scales_of_a_file() {
  return {.name = "int8_static_file",
          .recipe = int8(),
          .fixed = FixedScales{.set = CalibrationSet::kFile},
          .part = Part::kDetail,
          .what = "activations of a layer with one scale, from the file given"};
}

}  // namespace qlab
