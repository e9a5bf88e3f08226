// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the files of calibrate share and nobody else needs.
#pragma once

#include <span>

namespace qlab {

/// \throws ContractError, which `operation` opens, for no samples or one that is not finite.
float largest_magnitude(const char* operation, std::span<const float> samples);

/// The threshold of Calibrator::kEntropy; absmax > 0 is the largest magnitude.
float least_entropy(std::span<const float> samples, float absmax);

}  // namespace qlab
