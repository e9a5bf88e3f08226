// SPDX-License-Identifier: Apache-2.0
/// \file
/// Linear: one linear layer in one of the lab's weight formats, and the activations it needs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "02_int8_calibration/quantize_rows.h"
#include "03_int4_weight_only/int4_weights.h"
#include "common/contract.h"
#include "common/isa.h"

namespace qlab {

/// How a linear layer stores its weights. Its activations follow: kFp16 and kInt4 round them to
/// FP16, kBf16 to BF16, kInt8 to INT8 as Int8Activations says, kW4A8 (4-bit weights) to INT8 with a
/// scale a token.
enum class WeightFormat { kFp32, kFp16, kBf16, kInt8, kInt4, kW4A8 };

/// "fp32", "fp16", "bf16", "int8", "int4", "w4a8".
std::string_view weight_format_name(WeightFormat format);

/// How kInt8 brings the input of a layer to INT8. Without a fixed scale, scales are found in each call.
struct Int8Activations {
  Granularity granularity = Granularity::kPerRow;  ///< a scale a token, or one for all of the call
  /// One scale for every call, fixed ahead of time: int8_scale(*absmax). What lies beyond is clipped.
  std::optional<float> absmax = std::nullopt;
  /// LLM.int8(): input columns that reach this magnitude are multiplied in FP16, the others with a
  /// scale a token. > 0.
  std::optional<float> outliers_from = std::nullopt;
  /// LLM.int8(): the weights of these columns come from the INT8 codes, not from an FP16 copy.
  bool outliers_from_codes = false;
};

/// How a linear layer is stored and fed.
struct LinearRecipe {
  WeightFormat weights = WeightFormat::kFp16;
  std::int64_t group_size = 128;     ///< of kInt4 and kW4A8, along K
  Int8Activations activations = {};  ///< of kInt8
};

/// Weights in one format, ready to multiply.
class Linear {
 public:
  virtual ~Linear() = default;
  /// Y = X · Wᵀ for X [M, K], Y [M, N]. Calls share no memory, so several may run at once, each on
  /// its own ThreadPool.
  /// \throws ContractError when a shape does not fit or an activation does not fit the format.
  virtual void run(MatrixView<const float> X, MatrixView<float> Y,
                   const Machine& machine) const = 0;
  /// Row n of the weights as stored, widened: what the codes stand for. out is [K].
  virtual void read_row(std::int64_t n, std::span<float> out) const = 0;
  /// Bytes stored: codes, scales, zero points, and the FP16 copy that LLM.int8() keeps.
  virtual std::int64_t bytes() const = 0;
};

/// Rounds weight [N, K] as the recipe says.
/// \throws ContractError naming the first weight that the format cannot hold, or for activations that
///         ask for a fixed scale and for outlier columns at once.
std::unique_ptr<Linear> make_linear(MatrixView<const float> weight, const LinearRecipe& recipe,
                                    const Machine& machine);

/// The same for weights that were rounded elsewhere: codes, scales and zero points are taken as they are.
/// \throws ContractError for a format that does not store 4-bit weights.
std::unique_ptr<Linear> make_linear(const Int4Matrix& weight, WeightFormat format,
                                    const Machine& machine);

/// The instructions that the format's kernel takes on a machine of this level.
Isa linear_path(WeightFormat format, Isa isa);

}  // namespace qlab
