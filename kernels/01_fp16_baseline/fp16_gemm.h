// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_gemm: Y = X · Wᵀ with FP16 (or BF16) operands and FP32 sums; at M = 1 the GEMV of decode.
///
/// Bottleneck   M = 1: reading W, one multiply-add for 2 bytes; large M: the multiply-add units
/// Bytes moved  read 2·N·K (W) + 2·M·K (X), written 4·M·N (Y)
/// FLOPs        2·M·N·K
/// Teaches      the baseline that every lower precision is measured against
/// Leaves out   weights stored ahead of time in the order of the registers (the CPU kernels module)
#pragma once

#include <cstdint>

#include "common/contract.h"
#include "common/formats.h"
#include "common/isa.h"

namespace qlab {

/// The exercise: this is written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// The product below on one thread, in blocks: a weight is loaded and widened once for many rows of X.
void fp16_gemm(MatrixView<const half_t> X, MatrixView<const half_t> W, MatrixView<float> Y);

}  // namespace exercise

/// Y[m, n] = Σₖ X[m, k] · W[n, k], summed in FP32 in any order.
///
/// A product of two FP16 (or BF16) values is exact in FP32, so only the sums round. Inputs finite,
/// output finite: an overflow of FP32 is the caller's.
///
/// \param X  [M, K] activations, one token a row
/// \param W  [N, K] weights, one output channel a row: K is contiguous in both operands
/// \param Y  [M, N] written in full, nothing outside it
/// \throws ContractError when a shape does not fit.
void fp16_gemm(MatrixView<const half_t> X, MatrixView<const half_t> W, MatrixView<float> Y,
               const Machine& machine);
/// The same with BF16 operands.
void bf16_gemm(MatrixView<const bf16_t> X, MatrixView<const bf16_t> W, MatrixView<float> Y,
               const Machine& machine);

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost fp16_gemm_cost(std::int64_t M, std::int64_t N, std::int64_t K) {
  return {.bytes = 2 * N * K + 2 * M * K + 4 * M * N, .flops = 2 * M * N * K};
}

/// The oracle: the value in double, and Σ|x||w|, which the tolerance is derived from.
/// Tolerance of one element: 2·√K·2⁻²⁴·abs_sum (FP32 sums in any order).
void fp16_gemm_ref(MatrixView<const half_t> X, MatrixView<const half_t> W, MatrixView<double> value,
                   MatrixView<double> abs_sum);
/// The same with BF16 operands.
void bf16_gemm_ref(MatrixView<const bf16_t> X, MatrixView<const bf16_t> W, MatrixView<double> value,
                   MatrixView<double> abs_sum);

// The ladder. A rung splits the columns of Y among the threads.
/// Rung 1: narrow operands are widened where they are used; the one sum is FP32.
void fp16_gemm_v1_scalar(MatrixView<const half_t> X, MatrixView<const half_t> W,
                         MatrixView<float> Y, ThreadPool& threads);
/// Rung 1: narrow operands are widened where they are used; the one sum is FP32.
void bf16_gemm_v1_scalar(MatrixView<const bf16_t> X, MatrixView<const bf16_t> W,
                         MatrixView<float> Y, ThreadPool& threads);
#if QLAB_X86
/// Rung 2: the loops of common/gemm_avx2.h; FP16 widens by vcvtph2ps, BF16 by a shift.
void fp16_gemm_v2_avx2(MatrixView<const half_t> X, MatrixView<const half_t> W, MatrixView<float> Y,
                       ThreadPool& threads);
/// Rung 2: the loops of common/gemm_avx2.h; FP16 widens by vcvtph2ps, BF16 by a shift.
void bf16_gemm_v2_avx2(MatrixView<const bf16_t> X, MatrixView<const bf16_t> W, MatrixView<float> Y,
                       ThreadPool& threads);
#endif

inline constexpr Rung<decltype(fp16_gemm_v1_scalar)> kFp16GemmRungs[] = {
    {.name = "v1_scalar", .run = fp16_gemm_v1_scalar, .needs = Isa::kScalar},
#if QLAB_X86
    {.name = "v2_avx2", .run = fp16_gemm_v2_avx2, .needs = Isa::kAvx2},
#endif
};
inline constexpr Rung<decltype(bf16_gemm_v1_scalar)> kBf16GemmRungs[] = {
    {.name = "v1_scalar", .run = bf16_gemm_v1_scalar, .needs = Isa::kScalar},
#if QLAB_X86
    {.name = "v2_avx2", .run = bf16_gemm_v2_avx2, .needs = Isa::kAvx2},
#endif
};

}  // namespace qlab
