// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_panel_gemm: the product of w4a16_gemm with weights packed ahead of time.
///
/// Bottleneck   M = 1: reading 4.2 bits a weight, once unpacking is a few instructions for 64 weights;
///              large M: the multiply-add units, and the scaling of the sums of short groups
/// Bytes moved  read N·⌈K/2⌉ + 3·N·⌈K/group_size⌉ (W) + 2·M·K (X), written 4·M·N (Y)
/// FLOPs        2·M·N·K; for each group of a product one FP32 multiply-add
/// Teaches      a code minus its zero point is a small integer, exact in every format: what is multiplied
///              are integers, and the scale meets the sum of a group
/// Leaves out   activations in INT8 (w4a8_gemm)
#pragma once

#include <cstdint>

#include "03_int4_weight_only/int4_panels.h"
#include "03_int4_weight_only/w4a16_gemm.h"
#include "common/contract.h"
#include "common/formats.h"
#include "common/isa.h"

namespace qlab {

/// Y[m, n] = Σ_g scale[n, g] · Σ_{k in g} X[m, k] · (code[n, k] - zero_point[n, g]); bytes and FLOPs as
/// w4a16_gemm_cost, and the oracle and its tolerance are w4a16_gemm_ref's.
///
/// X is not rounded: FP16 times a code is exact in FP32, and sums round in FP32.
///
/// \param X  [M, K] activations, one token a row
/// \param W  [N, K] in 4 bits, packed once by pack_panels
/// \param Y  [M, N] written in full, nothing outside it
/// \throws ContractError when a shape does not fit.
void w4a16_panel_gemm(MatrixView<const half_t> X, const Int4Panels& W, MatrixView<float> Y,
                      const Machine& machine);

// The ladder. A rung splits the panels among the threads.
/// Rung 1: a group is summed as products of X and integers, and meets its scale once.
void w4a16_panel_gemm_v1_scalar(MatrixView<const half_t> X, const Int4Panels& W,
                                MatrixView<float> Y, ThreadPool& threads);
#if QLAB_X86
/// Rung 2: eight columns in a register; a weight is unpacked once for 3 rows.
void w4a16_panel_gemm_v2_avx2(MatrixView<const half_t> X, const Int4Panels& W, MatrixView<float> Y,
                              ThreadPool& threads);
/// Rung 3: vpermps turns sixteen codes into floats, whatever stands above them; a weight is unpacked
/// once for 12 rows.
void w4a16_panel_gemm_v3_avx512(MatrixView<const half_t> X, const Int4Panels& W,
                                MatrixView<float> Y, ThreadPool& threads);
/// Rung 4: one or two rows: codes become floats where they lie, in two instructions for sixteen.
void w4a16_panel_gemm_v4_magic(MatrixView<const half_t> X, const Int4Panels& W, MatrixView<float> Y,
                               ThreadPool& threads);
/// Rung 5: vpermw makes 32 numbers of BF16 out of codes, and tiles multiply them; X is the sum of two
/// numbers of BF16.
void w4a16_panel_gemm_v5_amx(MatrixView<const half_t> X, const Int4Panels& W, MatrixView<float> Y,
                             ThreadPool& threads);
#endif

inline constexpr Rung<decltype(w4a16_panel_gemm_v1_scalar)> kW4A16PanelGemmRungs[] = {
    {.name = "v1_scalar", .run = w4a16_panel_gemm_v1_scalar, .needs = Isa::kScalar},
#if QLAB_X86
    {.name = "v2_avx2", .run = w4a16_panel_gemm_v2_avx2, .needs = Isa::kAvx2},
    {.name = "v3_avx512", .run = w4a16_panel_gemm_v3_avx512, .needs = Isa::kAvx512},
    {.name = "v4_magic", .run = w4a16_panel_gemm_v4_magic, .needs = Isa::kAvx512},
    {.name = "v5_amx", .run = w4a16_panel_gemm_v5_amx, .needs = Isa::kAmx},
#endif
};

}  // namespace qlab
