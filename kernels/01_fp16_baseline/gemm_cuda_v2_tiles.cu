// SPDX-License-Identifier: Apache-2.0
/// \file
/// gemm_cuda, rung 2: a tile of X and one of W in shared memory serve 128 × 128 elements of Y.
///
/// Idea    a block reads 128 rows of both, 16 of K at a time, and a thread keeps 8 × 8 sums in
///         registers: 16 loads from shared memory for 64 multiply-adds. The tiles stand with k first,
///         so that the 8 rows of a thread lie side by side
/// Before  rung 1 reads both operands again for every product
/// Needs   any GPU
#include "01_fp16_baseline/gemm_cuda.h"

namespace qlab {
namespace {

constexpr int kTile = 128, kDepth = 16, kPart = 8, kSide = kTile / kPart;
constexpr int kThreads = kSide * kSide;
constexpr int kStride = kTile + 4;  // still 16 bytes, and columns of k start in other banks

/// 16 bytes of a row, widened, to 8 rows of the tile that stand below each other.
template <class T>
__device__ void fill(float* tile, const T* matrix, int rows, int K, int first, int k0) {
  const int thread = static_cast<int>(threadIdx.x);
  const int row = thread % kTile, k = thread / kTile * 8;  // 256 threads: 128 rows, two pieces
  T piece[8] = {};
  if (first + row < rows && k0 + k < K) {
    const T* const from = matrix + static_cast<std::size_t>(first + row) * K + k0 + k;
    for (int i = 0; i < 8; ++i) piece[i] = from[i];
  } else {
    for (T& element : piece) element = T(0.0F);
  }
  for (int i = 0; i < 8; ++i) tile[(k + i) * kStride + row] = static_cast<float>(piece[i]);
}

template <class T>
__global__ void __launch_bounds__(kThreads) tiles_kernel(const T* __restrict__ X,  // [M, K]
                                                         const T* __restrict__ W,  // [N, K]
                                                         T* __restrict__ Y,        // [M, N]
                                                         int M, int N, int K) {
  __shared__ float x_tile[kDepth * kStride], w_tile[kDepth * kStride];
  const int m0 = static_cast<int>(blockIdx.y) * kTile, n0 = static_cast<int>(blockIdx.x) * kTile;
  const int column = static_cast<int>(threadIdx.x) % kSide * kPart;
  const int row = static_cast<int>(threadIdx.x) / kSide * kPart;
  float sum[kPart][kPart] = {};

  for (int k0 = 0; k0 < K; k0 += kDepth) {
    fill(x_tile, X, M, K, m0, k0);
    fill(w_tile, W, N, K, n0, k0);
    __syncthreads();  // the tiles are written, now they are read
    for (int k = 0; k < kDepth; ++k) {
      float x[kPart], w[kPart];
      for (int i = 0; i < kPart; ++i) x[i] = x_tile[k * kStride + row + i];
      for (int i = 0; i < kPart; ++i) w[i] = w_tile[k * kStride + column + i];
      QLAB_UNROLL
      for (int i = 0; i < kPart; ++i) {
        QLAB_UNROLL
        for (int j = 0; j < kPart; ++j) sum[i][j] += x[i] * w[j];
      }
    }
    __syncthreads();  // the tiles were read, the next step overwrites them
  }
  for (int i = 0; i < kPart; ++i) {
    for (int j = 0; j < kPart; ++j) {
      const int m = m0 + row + i, n = n0 + column + j;
      if (m < M && n < N) Y[static_cast<std::size_t>(m) * N + n] = T(sum[i][j]);
    }
  }
}

}  // namespace

template <class T>
void gemm_cuda_v2_tiles(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream) {
  check_gemm_cuda("gemm_cuda_v2_tiles", M, N, K);
  const dim3 grid(static_cast<unsigned>((N + kTile - 1) / kTile),
                  static_cast<unsigned>((M + kTile - 1) / kTile));
  enqueue(stream, grid, kThreads, 0, tiles_kernel<T>, X, W, Y, M, N, K);
}
template GemmCuda<half> gemm_cuda_v2_tiles<half>;
template GemmCuda<__nv_bfloat16> gemm_cuda_v2_tiles<__nv_bfloat16>;

}  // namespace qlab
