// SPDX-License-Identifier: Apache-2.0
/// \file
/// gptq: rounds weights one column after the other, and lets the columns that are left make up for
/// the error of those that are done, weighed by what the inputs look like.
///
/// Bottleneck   none that inference feels: it runs once; K³ for the inverse, N·K² for the updates
/// Teaches      what counts is the error of the output, tr(Δ H Δᵀ), not that of the weights
/// Leaves out   true sequential order between layers; a GPU
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "03_int4_weight_only/int4_weights.h"
#include "common/isa.h"
#include "common/matrix.h"

namespace qlab {

/// H = (2 / T) Σₜ xₜ xₜᵀ over all tokens added: the second derivative of the squared output error.
class Hessian {
 public:
  /// Of K input channels; no token yet.
  explicit Hessian(std::int64_t K) : sum_(K, K) {}
  /// \param X  [tokens, K] finite
  /// \throws ContractError when a shape does not fit, or naming the first value that is not finite.
  void add(MatrixView<const float> X, const Machine& machine);
  /// How many tokens were added.
  std::int64_t tokens() const { return tokens_; }
  /// [K, K] symmetric. \throws ContractError when no token was added.
  Matrix<double> value() const;

 private:
  Matrix<double> sum_;  // Σ x xᵀ
  std::int64_t tokens_ = 0;
};

/// How GPTQ rounds a layer.
struct GptqOptions {
  std::int64_t group_size = 128;
  double damping = 0.01;       ///< of the mean of H's diagonal, added to all of it
  bool act_order = false;      ///< columns by falling diagonal, the most important first
  bool static_groups = false;  ///< scales from the original weights; else from those updated so far
};

/// A layer as GPTQ rounded it.
struct GptqWeights {
  Int4Matrix weights;  ///< columns in their own order
  std::vector<std::int32_t>
      group;            ///< [K] whose scale column k uses: k / group_size, unless act_order
                        ///< without static_groups has scattered the groups (g_idx)
  double damping;       ///< that was needed
  double output_error;  ///< tr(Δ H Δᵀ) with the damped H; ‖E‖² in the algorithm
};

/// Rounds [N, K] weights to the grid of quantize_int4_rtn, group by group.
///
/// All arithmetic in double. A column that was never active (H[k, k] = 0) becomes 0. When H +
/// damping is not positive definite the damping is multiplied by 10, up to 1. Source: Frantar et
/// al., "GPTQ", 2022, algorithm 1; scales of a group are taken from weights with all earlier
/// updates.
///
/// \param weight   [N, K] finite
/// \param hessian  [K, K] symmetric, finite
/// \param name     of the layer, for messages
/// \throws ContractError when a shape does not fit, for a hessian that is not finite or not
///         positive definite even with the largest damping, or as quantize_int4_rtn does; all name
///         the layer.
GptqWeights quantize_int4_gptq(MatrixView<const float> weight, MatrixView<const double> hessian,
                               const GptqOptions& options, const char* name,
                               const Machine& machine);

/// tr(Δ H Δᵀ), Δ = weight - what the codes stand for: the squared output error that H predicts.
/// weight [N, K], hessian [K, K].
double output_error(MatrixView<const float> weight, const Int4Weights& quantized,
                    MatrixView<const double> hessian);

/// The exercise: these are written by the learner, and linked from labs/ or solutions/. They are
/// the algorithm in plain double: scales stay as they are computed, and nothing is packed.
namespace exercise {

/// What quantize_gptq writes; columns in their own order.
struct GptqCodes {
  MatrixView<std::uint8_t> code;        // [N, K]               0 … 15
  MatrixView<double> scale;             // [N, K / group_size]  > 0
  MatrixView<std::uint8_t> zero_point;  // [N, K / group_size]  0 … 15
  std::span<std::int32_t> group;        // [K]                  whose scale column k uses
};

/// H = (2 / T) Σₜ xₜ xₜᵀ.
/// \param X  [T, K] finite, at least one token
/// \param H  [K, K] written in full
/// \throws ContractError when a shape does not fit, for no token, or naming the first value that is
///         not finite.
void hessian(MatrixView<const double> X, MatrixView<double> H);

/// Makes H invertible. A channel that was always 0 (H[k, k] = 0) gets 1 there, and column k of the
/// weights becomes 0; then `damping` times the mean of the diagonal is added to all of it.
/// \param H       [K, K] changed in place
/// \param weight  [N, K] changed in place
/// \throws ContractError when a shape does not fit.
void damp(MatrixView<double> H, MatrixView<double> weight, double damping);

/// Rounds weights as quantize_int4_gptq does, once: where it would raise the damping, this refuses.
///
/// \param weight   [N, K] finite
/// \param hessian  [K, K] symmetric, finite, as hessian() wrote it
/// \param options  the group size divides K
/// \return Σ of the squared errors, each divided by U[i, i]²: the squared error of the outputs
/// \throws ContractError when a shape does not fit, naming the first value that is not finite, or
///         for a hessian that damping does not make positive definite.
double quantize_gptq(MatrixView<const double> weight, MatrixView<const double> hessian,
                     const GptqOptions& options, const GptqCodes& out);

}  // namespace exercise

}  // namespace qlab
