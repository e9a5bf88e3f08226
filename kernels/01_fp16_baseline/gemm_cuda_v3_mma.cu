// SPDX-License-Identifier: Apache-2.0
/// \file
/// gemm_cuda, rung 3: tensor cores, fed by copies that run while they multiply.
///
/// Idea    a block has 128 × 128 of Y, eight warps 64 × 32 each. Four stages of tiles: cp.async fills
///         three while ldmatrix and mma.sync work on one. A row of a tile is 64 bytes, four pieces of
///         16, and piece p of row r lies at p ^ (r / 2 % 4): the eight rows of an ldmatrix meet 32 banks
/// Before  rung 2 multiplies on the plain FP32 units, a fifteenth of the tensor cores' rate, and waits
///         for its tiles
/// Needs   any GPU from Ampere on
#include "01_fp16_baseline/gemm_cuda.h"
#include "simt/ptx.h"

namespace qlab {
namespace {

constexpr int kTile = 128, kDepth = 32, kStages = 4;
constexpr int kThreads = 256;
constexpr int kWarpM = 64, kWarpN = 32;   // of Y, for a warp
constexpr int kPieces = kDepth * 2 / 16;  // of 16 bytes in a row of a tile
constexpr int kTileBytes = kTile * kDepth * 2;

__device__ int piece_at(int row, int piece) {
  return (row * kPieces + (piece ^ (row / 2 % kPieces))) * 16;
}

/// Rows first … first + 127 of a matrix, columns k0 … k0 + 31, zeros where it ends.
template <class T>
__device__ void fill(unsigned char* tile, const T* matrix, int rows, int K, int first, int k0) {
  for (int i = static_cast<int>(threadIdx.x); i < kTile * kPieces; i += kThreads) {
    const int row = i / kPieces, piece = i % kPieces, k = k0 + piece * 8;
    const bool valid = first + row < rows && k < K;
    const T* const from = valid ? matrix + static_cast<std::size_t>(first + row) * K + k : matrix;
    ptx::cp_async_16_zfill(tile + piece_at(row, piece), from, valid);
  }
}

__device__ void multiply(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                         half) {
  ptx::mma_m16n8k16_f16(d, a, b);
}
__device__ void multiply(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                         __nv_bfloat16) {
  ptx::mma_m16n8k16_bf16(d, a, b);
}

/// One stage: 64 × 32 sums of a warp, 16 of K at a time.
template <class T>
__device__ void add_stage(const unsigned char* x_tile, const unsigned char* w_tile, int row,
                          int column, int lane, float (&sum)[kWarpM / 16][kWarpN / 8][4]) {
  for (int step = 0; step < kDepth / 16; ++step) {
    // A lane points at a row of one of four 8 × 8 matrices: rows, rows + 8, then 8 of K further.
    std::uint32_t a[kWarpM / 16][4], b[kWarpN / 16][4];
    QLAB_UNROLL
    for (int i = 0; i < kWarpM / 16; ++i) {
      ptx::ldmatrix_x4(a[i], x_tile + piece_at(row + 16 * i + lane % 16, 2 * step + lane / 16));
    }
    QLAB_UNROLL
    for (int j = 0; j < kWarpN / 16; ++j) {  // here: 8 of K further, then rows + 8
      ptx::ldmatrix_x4(b[j], w_tile + piece_at(column + 16 * j + lane % 8 + lane / 16 * 8,
                                               2 * step + lane / 8 % 2));
    }
    QLAB_UNROLL
    for (int i = 0; i < kWarpM / 16; ++i) {
      QLAB_UNROLL
      for (int j = 0; j < kWarpN / 8; ++j) {
        const std::uint32_t w[2] = {b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]};
        multiply(sum[i][j], a[i], w, T(0.0F));
      }
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads, 2) mma_kernel(const T* __restrict__ X,  // [M, K]
                                                          const T* __restrict__ W,  // [N, K]
                                                          T* __restrict__ Y,        // [M, N]
                                                          int M, int N, int K) {
  DYNAMIC_SHARED(unsigned char, memory);  // [kStages][X tile, W tile]
  const int m0 = static_cast<int>(blockIdx.y) * kTile, n0 = static_cast<int>(blockIdx.x) * kTile;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int row = warp % 2 * kWarpM, column = warp / 2 * kWarpN;
  const int steps = (K + kDepth - 1) / kDepth;
  const auto load = [&](int step) {
    unsigned char* const stage = memory + step % kStages * 2 * kTileBytes;
    if (step < steps) {
      fill(stage, X, M, K, m0, step * kDepth);
      fill(stage + kTileBytes, W, N, K, n0, step * kDepth);
    }
    ptx::cp_async_commit();  // an empty group counts too: the wait below counts groups
  };
  for (int step = 0; step < kStages - 1; ++step) load(step);

  float sum[kWarpM / 16][kWarpN / 8][4] = {};
  for (int step = 0; step < steps; ++step) {
    ptx::cp_async_wait<kStages - 2>();
    __syncthreads();  // everybody's part of this stage is there, and the stage before is read
    load(step + kStages - 1);
    const unsigned char* const stage = memory + step % kStages * 2 * kTileBytes;
    add_stage<T>(stage, stage + kTileBytes, row, column, lane, sum);
  }
  for (int i = 0; i < kWarpM / 16; ++i) {
    for (int j = 0; j < kWarpN / 8; ++j) {
      const int n = n0 + column + 8 * j + lane % 4 * 2;
      for (int half_rows = 0; half_rows < 2; ++half_rows) {
        const int m = m0 + row + 16 * i + lane / 4 + 8 * half_rows;
        if (m >= M || n >= N) continue;
        T* const y = Y + static_cast<std::size_t>(m) * N + n;
        y[0] = T(sum[i][j][2 * half_rows]);
        y[1] = T(sum[i][j][2 * half_rows + 1]);
      }
    }
  }
}

}  // namespace

template <class T>
void gemm_cuda_v3_mma(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream) {
  check_gemm_cuda("gemm_cuda_v3_mma", M, N, K);
  const dim3 grid(static_cast<unsigned>((N + kTile - 1) / kTile),
                  static_cast<unsigned>((M + kTile - 1) / kTile));
  enqueue(stream, grid, kThreads, kStages * 2 * kTileBytes, mma_kernel<T>, X, W, Y, M, N, K);
}
template GemmCuda<half> gemm_cuda_v3_mma<half>;
template GemmCuda<__nv_bfloat16> gemm_cuda_v3_mma<__nv_bfloat16>;

}  // namespace qlab
