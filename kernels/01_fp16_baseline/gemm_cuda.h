// SPDX-License-Identifier: Apache-2.0
/// \file
/// gemm_cuda: Y = X · Wᵀ in FP16 or BF16 on a GPU, rung by rung to the tensor cores' limit.
///
/// Bottleneck   M up to some hundred: reading W; beyond: the tensor cores, and what feeds them
/// Bytes moved  read 2·N·K (W) + 2·M·K (X), written 2·M·N (Y), if every element is moved once
/// FLOPs        2·M·N·K
/// Teaches      each rung takes away what the one before waited for: reads without neighbours, the same
///              reads again, plain multiply-adds, waiting for a tile, asking for tiles; and that up
///              to 64 tokens are another problem, with kernels of its own
/// Leaves out   weights in fewer bits (w8a8_gemm_cuda, w4a16_gemm_cuda); M = 1 by hand (fp16_gemv)
///
/// The elements of both formats are `half` and `__nv_bfloat16`; sums are FP32. The baseline of all other
/// GPU kernels of the lab. Exercises that lead here: fp16_gemm_tiled, fp16_gemm_mma.
#pragma once

#include "common/contract.h"
#include "simt/enqueue.h"
#include "simt/rung.h"

namespace qlab {

/// Compulsory bytes and FLOPs of one product.
constexpr Cost gemm_cuda_cost(std::int64_t M, std::int64_t N, std::int64_t K) {
  return {.bytes = 2 * (N * K + M * K + M * N), .flops = 2 * M * N * K};
}

/// Y[m, n] = Σₖ X[m, k] · W[n, k], summed in FP32 and rounded once. All rungs have this form.
/// \param X  [M, K] activations on the device, as all operands 16-byte aligned
/// \param W  [N, K] weights on the device
/// \param Y  [M, N] on the device, written in full, nothing outside it
/// \throws ContractError when M, N or K is below 1, M above what the rung takes, or K or N no
///         multiple of 8 (rows are moved in pieces of 16 bytes); simt::Error when the launch fails
template <class T>
using GemmCuda = void(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream);

// T is half or __nv_bfloat16.
/// Rung 1: a thread an element of Y, two loads for each multiply-add.
template <class T>
void gemm_cuda_v1_naive(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream);
/// Rung 2: tiles in shared memory, 8 × 8 sums a thread: each element that is read serves eight.
template <class T>
void gemm_cuda_v2_tiles(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream);
/// Rung 3: tensor cores (mma.sync), while cp.async brings the next tiles.
template <class T>
void gemm_cuda_v3_mma(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream);
/// Rung 4: wgmma reads its operands from shared memory, and one thread asks for whole tiles (TMA).
template <class T>
void gemm_cuda_v4_wgmma(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream);
/// Rung 5: blocks that stay, with one warp that loads, two warpgroups that multiply, and stores beside.
template <class T>
void gemm_cuda_v5_persistent(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream);

/// Rung 6: up to 64 tokens: warps split K and read W, once, and hardly anything else happens.
template <class T>
void gemm_cuda_v6_skinny(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream);

/// Rung 7: v5's copies and products for some tens of tokens; blocks that share K add up their sums.
template <class T>
void gemm_cuda_v7_split(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream);

inline constexpr int kGemmCudaSkinnyTokens = 64;  // that v6_skinny takes
inline constexpr int kGemmCudaFewTokens = 16;     // for which, in small layers, it is the fastest
inline constexpr int kGemmCudaSmallLayer = 8192;  // rows; of those measured 4096 were, 11008 not
inline constexpr int kGemmCudaSplitTokens = 64;   // for which v7_split is faster than v5_persistent

template <class T>
inline constexpr CudaRung<GemmCuda<T>> kGemmCudaRungs[] = {
    {"v1_naive", gemm_cuda_v1_naive<T>, kAnyGpu},
    {"v2_tiles", gemm_cuda_v2_tiles<T>, kAnyGpu},
    {"v3_mma", gemm_cuda_v3_mma<T>, kAnyGpu},
#if defined(__CUDACC__)
    {"v4_wgmma", gemm_cuda_v4_wgmma<T>, kHopper},
    {"v5_persistent", gemm_cuda_v5_persistent<T>, kHopper},
#endif
    {"v6_skinny", gemm_cuda_v6_skinny<T>, kAnyGpu, kGemmCudaSkinnyTokens},
#if defined(__CUDACC__)
    {"v7_split", gemm_cuda_v7_split<T>, kHopper},
#endif
};

/// The rung that is fastest for M tokens and N rows of W on a GPU of that compute capability,
/// 10 · major + minor.
template <class T>
constexpr GemmCuda<T>* gemm_cuda_for(int M, [[maybe_unused]] int N,
                                     [[maybe_unused]] int capability) {
#if defined(__CUDACC__)
  const bool skinny = M <= kGemmCudaFewTokens && N < kGemmCudaSmallLayer;
  if (capability == kHopper && !skinny) {
    return M <= kGemmCudaSplitTokens ? gemm_cuda_v7_split<T> : gemm_cuda_v5_persistent<T>;
  }
#endif
  return M <= kGemmCudaSkinnyTokens ? gemm_cuda_v6_skinny<T> : gemm_cuda_v3_mma<T>;
}

/// Allowed error of a sum in FP32, as a factor of Σ|x||w|: v6_skinny's, the largest of all rungs.
///
/// fp16_gemm_mma_error() explains how an mma loses 18 times u = 2⁻²³. v6_skinny takes 32 of K by
/// two of them, also where 16 are left; each of these has then at most 8 products, a sum and a
/// result: 20 in place of 18. Adding up the sums of warps and blocks loses u once for each of them
/// that is not 0, but what begins such a sum is a 0 that an mma cannot lose; in v7_split also.
constexpr double gemm_cuda_error(std::int64_t K) {
  const double operations = 18 * static_cast<double>((K + 15) / 16) + 2;
  return operations * 0x1p-23 / (1 - operations * 0x1p-23);
}

/// What every rung refuses.
inline void check_gemm_cuda(const char* rung, int M, int N, int K) {
  QLAB_CHECK(M >= 1 && N >= 1 && K >= 1, rung, ": M=", M, " N=", N, " K=", K,
             "; all are at least 1");
  QLAB_CHECK(K % 8 == 0 && N % 8 == 0, rung, ": N=", N, " K=", K,
             "; both are multiples of 8, since rows are moved in pieces of 16 bytes");
}

}  // namespace qlab
