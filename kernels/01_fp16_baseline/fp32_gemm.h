// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp32_gemm: Y = X · Wᵀ in FP32: what a rounding of weights or activations is measured against.
///
/// Bottleneck   M = 1: reading W; large M: the multiply-add units
/// Bytes moved  read 4·N·K (W) + 4·M·K (X), written 4·M·N (Y)
/// FLOPs        2·M·N·K
/// Teaches      nothing new: it is the ruler, and shares its loops with fp16_gemm
/// Leaves out   everything: no engine serves a model in FP32
#pragma once

#include <cstdint>

#include "common/contract.h"
#include "common/isa.h"

namespace qlab {

/// Y[m, n] = Σₖ X[m, k] · W[n, k], products and sums in FP32, in any order.
///
/// \param X  [M, K]
/// \param W  [N, K]
/// \param Y  [M, N] written in full, nothing outside it
/// \throws ContractError when a shape does not fit.
void fp32_gemm(MatrixView<const float> X, MatrixView<const float> W, MatrixView<float> Y,
               const Machine& machine);

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost fp32_gemm_cost(std::int64_t M, std::int64_t N, std::int64_t K) {
  return {.bytes = 4 * N * K + 4 * M * K + 4 * M * N, .flops = 2 * M * N * K};
}

/// The oracle: the value in double, and Σ|x||w|. Tolerance: 2·√K·2⁻²⁴·abs_sum + 2⁻²⁴·abs_sum (the
/// products round too).
void fp32_gemm_ref(MatrixView<const float> X, MatrixView<const float> W, MatrixView<double> value,
                   MatrixView<double> abs_sum);

/// Rung 1: both operands have K contiguous, so the inner loop walks two rows in step.
void fp32_gemm_v1_scalar(MatrixView<const float> X, MatrixView<const float> W, MatrixView<float> Y,
                         ThreadPool& threads);
#if QLAB_X86
/// Rung 2: the loops of common/gemm_avx2.h, where a FP32 operand widens by a plain load.
void fp32_gemm_v2_avx2(MatrixView<const float> X, MatrixView<const float> W, MatrixView<float> Y,
                       ThreadPool& threads);
#endif

inline constexpr Rung<decltype(fp32_gemm_v1_scalar)> kFp32GemmRungs[] = {
    {.name = "v1_scalar", .run = fp32_gemm_v1_scalar, .needs = Isa::kScalar},
#if QLAB_X86
    {.name = "v2_avx2", .run = fp32_gemm_v2_avx2, .needs = Isa::kAvx2},
#endif
};

}  // namespace qlab
