// SPDX-License-Identifier: Apache-2.0
/// \file
/// awq: scales the input channels that carry the large activations up before rounding, and the
/// input down, so that the weights that matter most are rounded finest.
///
/// Bottleneck   none that inference feels: the scales are folded into what stands before the layer
/// Teaches      importance is a matter of the activations; a search over one number finds it
/// Leaves out   the loss of a whole block (this one looks at the outputs of the layers themselves)
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "03_int4_weight_only/int4_weights.h"
#include "common/isa.h"
#include "common/matrix.h"

namespace qlab {

inline constexpr int kAwqRatios = 20;  // 0, 0.05, …, 0.95

/// What the search found.
struct AwqScales {
  double ratio;                ///< of the least loss, the first of equals
  std::vector<float> scale;    ///< [K] > 0: multiplies column k of the weights, divides channel k
  std::vector<double> losses;  ///< [kAwqRatios] mean squared error of the outputs
};

/// The exercise: these are written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// mean[k] = the mean over all tokens of |X[t, k]|: how loud an input channel is. Summed in double.
/// \param X  [tokens, K] finite, at least one token
std::vector<float> awq_mean(MatrixView<const float> X);

/// scale[k] = p[k] / √(max p · min p), p[k] = max(mean[k]^ratio, 1e-4), in double.
/// \param mean   [K] ≥ 0, finite; at least one channel
/// \param ratio  0 … 1: how much of the loudness the scales follow
std::vector<float> awq_scale(std::span<const float> mean, double ratio);

/// The mean over tokens and outputs of (X · ŵ - X · weight)². ŵ is what comes of column k of weight
/// times scale[k] (a product in FP32), rounded in groups, and divided by scale[k] again.
/// \param weight  [N, K] finite, with N ≥ 1
/// \param X       [tokens, K] finite, at least one token
/// \param scale   [K] > 0
double awq_loss(MatrixView<const float> weight, MatrixView<const float> X,
                std::span<const float> scale, std::int64_t group_size);

/// As awq_scales below, for one matrix: the layers that read X, one below the other. Then folds the
/// best scales: column k of weight is multiplied by scale[k], gain[k] divided by it.
/// \param X       [tokens, K] what the norm puts out before anything is folded
/// \param gain    [K] of that norm
/// \param weight  [N, K]
AwqScales awq(MatrixView<const float> X, std::int64_t group_size, std::span<float> gain,
              MatrixView<float> weight);

}  // namespace exercise

/// Searches s = max(mean |x|^ratio, 1e-4) / √(max · min), the maximum and minimum of that power
/// over the channels, for the layers that share an input. Ratio 0 is plain rounding.
///
/// Source: Lin et al., "AWQ", 2023, section 3.2, equation 5 (plain scaling, without duo_scaling).
///
/// \param consumers   [N of each, K] finite; every layer that reads this X
/// \param X           [tokens, K] finite, at least one token
/// \param group_size  of quantize_int4_rtn
/// \throws ContractError when a shape does not fit, for no consumer or no token, a value that is
///         not finite, outputs that overflow FP32, or as quantize_int4_rtn does for scaled weights.
AwqScales awq_scales(std::span<const MatrixView<const float>> consumers, MatrixView<const float> X,
                     std::int64_t group_size, const Machine& machine);

/// Clamps each group of each row to ±absmax · (1 - i / 20), i = 0 … 9: to the bound whose rounded
/// weights give the least squared error of the group's share of the output, the widest of equals.
///
/// More than 512 tokens are thinned out evenly until no more are left. A bound too narrow for an
/// FP16 scale is not tried. Source: the search of the AWQ authors' code (llm-awq), which skips q
/// and k.
///
/// \param weight      [N, K] finite, already scaled; clamped in place
/// \param X           [tokens, K] finite, as the scaled layer sees it; at least one token
/// \param group_size  of quantize_int4_rtn
/// \throws ContractError as awq_scales does, before anything is changed.
void awq_clip(MatrixView<float> weight, MatrixView<const float> X, std::int64_t group_size,
              const Machine& machine);

}  // namespace qlab
