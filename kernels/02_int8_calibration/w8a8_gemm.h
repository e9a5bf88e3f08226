// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm: INT8 weights times INT8 activations, summed in int32, scaled once at the end.
///
/// Bottleneck   M = 1: reading the weights, half of FP16's bytes; large M: the integer units
/// Bytes moved  read N·K (W) + 4·N (its scales) + M·K (X) + 4·M, written 4·M·N (Y)
/// FLOPs        2·M·N·K integer operations
/// Teaches      scales that are constant along K leave the sum; the sum itself has no rounding
/// Leaves out   zero points and their correction; where the codes come from (quantize_rows)
#pragma once

#include <cstdint>

#include "common/contract.h"
#include "common/isa.h"

namespace qlab {

/// One operand in INT8: real = scale[row] * code.
struct Int8Rows {
  MatrixView<const std::int8_t> codes;  // [rows, K]  any; quantize_rows leaves out -128
  const float* scale;                   // [rows]     > 0
};

/// The longest sum that surely fits: K · 128² < 2³¹.
inline constexpr std::int64_t kW8A8MaxK = 131'071;

/// Y[m, n] = X.scale[m] · W.scale[n] · Σₖ X.codes[m, k] · W.codes[n, k].
///
/// The sum is exact; the epilogue rounds three times in FP32: int32 to float, and two products.
/// Source: Dettmers et al., "LLM.int8()", 2022, section 2 (vector-wise quantization).
///
/// \param X  [M, K] activations, a scale for each token
/// \param W  [N, K] weights, a scale for each output channel
/// \param Y  [M, N] written in full, nothing outside it
/// \throws ContractError when a shape does not fit or K > kW8A8MaxK.
void w8a8_gemm(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y, const Machine& machine);

constexpr Cost w8a8_gemm_cost(std::int64_t M, std::int64_t N, std::int64_t K) {
  return {.bytes = N * K + 4 * N + M * K + 4 * M + 4 * M * N, .flops = 2 * M * N * K};
}

/// The oracle: int64 sums, the epilogue in double. Tolerance: 4 · 2⁻²⁴ · |value|; 0 where the
/// scales are powers of two and the sum is below 2²⁴.
void w8a8_gemm_ref(const Int8Rows& X, const Int8Rows& W, MatrixView<double> value);

// The ladder. A rung splits the columns of Y among the threads.
void w8a8_gemm_v1_scalar(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y,
                         ThreadPool& threads);
#if QLAB_X86
void w8a8_gemm_v2_avx2(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y,
                       ThreadPool& threads);
#endif

inline constexpr Rung<decltype(w8a8_gemm_v1_scalar)> kW8A8GemmRungs[] = {
    {.name = "v1_scalar", .run = w8a8_gemm_v1_scalar, .needs = Isa::kScalar},
#if QLAB_X86
    {.name = "v2_avx2", .run = w8a8_gemm_v2_avx2, .needs = Isa::kAvx2},
#endif
};

}  // namespace qlab
