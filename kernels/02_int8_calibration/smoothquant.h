// SPDX-License-Identifier: Apache-2.0
/// \file
/// smoothquant: moves the difficulty of outlier channels from activations into weights, where a
/// scale an output channel and 8 bits have room for it. The product stays what it was.
///
/// Bottleneck   none that inference feels: the factors are folded into gain and weights beforehand
/// Teaches      scales along K cannot leave an integer sum, but they can move before it begins
/// Leaves out   layers whose input comes from no norm (o_proj under GQA, down_proj)
#pragma once

#include <span>
#include <vector>

#include "common/contract.h"

namespace qlab {

/// The exercise: these are written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// As smoothing_factors below, from the weights themselves.
/// \param consumers  [N of each, K] finite; at least one, and every layer that reads this input
std::vector<float> smoothing_factors(std::span<const float> activation_absmax,
                                     std::span<const MatrixView<const float>> consumers,
                                     double alpha);

/// As fold_smoothing below.
void fold_smoothing(std::span<const float> factor, std::span<float> gain,
                    std::span<const MatrixView<float>> consumers);

}  // namespace exercise

/// absmax[k] = max(absmax[k], max over rows of |x[row, k]|): call it for batch after batch, or for
/// weight after weight that reads the same input.
/// \param x       [rows, K] finite
/// \param absmax  [K]
/// \throws ContractError when a shape does not fit, or naming the first value that is not finite.
void raise_column_absmax(MatrixView<const float> x, std::span<float> absmax);

/// factor[k] = activation[k]^alpha / weight[k]^(1 - alpha), at least 1e-5; a weight maximum counts
/// as at least 1e-5. A channel that was never active keeps factor 1.
///
/// Source: Xiao et al., "SmoothQuant", 2022, equation 4.
///
/// \param activation_absmax  [K] ≥ 0, of the input that all consumers share
/// \param weight_absmax      [K] ≥ 0, the largest over every consumer of that input
/// \param alpha              0 … 1: how much of the difficulty goes to the weights
/// \return [K] > 0
/// \throws ContractError when lengths differ, a maximum is negative or not finite, or alpha is
///         outside its range.
std::vector<float> smoothing_factors(std::span<const float> activation_absmax,
                                     std::span<const float> weight_absmax, double alpha);

/// gain[k] /= factor[k], and column k of every consumer is multiplied by it: what flows through the
/// norm into the consumers is changed only by rounding.
/// \throws ContractError when a length does not fit or a factor is not a finite number above 0,
///         before anything is changed.
void fold_smoothing(std::span<const float> factor, std::span<float> gain,
                    std::span<const MatrixView<float>> consumers);

}  // namespace qlab
