// SPDX-License-Identifier: Apache-2.0
/// \file
/// rope: rotary position embedding, in the half-split order of Hugging Face Llama checkpoints.
///
/// Value i of a head turns with value i + head_dim / 2 by the angle position · inv_freq[i]:
///
///     out[i]     = x[i] · cos - x[i + half] · sin
///     out[i + half] = x[i + half] · cos + x[i] · sin
///
/// Source: Su et al., "RoFormer", 2021, section 3.2.2 (there i turns with i + 1). Frequencies and
/// angles are FP32, rounded where Transformers rounds them: at position 1000 an angle in FP32 is off
/// by up to 2⁻¹⁵, and the checkpoint was trained with that.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/isa.h"
#include "common/matrix.h"
#include "model/llama_config.h"

namespace qlab {

/// [head_dim / 2] theta^(-2i / head_dim), stretched as rope_scaling asks.
std::vector<float> rope_inv_freq(const LlamaConfig& config);

/// Cosines and sines of a position a row; every layer and head uses the same.
struct RopeTable {
  /// Cosines and sines [positions, inv_freq].
  RopeTable(const std::vector<float>& inv_freq, std::span<const std::int64_t> positions);
  Matrix<float> cos, sin;  // [positions, head_dim / 2]
};

/// Turns every head of every row in place.
/// \param heads  [table rows, n · head_dim]
void apply_rope(MatrixView<float> heads, const RopeTable& table, const Machine& machine);

}  // namespace qlab
