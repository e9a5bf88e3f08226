// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_static: INT8 codes with one scale that calibration fixed ahead of time.
///
/// Bottleneck   memory: one pass, with a division a value close behind it
/// Bytes moved  read 4·rows·K, written rows·K
/// FLOPs        2·rows·K: divide, round
/// Teaches      no search for the largest value, so one pass; and values beyond the range are clipped
/// Leaves out   where the scale comes from (calibrate); a scale a token cannot be known ahead
#pragma once

#include <cstdint>

#include "common/contract.h"
#include "common/isa.h"

namespace qlab {

/// codes[r, k] = clamp(nearest(x[r, k] / scale), -127, 127), ties to even, the division in FP32.
///
/// \param x      [rows, K] no NaN; an infinity is clipped like any other value beyond the range
/// \param scale  > 0, finite, normal: int8_scale(threshold)
/// \param codes  [rows, K] written in full
/// \throws ContractError when a shape does not fit, for a scale that is not a normal number above 0,
///         or naming the first NaN; codes are then unspecified.
void quantize_static(MatrixView<const float> x, float scale, MatrixView<std::int8_t> codes,
                     const Machine& machine);

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost quantize_static_cost(std::int64_t rows, std::int64_t K) {
  return {.bytes = 4 * rows * K + rows * K, .flops = 2 * rows * K};
}

/// The oracle: tries every code and keeps the one nearest to the FP32 quotient. Codes agree exactly.
void quantize_static_ref(MatrixView<const float> x, float scale, MatrixView<std::int8_t> codes);

// The ladder. A row is a task. A rung writes 0 for a NaN and returns false; it checks nothing else.
/// Rung 1, value by value. x and codes [rows, K].
bool quantize_static_v1_scalar(MatrixView<const float> x, float scale,
                               MatrixView<std::int8_t> codes, ThreadPool& threads);
#if QLAB_X86
/// Rung 2, thirty-two values at a time. x and codes [rows, K].
bool quantize_static_v2_avx2(MatrixView<const float> x, float scale, MatrixView<std::int8_t> codes,
                             ThreadPool& threads);
#endif

inline constexpr Rung<decltype(quantize_static_v1_scalar)> kQuantizeStaticRungs[] = {
    {.name = "v1_scalar", .run = quantize_static_v1_scalar, .needs = Isa::kScalar},
#if QLAB_X86
    {.name = "v2_avx2", .run = quantize_static_v2_avx2, .needs = Isa::kAvx2},
#endif
};

}  // namespace qlab
