// SPDX-License-Identifier: Apache-2.0
/// \file
/// The configurations that `lab compare` puts side by side, and the row of the table each stands for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "02_int8_calibration/calibrate.h"
#include "model/llama.h"

namespace qlab {

/// What calibration sees before it fixes the scales of activations.
enum class CalibrationSet {
  kSameText,     ///< other windows of the text that is evaluated
  kOtherDomain,  ///< names and digits of the recall task, while text is evaluated
  kTooSmall,     ///< eight bytes of the same text
  kFile,         ///< nothing: the scales come from a file
};

/// Scales of activations that are fixed ahead of time, one a layer.
struct FixedScales {
  Calibrator calibrator = Calibrator::kAbsmax;
  CalibrationSet set = CalibrationSet::kSameText;
};

/// How 4-bit weights come from FP16 ones.
enum class Int4Method {
  kNearest,  ///< each weight by itself
  kGptq,     ///< errors made up for by later columns
  kAwq,      ///< scales that protect the channels with large activations
};

/// Where a configuration is shown.
enum class Part {
  kMain,    ///< in the first table of quality
  kDetail,  ///< in the details of its format; judged on a part of the documents
};

struct Configuration {
  std::string name;      ///< as in the plan: "int4_g128"
  std::string row = {};  ///< of the table; empty for a ruler or a variation that a claim asks for
  Recipe recipe;
  bool outliers = false;                     ///< on the model with planted activation outliers
  std::optional<double> smoothing = {};      ///< SmoothQuant's alpha
  std::optional<FixedScales> fixed = {};     ///< without: found in each call
  Int4Method method = Int4Method::kNearest;  ///< of 4-bit weights
  Part part = Part::kMain;
  std::string what;  ///< what is quantized, in words
};

/// The first one, fp16, is what all others are compared with.
const std::vector<Configuration>& configurations();

/// What `--only` may name: "int8", "int4", "kv".
inline constexpr std::string_view kFamilies[] = {"int8", "int4", "kv"};

/// Whether it quantizes what the family names. The baseline belongs to none.
bool in_family(const Configuration& configuration, std::string_view family);

/// The configurations of one run: all, or the baseline and a family. `details`: those of Part::kDetail
/// too.
std::vector<Configuration> choose_configurations(std::string_view family, bool details);

/// INT8 with the scales of a file, "int8_static_file", in a run that was given one.
Configuration scales_of_a_file();

/// Channels a norm and factor of the planted outliers. A power of two leaves the FP32 function as it
/// was to the bit; 64 is the size that large models show (Dettmers et al., "LLM.int8()", 2022,
/// section 4.1, report outliers up to 60).
inline constexpr std::int64_t kOutlierChannels = 4;
inline constexpr float kOutlierFactor = 64;

/// From which magnitude LLM.int8() takes an input column out (section 3.2 of the same paper).
inline constexpr float kLlmInt8Threshold = 6;

}  // namespace qlab
