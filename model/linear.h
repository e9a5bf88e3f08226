// SPDX-License-Identifier: Apache-2.0
/// \file
/// Linear: one linear layer in one of the lab's weight formats, and the activations it needs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "02_int8_calibration/quantize_rows.h"
#include "common/contract.h"
#include "common/isa.h"

namespace qlab {

/// How a linear layer stores its weights. Its activations follow: kFp16 and kInt4 round them to
/// FP16, kBf16 to BF16, kInt8 to INT8 with scales found in the call.
enum class WeightFormat { kFp32, kFp16, kBf16, kInt8, kInt4 };

/// "fp32", "fp16", "bf16", "int8", "int4".
std::string_view weight_format_name(WeightFormat format);

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
  /// Bytes stored: codes, scales, zero points.
  virtual std::int64_t bytes() const = 0;
};

/// Rounds weight [N, K] to `format`. `group_size` is for kInt4, `activations` for kInt8.
/// \throws ContractError naming the first weight that the format cannot hold.
std::unique_ptr<Linear> make_linear(MatrixView<const float> weight, WeightFormat format,
                                    std::int64_t group_size, Granularity activations,
                                    const Machine& machine);

/// The instructions that the format's kernel takes on a machine of this level.
Isa linear_path(WeightFormat format, Isa isa);

}  // namespace qlab
