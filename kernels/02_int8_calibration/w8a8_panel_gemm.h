// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_panel_gemm: the product of w8a8_gemm with weights packed ahead of time.
///
/// Bottleneck   M = 1: reading the weights, half of FP16's bytes; large M: the integer units
/// Bytes moved  read N·K (W) + 8·N (its scales and sums) + M·K (X) + 4·M, written 4·M·N (Y)
/// FLOPs        2·M·N·K integer operations
/// Teaches      what can be known before the call is done before it: the order of the weights, and the
///              sum of each of their rows, which a zero point needs
/// Leaves out   scales that change along K (w4a8_gemm has groups)
#pragma once

#include <cstdint>
#include <vector>

#include "02_int8_calibration/w8a8_gemm.h"
#include "common/contract.h"
#include "common/isa.h"
#include "common/panels.h"

namespace qlab {

/// A view of packed weights [N, K]: real = scale[n] · code.
struct Int8Panels {
  Panels<std::int8_t> codes;
  const float* scale;        // [padded N]  > 0, zeros behind the last
  const std::int32_t* sums;  // [padded N]  Σₖ code[n, k]

  /// The first `rows` rows of W; a multiple of kPanelColumns, or all.
  Int8Panels first(std::int64_t rows) const { return {codes.first(rows), scale, sums}; }
};

/// The same, with its memory.
struct Int8PanelMatrix {
  /// Its parts, for as long as this lives.
  Int8Panels view() const { return {codes.view(), scale.data(), sums.data()}; }
  /// Bytes stored: codes, scales and sums, with their padding.
  std::int64_t bytes() const;

  PanelMatrix<std::int8_t> codes;
  std::vector<float> scale;
  std::vector<std::int32_t> sums;
};

/// Reorders W [N, K] and adds its rows up; nothing is rounded.
/// \throws ContractError when W has zero points, or K is above kW8A8MaxK.
Int8PanelMatrix pack_panels(const Int8Rows& W);

/// Y[m, n] = X.scale[m] · W.scale[n] · Σₖ (X.codes[m, k] - X.zero_point[m]) · W.codes[n, k]: the same
/// bits as w8a8_gemm, on every rung. The oracle and its tolerance are w8a8_gemm_ref's.
///
/// \param X  [M, K] activations, a scale and perhaps a zero point for each token
/// \param W  [N, K] weights, packed once by pack_panels
/// \param Y  [M, N] written in full, nothing outside it
/// \throws ContractError when a shape does not fit, a zero point is no code, or K is above kW8A8MaxK
///         (with zero points: kW8A8MaxKWithZeroPoints).
void w8a8_panel_gemm(const Int8Rows& X, const Int8Panels& W, MatrixView<float> Y,
                     const Machine& machine);

// The ladder. A rung splits the panels among the threads.
/// Rung 1: as the panels lie: for each k, 32 products and 32 sums.
void w8a8_panel_gemm_v1_scalar(const Int8Rows& X, const Int8Panels& W, MatrixView<float> Y,
                               ThreadPool& threads);
#if QLAB_X86
/// Rung 2: vpmaddwd multiplies codes that are widened to 16 bits; 3 rows share each widening.
void w8a8_panel_gemm_v2_avx2(const Int8Rows& X, const Int8Panels& W, MatrixView<float> Y,
                             ThreadPool& threads);
/// Rung 3: with 32 registers of twice the lanes, 6 rows share each widening.
void w8a8_panel_gemm_v3_avx512(const Int8Rows& X, const Int8Panels& W, MatrixView<float> Y,
                               ThreadPool& threads);
/// Rung 4: vpdpbusd multiplies the codes as they lie, 12 rows at a time; X gets 128 added to be
/// unsigned, and what that adds to a sum is known from the packing.
void w8a8_panel_gemm_v4_vnni(const Int8Rows& X, const Int8Panels& W, MatrixView<float> Y,
                             ThreadPool& threads);
/// Rung 5: tiles of 16 rows times 16 columns; both operands are signed, so nothing is added.
void w8a8_panel_gemm_v5_amx(const Int8Rows& X, const Int8Panels& W, MatrixView<float> Y,
                            ThreadPool& threads);
#endif

inline constexpr Rung<decltype(w8a8_panel_gemm_v1_scalar)> kW8A8PanelGemmRungs[] = {
    {.name = "v1_scalar", .run = w8a8_panel_gemm_v1_scalar, .needs = Isa::kScalar},
#if QLAB_X86
    {.name = "v2_avx2", .run = w8a8_panel_gemm_v2_avx2, .needs = Isa::kAvx2},
    {.name = "v3_avx512", .run = w8a8_panel_gemm_v3_avx512, .needs = Isa::kAvx512},
    {.name = "v4_vnni", .run = w8a8_panel_gemm_v4_vnni, .needs = Isa::kAvx512Vnni},
    {.name = "v5_amx", .run = w8a8_panel_gemm_v5_amx, .needs = Isa::kAmx},
#endif
};

}  // namespace qlab
