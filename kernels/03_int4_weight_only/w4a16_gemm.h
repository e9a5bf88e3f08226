// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm: FP16 activations times 4-bit weights, dequantized on the way to the multiply.
///
/// Bottleneck   M = 1: unpacking, until enough cores share the memory for reading 4.2 bits a weight
///              to take over; large M: the multiply-add units as in fp16_gemm, plus the unpacking:
///              fewer bytes buy nothing there
/// Bytes moved  read N·⌈K/2⌉ + 3·N·⌈K/group_size⌉ (W) + 2·M·K (X), written 4·M·N (Y)
/// FLOPs        2·M·N·K, and 2·N·K to dequantize
/// Teaches      why weight-only pays in decode and may not in prefill
/// Leaves out   a weight order made for the vector unit; INT8 activations (W4A8)
#pragma once

#include <cstdint>

#include "03_int4_weight_only/int4_weights.h"
#include "common/contract.h"
#include "common/formats.h"
#include "common/isa.h"

namespace qlab {

/// Y[m, n] = Σₖ X[m, k] · scale[n, g] · (code[n, k] - zero_point[n, g]), g = k / group_size.
///
/// The dequantized weight is exact in FP32 (5 bits times 11), its product with an FP16 value is not
/// always (27 bits), so products and sums round in FP32. Inputs finite, output finite.
/// Source: Frantar et al., "MARLIN", 2024, section 3, for the memory-bound case M ≤ 16.
///
/// \param X  [M, K] activations, one token a row
/// \param W  [N, K] in 4 bits
/// \param Y  [M, N] written in full, nothing outside it
/// \throws ContractError when a shape does not fit.
void w4a16_gemm(MatrixView<const half_t> X, const Int4Weights& W, MatrixView<float> Y,
                const Machine& machine);

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost w4a16_gemm_cost(std::int64_t M, std::int64_t N, std::int64_t K,
                               std::int64_t group_size) {
  return {.bytes = N * ((K + 1) / 2) + 3 * N * int4_groups(K, group_size) + 2 * M * K + 4 * M * N,
          .flops = 2 * M * N * K};
}

/// The oracle: dequantizes and multiplies in double; abs_sum is Σ|x||w|.
/// Tolerance of one element: 2·√K·2⁻²⁴·abs_sum + 2⁻²⁴·abs_sum (the products round too).
void w4a16_gemm_ref(MatrixView<const half_t> X, const Int4Weights& W, MatrixView<double> value,
                    MatrixView<double> abs_sum);

/// Rung 1: a weight is dequantized where it is used: W is never widened in memory.
void w4a16_gemm_v1_scalar(MatrixView<const half_t> X, const Int4Weights& W, MatrixView<float> Y,
                          ThreadPool& threads);
#if QLAB_X86
/// Rung 2: code - zero_point is a byte. Moved to the top of a 32-bit lane it becomes a float by one
/// conversion, and its product with an FP16 value is exact. A group is summed like that and scaled
/// once, so eight weights cost four instructions.
void w4a16_gemm_v2_avx2(MatrixView<const half_t> X, const Int4Weights& W, MatrixView<float> Y,
                        ThreadPool& threads);
/// Rung 3: a group holds 16 different weights, and 16 floats fit one register: vpermps replaces 16
/// codes by their weights at once, and takes no notice of the bits above a code.
void w4a16_gemm_v3_avx512(MatrixView<const half_t> X, const Int4Weights& W, MatrixView<float> Y,
                          ThreadPool& threads);
#endif

inline constexpr Rung<decltype(w4a16_gemm_v1_scalar)> kW4A16GemmRungs[] = {
    {.name = "v1_scalar", .run = w4a16_gemm_v1_scalar, .needs = Isa::kScalar},
#if QLAB_X86
    {.name = "v2_avx2", .run = w4a16_gemm_v2_avx2, .needs = Isa::kAvx2},
    {.name = "v3_avx512", .run = w4a16_gemm_v3_avx512, .needs = Isa::kAvx512},
#endif
};

}  // namespace qlab
