// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_rows: INT8 codes with one scale a row (a channel of weights, a token of activations) or
/// one scale for all of them.
///
/// Bottleneck   memory, with a division a value close behind it; the second reading of a row, to
///              round it, finds it in the cache unless all rows share a scale
/// Bytes moved  read 4·rows·K, written rows·K + 4·rows
/// FLOPs        3·rows·K: absolute maximum, divide, round
/// Teaches      one outlier sets the step of everything that shares its scale
/// Leaves out   zero points (symmetric only); scales fixed ahead of time by calibration
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "common/contract.h"
#include "common/isa.h"

namespace qlab {

/// Who shares a scale.
enum class Granularity {
  kPerRow,     ///< a channel of W, a token of X
  kPerTensor,  ///< every row gets the same scale, that of the largest value of all
};

/// codes[r, k] = nearest(x[r, k] / scale[r]) in -127 … 127, ties to even; scale = max |x| / 127.
///
/// Both divisions are in FP32. A row of zeros gets scale 1, and no scale is subnormal (int8_scale).
/// -128 is not used: negation stays in range and both ends of the range are exact. Source: Nagel et
/// al., "A White Paper on Neural Network Quantization", 2021, section 2.2.
///
/// \param x      [rows, K] finite
/// \param codes  [rows, K] written in full
/// \param scale  [rows]    written in full, > 0
/// \throws ContractError when a shape does not fit, or naming the first value that is not finite;
///         codes and scale are then unspecified.
void quantize_rows(MatrixView<const float> x, Granularity granularity,
                   MatrixView<std::int8_t> codes, float* scale, const Machine& machine);

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost quantize_rows_cost(std::int64_t rows, std::int64_t K) {
  return {.bytes = 4 * rows * K + rows * K + 4 * rows, .flops = 3 * rows * K};
}

/// The scale of values up to `absmax` in magnitude. An absmax that is not finite gives a scale that
/// is not finite.
///
/// It stays at or above the smallest normal float: a subnormal scale has too few bits, so that
/// absmax / scale could pass 127 by half, and one that underflows to 0 would divide 0 by 0. Under
/// 127 · 2⁻¹²⁶ the codes therefore use less of their range; the error stays within half a step.
inline float int8_scale(float absmax) {
  return absmax == 0 ? 1.0F : std::max(absmax / 127, std::numeric_limits<float>::min());
}

/// The oracle: tries every code and keeps the one nearest to the FP32 quotient. Codes and scales
/// agree exactly.
void quantize_rows_ref(MatrixView<const float> x, Granularity granularity,
                       MatrixView<std::int8_t> codes, float* scale);

// The ladder. A row is a task. A rung checks nothing: a row (with kPerTensor: every row) in which a
// value is not finite gets a scale that is not finite and no codes, and quantize_rows refuses it.
/// Rung 1: the definition, one value after the other.
void quantize_rows_v1_scalar(MatrixView<const float> x, Granularity granularity,
                             MatrixView<std::int8_t> codes, float* scale, ThreadPool& threads);
#if QLAB_X86
/// Rung 2: vector maximum, division and conversion; vcvtps2dq rounds ties to even by itself.
void quantize_rows_v2_avx2(MatrixView<const float> x, Granularity granularity,
                           MatrixView<std::int8_t> codes, float* scale, ThreadPool& threads);
#endif

inline constexpr Rung<decltype(quantize_rows_v1_scalar)> kQuantizeRowsRungs[] = {
    {.name = "v1_scalar", .run = quantize_rows_v1_scalar, .needs = Isa::kScalar},
#if QLAB_X86
    {.name = "v2_avx2", .run = quantize_rows_v2_avx2, .needs = Isa::kAvx2},
#endif
};

}  // namespace qlab
