// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_panel_gemm, bf16_panel_gemm: the products of fp16_gemm with weights packed ahead of time.
///
/// Bottleneck   M = 1: reading the weights; large M: the multiply-add units
/// Bytes moved  read 2·N·K (W) + 2·M·K (X), written 4·M·N (Y)
/// FLOPs        2·M·N·K
/// Teaches      what an order made for the registers is worth: the sums of 32 columns stand in lanes, so
///              nothing is ever summed across, and W is one stream
/// Leaves out   packing in the call: it would cost more than a decode step gains (pack_panels)
#pragma once

#include <cstdint>

#include "01_fp16_baseline/fp16_gemm.h"
#include "common/contract.h"
#include "common/formats.h"
#include "common/isa.h"
#include "common/panels.h"

namespace qlab {

/// Y[m, n] = Σₖ X[m, k] · W[n, k], summed in FP32 in any order; bytes and FLOPs as fp16_gemm_cost, and
/// the oracle and its tolerance are fp16_gemm_ref's.
///
/// \param X  [M, K] activations, one token a row
/// \param W  [N, K] weights, packed once by pack_panels
/// \param Y  [M, N] written in full, nothing outside it
/// \throws ContractError when a shape does not fit.
void fp16_panel_gemm(MatrixView<const half_t> X, const Panels<half_t>& W, MatrixView<float> Y,
                     const Machine& machine);
/// The same with BF16 operands. On avx512_bf16 and amx, whose instructions do so, subnormal numbers of
/// BF16 (below 2⁻¹²⁶) count as 0.
void bf16_panel_gemm(MatrixView<const bf16_t> X, const Panels<bf16_t>& W, MatrixView<float> Y,
                     const Machine& machine);

// The ladder. A rung splits the panels among the threads.
/// Rung 1: as the panels lie: for each k, 32 products and 32 sums.
void fp16_panel_gemm_v1_scalar(MatrixView<const half_t> X, const Panels<half_t>& W,
                               MatrixView<float> Y, ThreadPool& threads);
/// Rung 1: as the panels lie: for each k, 32 products and 32 sums.
void bf16_panel_gemm_v1_scalar(MatrixView<const bf16_t> X, const Panels<bf16_t>& W,
                               MatrixView<float> Y, ThreadPool& threads);
#if QLAB_X86
/// Rung 2: the sums of 3 rows and 32 columns in 12 registers; each weight is widened once for them.
void fp16_panel_gemm_v2_avx2(MatrixView<const half_t> X, const Panels<half_t>& W,
                             MatrixView<float> Y, ThreadPool& threads);
/// Rung 2: the sums of 3 rows and 32 columns in 12 registers; each weight is widened once for them.
void bf16_panel_gemm_v2_avx2(MatrixView<const bf16_t> X, const Panels<bf16_t>& W,
                             MatrixView<float> Y, ThreadPool& threads);
/// Rung 3: with 32 registers of 16 lanes a weight serves 12 rows once it is widened.
void fp16_panel_gemm_v3_avx512(MatrixView<const half_t> X, const Panels<half_t>& W,
                               MatrixView<float> Y, ThreadPool& threads);
/// Rung 3: with 32 registers of 16 lanes a weight serves 12 rows once it is widened.
void bf16_panel_gemm_v3_avx512(MatrixView<const bf16_t> X, const Panels<bf16_t>& W,
                               MatrixView<float> Y, ThreadPool& threads);
/// Rung 4, BF16 alone: vdpbf16ps multiplies pairs as they lie; nothing is widened.
void bf16_panel_gemm_v4_avx512bf16(MatrixView<const bf16_t> X, const Panels<bf16_t>& W,
                                   MatrixView<float> Y, ThreadPool& threads);
/// Rung 5: tiles of 16 rows times 16 columns; the panels are B as they lie.
void bf16_panel_gemm_v5_amx(MatrixView<const bf16_t> X, const Panels<bf16_t>& W,
                            MatrixView<float> Y, ThreadPool& threads);
/// Rung 5 for FP16, which AMX does not know: a number of 11 bits is the sum of two of 8, so four exact
/// products of BF16 are one of FP16.
void fp16_panel_gemm_v5_amx(MatrixView<const half_t> X, const Panels<half_t>& W,
                            MatrixView<float> Y, ThreadPool& threads);
#endif

inline constexpr Rung<decltype(fp16_panel_gemm_v1_scalar)> kFp16PanelGemmRungs[] = {
    {.name = "v1_scalar", .run = fp16_panel_gemm_v1_scalar, .needs = Isa::kScalar},
#if QLAB_X86
    {.name = "v2_avx2", .run = fp16_panel_gemm_v2_avx2, .needs = Isa::kAvx2},
    {.name = "v3_avx512", .run = fp16_panel_gemm_v3_avx512, .needs = Isa::kAvx512},
    {.name = "v5_amx", .run = fp16_panel_gemm_v5_amx, .needs = Isa::kAmx},
#endif
};
inline constexpr Rung<decltype(bf16_panel_gemm_v1_scalar)> kBf16PanelGemmRungs[] = {
    {.name = "v1_scalar", .run = bf16_panel_gemm_v1_scalar, .needs = Isa::kScalar},
#if QLAB_X86
    {.name = "v2_avx2", .run = bf16_panel_gemm_v2_avx2, .needs = Isa::kAvx2},
    {.name = "v3_avx512", .run = bf16_panel_gemm_v3_avx512, .needs = Isa::kAvx512},
    {.name = "v4_avx512bf16", .run = bf16_panel_gemm_v4_avx512bf16, .needs = Isa::kAvx512Bf16},
    {.name = "v5_amx", .run = bf16_panel_gemm_v5_amx, .needs = Isa::kAmx},
#endif
};

}  // namespace qlab
