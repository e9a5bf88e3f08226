// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_rows: INT8 codes with one scale a row (a channel of weights, a token of activations) or
/// one scale for all of them.
///
/// Bottleneck   memory: a row is read twice, once for its largest value and once to round it
/// Bytes moved  read 4·rows·K, written rows·K + 4·rows
/// FLOPs        3·rows·K: absolute maximum, divide, round
/// Teaches      one outlier sets the step of everything that shares its scale
/// Leaves out   zero points (symmetric only); scales fixed ahead of time by calibration
#pragma once

#include <cstdint>

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
/// The division is in FP32. A row of zeros gets scale 1. -128 is not used: negation stays in range
/// and both ends of the range are exact. Source: Nagel et al., "A White Paper on Neural Network
/// Quantization", 2021, section 2.2.
///
/// \param x      [rows, K] finite
/// \param codes  [rows, K] written in full
/// \param scale  [rows]    written in full, > 0
/// \throws ContractError when a shape does not fit, or naming the first value that is not finite.
void quantize_rows(MatrixView<const float> x, Granularity granularity,
                   MatrixView<std::int8_t> codes, float* scale, const Machine& machine);

constexpr Cost quantize_rows_cost(std::int64_t rows, std::int64_t K) {
  return {.bytes = 4 * rows * K + rows * K + 4 * rows, .flops = 3 * rows * K};
}

/// The oracle: tries every code in double and keeps the nearest. Codes and scales agree exactly.
void quantize_rows_ref(MatrixView<const float> x, Granularity granularity,
                       MatrixView<std::int8_t> codes, float* scale);

void quantize_rows_v1_scalar(MatrixView<const float> x, Granularity granularity,
                             MatrixView<std::int8_t> codes, float* scale, ThreadPool& threads);
#if QLAB_X86
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
