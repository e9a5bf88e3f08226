// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm_cuda: Y = X · Wᵀ of INT8 codes on a GPU, a scale a token and one a channel, in one kernel.
///
/// Bottleneck   M up to some hundred: reading W, half of FP16's bytes; beyond: the tensor cores, which do
///              twice as many INT8 products as FP16 ones
/// Bytes moved  read N·K (W) + 4·N + M·K (X) + 4·M, written 2·M·N (Y)
/// FLOPs        2·M·N·K integer operations
/// Teaches      scales in the epilogue: the sums are multiplied where they stand in registers. As a
///              second kernel they would be written and read again, four bytes each
/// Leaves out   zero points (w8a8_gemm); M = 1 by hand (w8a8_gemm_dp4a); codes of X
///              (quantize_rows_cuda)
///
/// Exercises that lead here: w8a8_gemm_dp4a, w8a8_gemm_imma.
#pragma once

#include <cstring>

#include "common/contract.h"
#include "simt/enqueue.h"
#include "simt/rung.h"

namespace qlab {

/// The largest K whose sums surely fit 32 bits: codes are at least -128.
inline constexpr int kW8A8CudaMaxK = 131'071;

/// Operands and result, on the device, codes and y 16-byte aligned.
struct W8A8Cuda {
  const std::int8_t* x;  ///< [M, K] codes of activations
  const float* x_scale;  ///< [M]
  const std::int8_t* w;  ///< [N, K] codes of weights
  const float* w_scale;  ///< [N]
  __nv_bfloat16* y;      ///< [M, N] written in full, nothing outside it
  int M, N, K;
};

/// Compulsory bytes and integer operations.
constexpr Cost w8a8_gemm_cuda_cost(std::int64_t M, std::int64_t N, std::int64_t K) {
  return {.bytes = N * K + M * K + 2 * M * N + 4 * (M + N), .flops = 2 * M * N * K};
}

/// y[m, n] = x_scale[m] · w_scale[n] · Σₖ x[m, k] · w[n, k], the sum exact, then two products in FP32 and
/// one rounding to BF16. All rungs have this form and give the same bits.
/// \throws ContractError when a side is below 1, M above what the rung takes, K no multiple of 16
///         or N none of 8 (rows are moved in pieces of 16 bytes), or K above kW8A8CudaMaxK;
///         simt::Error when the launch fails
using W8A8GemmCuda = void(const W8A8Cuda& product, Stream stream);

/// Rung 1: a thread an element of Y.
void w8a8_gemm_cuda_v1_naive(const W8A8Cuda& product, Stream stream);
/// Rung 2: tensor cores (mma.sync), while cp.async brings the next tiles.
void w8a8_gemm_cuda_v2_mma(const W8A8Cuda& product, Stream stream);
/// Rung 3: the copy engine, wgmma, and warps with roles.
void w8a8_gemm_cuda_v3_persistent(const W8A8Cuda& product, Stream stream);

/// Rung 4: up to 64 tokens: warps split K and read W, once, and hardly anything else happens.
void w8a8_gemm_cuda_v4_skinny(const W8A8Cuda& product, Stream stream);

/// Rung 5: v3's copies and products for some tens of tokens; blocks that share K add up their sums.
void w8a8_gemm_cuda_v5_split(const W8A8Cuda& product, Stream stream);

inline constexpr int kW8A8CudaSkinnyTokens = 64;  // that v4_skinny takes
inline constexpr int kW8A8CudaFewTokens = 16;     // for which, in small layers, it is the fastest
inline constexpr int kW8A8CudaSmallLayer = 8192;  // rows; of those measured 4096 were, 11008 not
inline constexpr int kW8A8CudaSplitTokens = 64;   // for which v5_split is faster than v3_persistent

inline constexpr CudaRung<W8A8GemmCuda> kW8A8GemmCudaRungs[] = {
    {"v1_naive", w8a8_gemm_cuda_v1_naive, kAnyGpu},
    {"v2_mma", w8a8_gemm_cuda_v2_mma, kAnyGpu},
#if defined(__CUDACC__)
    {"v3_persistent", w8a8_gemm_cuda_v3_persistent, kHopper},
#endif
    {"v4_skinny", w8a8_gemm_cuda_v4_skinny, kAnyGpu, kW8A8CudaSkinnyTokens},
#if defined(__CUDACC__)
    {"v5_split", w8a8_gemm_cuda_v5_split, kHopper},
#endif
};

/// The rung that is fastest for M tokens and N rows of W on a GPU of that compute capability,
/// 10 · major + minor.
constexpr W8A8GemmCuda* w8a8_gemm_cuda_for(int M, [[maybe_unused]] int N,
                                           [[maybe_unused]] int capability) {
#if defined(__CUDACC__)
  const bool skinny = M <= kW8A8CudaFewTokens && N < kW8A8CudaSmallLayer;
  if (capability == kHopper && !skinny) {
    return M <= kW8A8CudaSplitTokens ? w8a8_gemm_cuda_v5_split : w8a8_gemm_cuda_v3_persistent;
  }
#endif
  return M <= kW8A8CudaSkinnyTokens ? w8a8_gemm_cuda_v4_skinny : w8a8_gemm_cuda_v2_mma;
}

/// What every rung refuses.
inline void check_w8a8_gemm_cuda(const char* rung, const W8A8Cuda& p) {
  QLAB_CHECK(p.M >= 1 && p.N >= 1 && p.K >= 1, rung, ": M=", p.M, " N=", p.N, " K=", p.K,
             "; all are at least 1");
  QLAB_CHECK(p.K % 16 == 0 && p.N % 8 == 0, rung, ": N=", p.N, " K=", p.K,
             "; K is a multiple of 16 and N of 8, since rows are moved in pieces of 16 bytes");
  QLAB_CHECK(p.K <= kW8A8CudaMaxK, rung, ": K=", p.K, "; sums of more than ", kW8A8CudaMaxK,
             " products may not fit 32 bits");
}

/// Scales a sum and rounds it, for every rung alike.
struct W8A8Scales {
  const float *x_scale, *w_scale;
  int M, N;

  /// Of two rows.
  struct Rows {
    float scale[2];  ///< of m and m + 8
  };
  /// Of two columns.
  struct Columns {
    float scale[2];  ///< of n and n + 1
  };
  /// Of rows m and m + 8; 0 where they do not exist.
  __device__ Rows rows(int m) const {
    return {{m < M ? x_scale[m] : 0, m + 8 < M ? x_scale[m + 8] : 0}};
  }
  /// Of columns n and n + 1.
  __device__ Columns columns(int n) const {
    return {{n < N ? w_scale[n] : 0, n + 1 < N ? w_scale[n + 1] : 0}};
  }
  /// A sum as an element of Y.
  __device__ static __nv_bfloat16 scaled(float x, float w, std::int32_t sum) {
    return __nv_bfloat16(__fmul_rn(__fmul_rn(x, w), static_cast<float>(sum)));
  }
  /// Two sums of a row as a word of Y.
  __device__ std::uint32_t pair(const Rows& m, int part, const Columns& n, std::int32_t left,
                                std::int32_t right) const {
    const __nv_bfloat16 both[2] = {scaled(m.scale[part], n.scale[0], left),
                                   scaled(m.scale[part], n.scale[1], right)};
    std::uint32_t word;
    std::memcpy(&word, both, sizeof word);
    return word;
  }
};

}  // namespace qlab
