// SPDX-License-Identifier: Apache-2.0
/// \file
/// A sample that uses most of kernels/simt at once: C[M×N] = A[M×K] · B[K×N] on the tensor cores,
/// FP16 in, FP32 sums and result.
#pragma once

#include "simt/ptx.h"
#include "simt/simt.h"

namespace qlab::test {

inline constexpr int kTileM = 64, kTileN = 64, kTileK = 32;
inline constexpr int kThreads = 128;  // four warps, each a 32×32 quarter of the tile
// Eight halves of padding a row: eight consecutive rows then start in eight different bank groups,
// so that ldmatrix reads them without conflicts.
inline constexpr int kStrideA = kTileK + 8, kStrideB = kTileN + 8;

struct Tiles {
  half a[kTileM][kStrideA];
  half b[kTileK][kStrideB];
};

// Global to shared memory, 16 bytes (8 halves) a copy.
__device__ inline void copy_tiles(Tiles& tiles, const half* A, const half* B, int N, int K, int m0,
                                  int n0, int k0) {
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < kTileM * kTileK / 8; i += kThreads) {
    const int row = i / (kTileK / 8), column = i % (kTileK / 8) * 8;
    ptx::cp_async_16(&tiles.a[row][column],
                     A + static_cast<std::size_t>(m0 + row) * K + k0 + column);
  }
  for (int i = thread; i < kTileK * kTileN / 8; i += kThreads) {
    const int row = i / (kTileN / 8), column = i % (kTileN / 8) * 8;
    ptx::cp_async_16(&tiles.b[row][column],
                     B + static_cast<std::size_t>(k0 + row) * N + n0 + column);
  }
  ptx::cp_async_commit();
}

static __global__ void __launch_bounds__(kThreads)
    fp16_gemm_mma(const half* __restrict__ A, const half* __restrict__ B, float* __restrict__ C,
                  int N, int K) {
  DYNAMIC_SHARED(Tiles, stages);  // two: one is multiplied while the other one arrives
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int m0 = static_cast<int>(blockIdx.y) * kTileM, n0 = static_cast<int>(blockIdx.x) * kTileN;
  const int warp_m = warp / 2 * 32, warp_n = warp % 2 * 32;

  float sum[2][4][4] = {};  // 2×4 mma tiles of 16×8
  const int steps = K / kTileK;
  copy_tiles(stages[0], A, B, N, K, m0, n0, 0);
  for (int step = 0; step < steps; ++step) {
    if (step + 1 < steps) {
      copy_tiles(stages[(step + 1) % 2], A, B, N, K, m0, n0, (step + 1) * kTileK);
      ptx::cp_async_wait<1>();
    } else {
      ptx::cp_async_wait<0>();
    }
    __syncthreads();  // every thread's copies have arrived
    const Tiles& tiles = stages[step % 2];
    for (int k = 0; k < kTileK; k += 16) {
      std::uint32_t a[2][4], b[4][2];
      for (int i = 0; i < 2; ++i) {
        ptx::ldmatrix_x4(a[i], &tiles.a[warp_m + 16 * i + lane % 16][k + lane / 16 * 8]);
      }
      for (int j = 0; j < 4; ++j) {
        ptx::ldmatrix_x2_trans(b[j], &tiles.b[k + lane % 16][warp_n + 8 * j]);
      }
      for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 4; ++j) ptx::mma_m16n8k16_f16(sum[i][j], a[i], b[j]);
      }
    }
    __syncthreads();  // nobody reads this stage any more: the next copy may overwrite it
  }

  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 4; ++j) {
      float* c = C + static_cast<std::size_t>(m0 + warp_m + 16 * i + lane / 4) * N + n0 + warp_n +
                 8 * j + lane % 4 * 2;
      c[0] = sum[i][j][0];
      c[1] = sum[i][j][1];
      c[static_cast<std::size_t>(8) * N] = sum[i][j][2];
      c[static_cast<std::size_t>(8) * N + 1] = sum[i][j][3];
    }
  }
}

/// A, B and C are row-major; M and N are multiples of 64, K of 32.
inline void launch_fp16_gemm_mma(const half* A, const half* B, float* C, int M, int N, int K) {
  simt::launch(dim3(static_cast<unsigned>(N / kTileN), static_cast<unsigned>(M / kTileM)), kThreads,
               2 * sizeof(Tiles), fp16_gemm_mma, A, B, C, N, K);
}

}  // namespace qlab::test
