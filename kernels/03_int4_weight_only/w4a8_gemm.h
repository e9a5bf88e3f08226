// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a8_gemm: INT8 activations times 4-bit weights, multiplied as integers group by group.
///
/// This is W4A8, not weight-only INT4: the activations are rounded to INT8 too, so its quality is
/// that of both roundings and has to be measured as such. w4a16_gemm rounds the weights alone.
///
/// Bottleneck   M = 1: reading 4.2 bits a weight, for a group costs a few dozen instructions; large
///              M: the integer units, and where groups are short the scaling of their sums
/// Bytes moved  read N·⌈K/2⌉ + 3·N·⌈K/group_size⌉ (W) + M·K + 4·M (X), written 4·M·N (Y)
/// FLOPs        2·M·N·K integer operations; for each group of a product one FP32 multiply-add
/// Teaches      codes are multiplied as they are: nothing is dequantized but the sum of a group
/// Leaves out   where the codes come from (quantize_rows, quantize_int4_rtn); FP16 activations
///              (w4a16_gemm); scales of X that change along K
#pragma once

#include <cstdint>

#include "02_int8_calibration/w8a8_gemm.h"
#include "03_int4_weight_only/int4_panels.h"
#include "common/contract.h"
#include "common/isa.h"

namespace qlab {

/// The longest group. Its sum starts at -zero_point · Σx and adds code · x: both stay within
/// 128 · 15 · length, together below 2³¹. (A row of more weights than that has more groups.)
inline constexpr std::int64_t kW4A8MaxGroup = 524'287;

/// Y[m, n] = X.scale[m] · Σ_g scale[n, g] · Σ_{k in g} X.codes[m, k] · (code[n, k] - zero[n, g]).
///
/// The sum of a group is an exact integer. In FP32 it is rounded (which it needs only from 2²⁴ on)
/// and added, times its scale, to those of the groups before it: in the order of g, by fused
/// multiply-adds. So every rung and every number of threads give the same bits. Sources: Zhao et
/// al., "Atom", 2024 (a group is summed in integers, then scaled); Dettmers et al.,
/// "LLM.int8()", 2022, section 2 (a scale a token).
///
/// \param X  [M, K] activations as quantize_rows makes them: a scale a token, no zero points
/// \param W  [N, K] in 4 bits, packed once by pack_panels
/// \param Y  [M, N] written in full, nothing outside it
/// \throws ContractError when a shape does not fit, X has zero points, or a group is longer than
///         kW4A8MaxGroup.
void w4a8_gemm(const Int8Rows& X, const Int4Panels& W, MatrixView<float> Y, const Machine& machine);

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost w4a8_gemm_cost(std::int64_t M, std::int64_t N, std::int64_t K,
                              std::int64_t group_size) {
  return {
      .bytes = N * ((K + 1) / 2) + 3 * N * int4_groups(K, group_size) + M * K + 4 * M + 4 * M * N,
      .flops = 2 * M * N * K};
}

/// The oracle: reads the weights as they were before packing, sums groups in int64 and the rest in
/// double. abs_sum is X.scale[m] · Σ_g scale[n, g] · |sum of g|.
///
/// Tolerance of one element, with G groups: (2·√G + 2) · 2⁻²⁴ · abs_sum. Each of the G fused
/// multiply-adds rounds once; the sum of a group and the product with X.scale may round once more.
/// 0 where the scales are powers of two and the sums, in units of the smallest one, are below 2²⁴.
void w4a8_gemm_ref(const Int8Rows& X, const Int4Weights& W, MatrixView<double> value,
                   MatrixView<double> abs_sum);

// The ladder. The portable rung reads the packed weights as well, so a call never repacks.
/// Rung 1: a group is summed in int32 and meets its scale once.
void w4a8_gemm_v1_scalar(const Int8Rows& X, const Int4Panels& W, MatrixView<float> Y,
                         ThreadPool& threads);
#if QLAB_X86
/// Rung 2: vpmaddubsw multiplies unsigned by signed bytes and adds two products to an int16. Codes
/// of 8 bits saturate it, 2 · 255 · 127, so w8a8_gemm widens them first; a code of 4 bits leaves 2
/// · 15 · 128 = 3840, and even eight such sums fit: 30720. So the sums go on to 32 bits only every
/// 32 k.
void w4a8_gemm_v2_avx2(const Int8Rows& X, const Int4Panels& W, MatrixView<float> Y,
                       ThreadPool& threads);
/// Rung 3: vpdpbusd multiplies unsigned by signed bytes: the codes of W are the one and those of X
/// the other, so neither needs an offset. The zero point leaves the sum, Σ x · (w - z) = Σ x · w -
/// z · Σ x, and is its start value.
void w4a8_gemm_v3_vnni(const Int8Rows& X, const Int4Panels& W, MatrixView<float> Y,
                       ThreadPool& threads);
/// Rung 4: tiles of 16 rows times 16 columns. Both operands are signed, so the zero point is taken off
/// the codes, 64 at a time, when a group is unpacked for all rows of X.
void w4a8_gemm_v4_amx(const Int8Rows& X, const Int4Panels& W, MatrixView<float> Y,
                      ThreadPool& threads);
#endif

inline constexpr Rung<decltype(w4a8_gemm_v1_scalar)> kW4A8GemmRungs[] = {
    {.name = "v1_scalar", .run = w4a8_gemm_v1_scalar, .needs = Isa::kScalar},
#if QLAB_X86
    {.name = "v2_avx2", .run = w4a8_gemm_v2_avx2, .needs = Isa::kAvx2},
    {.name = "v3_vnni", .run = w4a8_gemm_v3_vnni, .needs = Isa::kAvx512Vnni},
    {.name = "v4_amx", .run = w4a8_gemm_v4_amx, .needs = Isa::kAmx},
#endif
};

}  // namespace qlab
