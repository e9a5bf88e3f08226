// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm: INT8 weights times INT8 activations, summed in int32, scaled once at the end.
///
/// Bottleneck   M = 1: reading the weights, half of FP16's bytes; large M: the integer units
/// Bytes moved  read N·K (W) + 4·N (its scales) + M·K (X) + 4·M, written 4·M·N (Y)
/// FLOPs        2·M·N·K integer operations
/// Teaches      scales and zero points that are constant along K leave the sum; the sum itself has no
///              rounding
/// Leaves out   where the codes come from (quantize_rows); weights packed ahead of time
#pragma once

#include <cstdint>

#include "common/contract.h"
#include "common/isa.h"

namespace qlab {

/// One operand in INT8: real = scale[row] · (code - zero_point[row]).
struct Int8Rows {
  MatrixView<const std::int8_t> codes;       // [rows, K]  any; quantize_rows leaves out -128
  const float* scale;                        // [rows]     > 0
  const std::int32_t* zero_point = nullptr;  // [rows]     -128 … 127; null: all 0. For X only

  /// The zero point of a row; 0 where there are none.
  std::int32_t zero(std::int64_t row) const { return zero_point == nullptr ? 0 : zero_point[row]; }
};

/// The longest sum that surely fits in int32: K · 128 · 128 < 2³¹; with zero points a code and its
/// zero point are up to 255 apart, K · 255 · 128 < 2³¹.
inline constexpr std::int64_t kW8A8MaxK = 131'071;
inline constexpr std::int64_t kW8A8MaxKWithZeroPoints = 65'793;

/// The exercise: this is written by the learner, and linked from labs/ or solutions/.
namespace exercise {

/// The product below on one thread, from unsigned times signed bytes, as vpdpbusd multiplies them.
/// \throws ContractError as check_w8a8.
void w8a8_gemm(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y);

}  // namespace exercise

/// Y[m, n] = X.scale[m] · W.scale[n] · Σₖ (X.codes[m, k] - X.zero_point[m]) · W.codes[n, k].
///
/// The zero point leaves the sum: what is computed is Σₖ X.codes · W.codes - X.zero_point[m] · Σₖ
/// W.codes[n, k], which is the same integer. The sum is exact; the epilogue rounds three times in
/// FP32: int32 to float, and two products. Sources: Dettmers et al., "LLM.int8()", 2022, section 2
/// (a scale a token and a channel); Jacob et al., "Quantization and Training of Neural Networks",
/// 2018, section 2.3 (zero points).
///
/// \param X  [M, K] activations, a scale and perhaps a zero point for each token
/// \param W  [N, K] weights, a scale for each output channel, no zero points
/// \param Y  [M, N] written in full, nothing outside it
/// \throws ContractError as check_w8a8.
void w8a8_gemm(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y, const Machine& machine);

/// \throws ContractError when a shape does not fit, W has zero points, one of X is no code, or K is
///         above kW8A8MaxK (with zero points: kW8A8MaxKWithZeroPoints).
void check_w8a8(const Int8Rows& X, const Int8Rows& W, MatrixView<const float> Y);

/// The part of it that is about X, for `operation`, whose sums are over K of X.
void check_w8a8_activations(const char* operation, const Int8Rows& X);

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost w8a8_gemm_cost(std::int64_t M, std::int64_t N, std::int64_t K) {
  return {.bytes = N * K + 4 * N + M * K + 4 * M + 4 * M * N, .flops = 2 * M * N * K};
}

/// The oracle: int64 sums of (code - zero point) · code, the epilogue in double. Tolerance: 4 · 2⁻²⁴ ·
/// |value|; 0 where the scales are powers of two and the sum is below 2²⁴.
void w8a8_gemm_ref(const Int8Rows& X, const Int8Rows& W, MatrixView<double> value);

// The ladder. A rung splits the columns of Y among the threads, and finds the column sums of W that
// zero points need.
/// Rung 1: the definition: products of codes summed in int32; zero points and scales, which are
/// constant along K, are applied to the sum.
void w8a8_gemm_v1_scalar(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y,
                         ThreadPool& threads);
#if QLAB_X86
/// Rung 2: codes widened to int16 meet in vpmaddwd, exactly, 16 at a time; a tile of rows of X and
/// rows of W uses each widened code several times.
void w8a8_gemm_v2_avx2(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y,
                       ThreadPool& threads);
/// Rung 3: twice the lanes and twice the registers: 32 codes a vpmaddwd, and a tile of 4 · 6 sums
/// instead of 4 · 2, so that each widened row of W serves as often and each of X three times as
/// often; a masked load takes the end of a row as it is.
void w8a8_gemm_v3_avx512(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y,
                         ThreadPool& threads);
/// Rung 4: vpdpbusd adds four products of an unsigned and a signed byte to an int32, exactly. X
/// gets 128 added to be unsigned, which is a zero point like any other and leaves the sum as one: Σ
/// (x - z) · w = Σ (x + 128) · w - (128 + z) · Σ w. A row of ones on top of X yields Σ w.
void w8a8_gemm_v4_vnni(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y,
                       ThreadPool& threads);
#endif

inline constexpr Rung<decltype(w8a8_gemm_v1_scalar)> kW8A8GemmRungs[] = {
    {.name = "v1_scalar", .run = w8a8_gemm_v1_scalar, .needs = Isa::kScalar},
#if QLAB_X86
    {.name = "v2_avx2", .run = w8a8_gemm_v2_avx2, .needs = Isa::kAvx2},
    {.name = "v3_avx512", .run = w8a8_gemm_v3_avx512, .needs = Isa::kAvx512},
    {.name = "v4_vnni", .run = w8a8_gemm_v4_vnni, .needs = Isa::kAvx512Vnni},
#endif
};

}  // namespace qlab
