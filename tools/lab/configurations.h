// SPDX-License-Identifier: Apache-2.0
/// \file
/// The configurations that `lab compare` puts side by side, and the row of the table each stands for.
#pragma once

#include <string>
#include <vector>

#include "model/llama.h"

namespace qlab {

struct Configuration {
  std::string name;      ///< as in the plan: "int4_g128"
  std::string row = {};  ///< of the table; empty for a ruler or a variation that a claim asks for
  Recipe recipe;
  bool outliers = false;  ///< on the model with planted activation outliers
  std::string what;       ///< what is quantized, in words
};

/// The first one, fp16, is what all others are compared with.
const std::vector<Configuration>& configurations();

/// Channels a norm and factor of the planted outliers. A power of two leaves the FP32 function as it
/// was to the bit; 64 is the size that large models show (Dettmers et al., "LLM.int8()", 2022,
/// section 4.1, report outliers up to 60).
inline constexpr std::int64_t kOutlierChannels = 4;
inline constexpr float kOutlierFactor = 64;

}  // namespace qlab
