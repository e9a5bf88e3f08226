// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm on CUDA GPUs: FP16 tokens times 4-bit weights, a ladder from one thread an output to
/// kernels that read little else than the codes, as fast as they can be read, and on to prompts.
///
/// Bottleneck   memory, once unpacking keeps up with it; for small matrices, the time until the first
///              bytes arrive; from some hundred tokens on the tensor cores
/// Bytes moved  read N·K/2 (codes) + 3·N·K/group_size (scales, zero points; 4 where they are packed)
///              + 2·M·K (X), written 2·M·N (Y)
/// FLOPs        2·M·N·K
/// Teaches      what each idea buys: wide loads, codes that become FP16 by their bits, an order of the
///              codes made for the instruction that takes them, bytes in flight, K split over blocks
/// Leaves out   launches that overlap (PDL); sums of FP32 for each group where tokens are many
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "03_int4_weight_only/int4_device.h"
#include "simt/enqueue.h"
#include "simt/rung.h"

namespace qlab {

inline constexpr int kInt4StripRows = 16;      // rows of W in a strip: of one mma
inline constexpr int kInt4TileK = 64;          // of K in a tile of a strip: 16 bytes a lane
inline constexpr int kW4A16MaxTokens = 64;     // of v5_mma
inline constexpr int kW4A16SkinnyTokens = 16;  // of v6_skinny
inline constexpr int kW4A16BlockRows = 128;    // of W that a block of v5_mma takes at once

/// The same weights in three orders, on the device; a rung reads one of them and leaves the others
/// alone, so what it does not read may be null. w4a16_gemm_cuda_pack.h makes them.
struct W4A16CudaWeights {
  Int4DeviceWeights rows;  // v1, v2  as they are stored; v3: its scales and zero points
  const uint4* pairs;      // v3      [N, K / 32]  eight codes a word, in pairs
  const uint4* fragments;  // from v4  [strips, tiles, 32]  a lane's words of four mmas
  const uint2* groups;     // from v4  [strips, tiles · 64 / group_size, 8]  of rows i, i + 8
  float* partial;          // v5      [w4a16_partial_floats(blocks)]  of one call at a time
  unsigned* arrived;       // v5      [w4a16_tickets(N)]  0 before a call, and 0 again after it
  int blocks;              // v5      that share the work: as many as the GPU holds at a time
};

/// Strips of 16 rows; the last one is filled up with weights that are 0.
__host__ __device__ constexpr int int4_strips(int N) {
  return (N + kInt4StripRows - 1) / kInt4StripRows;
}
/// Tiles of 64 columns, a multiple of 4; the last ones are filled up with codes that meet no x.
__host__ __device__ constexpr int int4_tiles(int K) { return (K + 255) / 256 * 4; }
/// A block leaves at most two sums unfinished: those of its first and its last rows.
constexpr std::size_t w4a16_partial_floats(int blocks) {
  return std::size_t{2} * static_cast<std::size_t>(blocks) * kW4A16BlockRows * kW4A16MaxTokens;
}
/// Rows that blocks may share: each has a counter of those that are done.
constexpr std::size_t w4a16_tickets(int N) {
  return static_cast<std::size_t>((N + kW4A16BlockRows - 1) / kW4A16BlockRows);
}

/// Y[m, n] = Σₖ X[m, k] · scale[n, g] · (code[n, k] - zero_point[n, g]), g = k / group_size, summed
/// in FP32 (v3_bits: in FP16 up to four) and rounded to FP16. Enqueues one kernel. v7_wgmma rounds
/// scale · (code - zero_point) to FP16, as if the weights had been dequantized ahead.
///
/// Inputs finite, output within FP16; v3_bits: |X| ≤ 1000, so that four products fit FP16.
///
/// \param W  [N, K] weights
/// \param X  [M, K] activations, 16-byte aligned; M = 1, for v5_mma 1 … 64, for v6_skinny 1 … 16, for v7_wgmma any
/// \param Y  [M, N] written in full, nothing outside it
/// \throws ContractError unless N ≥ 1, for v7_wgmma a multiple of 8, K is a multiple of group_size,
///         group_size is 32, 64 or 128 and operands are aligned.
using W4A16Cuda = void(const W4A16CudaWeights& W, const half* X, half* Y, int M, int N, int K,
                       Stream stream);

/// Rung 1: a thread takes a row, and its codes one after the other by shift and mask.
W4A16Cuda w4a16_gemm_cuda_v1_nibbles;
/// Rung 2: a warp takes a row, a lane 32 codes by one load; a group's scale comes last.
W4A16Cuda w4a16_gemm_cuda_v2_warp;
/// Rung 3: two codes become two halves by one lop3 and one HFMA2, and meet two of X in another.
W4A16Cuda w4a16_gemm_cuda_v3_bits;
/// Rung 4: all codes of a warp are asked for before the first is used; tensor cores add up in FP32.
W4A16Cuda w4a16_gemm_cuda_v4_in_flight;
/// Rung 5: up to 64 tokens share one read; blocks get equal shares of the work, whole rows or not.
W4A16Cuda w4a16_gemm_cuda_v5_mma;
/// Rung 6: up to 16 tokens; whole rows again, each warp copies for itself and waits for no other.
W4A16Cuda w4a16_gemm_cuda_v6_skinny;
/// Rows of W that it gives a block, so that no multiprocessor of this GPU has many more than others.
int w4a16_skinny_rows(int M, int N, int group_size);
/// Rung 7: hundreds of tokens; wgmma takes the weights from registers, where codes become FP16.
W4A16Cuda w4a16_gemm_cuda_v7_wgmma;

/// The ladder, slowest first, but v5_mma and v7_wgmma are for more tokens than others take.
inline constexpr CudaRung<W4A16Cuda> kW4A16CudaRungs[] = {
    {"v1_nibbles", w4a16_gemm_cuda_v1_nibbles, kAnyGpu, 1},
    {"v2_warp", w4a16_gemm_cuda_v2_warp, kAnyGpu, 1},
    {"v3_bits", w4a16_gemm_cuda_v3_bits, kAnyGpu, 1},
    {"v4_in_flight", w4a16_gemm_cuda_v4_in_flight, kAnyGpu, 1},
    {"v5_mma", w4a16_gemm_cuda_v5_mma, kAnyGpu, kW4A16MaxTokens},
    {"v6_skinny", w4a16_gemm_cuda_v6_skinny, kAnyGpu, kW4A16SkinnyTokens},
#if defined(__CUDACC__)
    {"v7_wgmma", w4a16_gemm_cuda_v7_wgmma, kHopper},
#endif
};

/// The rung for M tokens on a GPU of this compute capability, 10 · major + minor; it may take fewer of
/// them in a call.
constexpr CudaRung<W4A16Cuda> w4a16_gemm_cuda_for(int M, int capability) {
#if defined(__CUDACC__)
  if (M > kW4A16MaxTokens && capability == kHopper) return kW4A16CudaRungs[6];
#endif
  // v6_skinny shares more memory in a block than 8.6, 8.9 and 12.0 have.
  const bool skinny = M <= kW4A16SkinnyTokens &&
                      (capability == kAnyGpu || (capability >= kHopper && capability < 120));
  return kW4A16CudaRungs[M == 1 ? 3 : skinny ? 5 : 4];
}

/// Bytes that any order of the weights has at least, X and Y; operations.
constexpr Cost w4a16_gemm_cuda_cost(std::int64_t M, std::int64_t N, std::int64_t K,
                                    std::int64_t group_size) {
  return {.bytes = N * K / 2 + 3 * N * (K / group_size) + 2 * M * (N + K), .flops = 2 * M * N * K};
}

/// Allowed error of a sum in FP32, as a factor of Σ|x||w|, before Y is rounded to FP16.
///
/// A product of x and code - zero_point is exact. Then at most 18 operations for each of the
/// group_size / 16 mmas of its group round it (as in w4a16_gemm_mma_error; v1 and v2 need fewer, one a
/// code), one fused multiply-add for each group, or each 64 of K in v6, and one addition for each partial
/// sum: of 16 warps in v4, of eight in v6, of five shuffles in v2 and v3, of fewer than 64 blocks that
/// share rows in v5. Each loses up to u = 2⁻²³ of a value that is no more than Σ|x||w|;
/// γₙ = n·u / (1 - n·u) for n operations.
constexpr double w4a16_gemm_cuda_error(std::int64_t K, std::int64_t group_size) {
  const double n =
      static_cast<double>(18 * (group_size / 16) + K / std::min<std::int64_t>(group_size, 64) + 64);
  return n * 0x1p-23 / (1 - n * 0x1p-23);
}
/// What v3_bits adds to that: a product and three sums round to FP16, each by 2⁻¹¹ (γ₄), or by 2⁻²⁵
/// where they are subnormal, before the scale.
inline constexpr double kW4A16Fp16Error = 4 * 0x1p-11 / (1 - 4 * 0x1p-11);

/// For v7_wgmma instead, by the same reasoning: one addition to the sum for each of 16 columns, with
/// what its mma rounds, 18 in all. Beside it a weight is rounded to FP16: by 2⁻¹¹ of it, or by 2⁻²⁵
/// where it is subnormal.
constexpr double w4a16_gemm_cuda_prefill_error(std::int64_t K) {
  const double n = static_cast<double>(18 * ((K + 15) / 16));
  return n * 0x1p-23 / (1 - n * 0x1p-23);
}
inline constexpr double kW4A16RoundedWeight = 0x1p-11, kW4A16SubnormalWeight = 0x1p-25;

/// What all rungs refuse, of W [N, K] and X [M, K]. most_tokens: of the rung.
inline void check_w4a16_cuda(const char* operation, const W4A16CudaWeights& W, const half* X, int M,
                             int N, int K, int most_tokens) {
  const int group_size = W.rows.group_size;
  QLAB_CHECK(M >= 1 && M <= most_tokens, operation, ": M is ", M, ", expected 1 to ", most_tokens,
             " tokens; call it for so many at a time");
  QLAB_CHECK(N >= 1, operation, ": N is ", N, "; a matrix has at least one row");
  QLAB_CHECK(group_size == 32 || group_size == 64 || group_size == 128, operation,
             ": group_size is ", group_size, "; quantize with 32, 64 or 128");
  QLAB_CHECK(K >= group_size && K % group_size == 0, operation, ": K is ", K,
             ", expected a multiple of group_size, ", group_size, "; pad the rows");
  check_aligned(operation, "X", X);
}

}  // namespace qlab
