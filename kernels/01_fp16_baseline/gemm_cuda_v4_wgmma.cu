// SPDX-License-Identifier: Apache-2.0
/// \file
/// gemm_cuda, rung 4: wgmma on tiles that the copy engine brings.
///
/// Idea    a block has 128 × 128 of Y, two warpgroups 64 × 128 each. wgmma reads both operands from
///         shared memory, so no ldmatrix and no registers for them; one thread asks for a whole tile,
///         and an mbarrier tells everybody when its bytes are there
/// Before  rung 3 spends instructions of every thread on copies and on ldmatrix, and mma.sync does not
///         reach Hopper's full rate
/// Needs   Hopper
#include "01_fp16_baseline/gemm_cuda.h"
#include "01_fp16_baseline/gemm_cuda_formats.h"
#include "simt/tensor_map.h"

namespace qlab {
namespace {

constexpr int kTile = 128, kDepth = 64, kStages = 4, kGroup = 128, kThreads = 2 * kGroup;
constexpr int kRowBytes = kDepth * 2, kTileBytes = kTile * kRowBytes;

template <class T>
__global__ void __launch_bounds__(kThreads, 1)
    wgmma_kernel(const __grid_constant__ CUtensorMap x_map,  // X [M, K]
                 const __grid_constant__ CUtensorMap w_map,  // W [N, K]
                 T* __restrict__ Y,                          // [M, N]
                 int M, int N, int K) {
  DYNAMIC_SHARED(unsigned char, memory);  // [kStages][X tile, W tile], aligned to 1024
  __shared__ hopper::Barrier full[kStages];
  unsigned char* const stages = memory + (1024 - ptx::shared_address(memory) % 1024) % 1024;
  const int m0 = static_cast<int>(blockIdx.y) * kTile, n0 = static_cast<int>(blockIdx.x) * kTile;
  const int thread = static_cast<int>(threadIdx.x), group = thread / kGroup;
  const int steps = (K + kDepth - 1) / kDepth;
  if (thread == 0) {
    for (hopper::Barrier& barrier : full) hopper::barrier_init(&barrier, 1);
    hopper::barrier_init_done();
  }
  __syncthreads();  // the barriers exist
  const auto load = [&](int step) {
    if (thread != 0 || step >= steps) return;
    const int s = step % kStages;
    unsigned char* const to = stages + s * 2 * kTileBytes;
    hopper::barrier_expect(&full[s], 2 * kTileBytes);
    hopper::tma_load(to, &x_map, &full[s], step * kDepth, m0);
    hopper::tma_load(to + kTileBytes, &w_map, &full[s], step * kDepth, n0);
  };
  for (int step = 0; step < kStages - 1; ++step) load(step);

  float d[64];
  for (int step = 0; step < steps; ++step) {
    const int s = step % kStages;
    hopper::barrier_wait(&full[s], step / kStages % 2);
    const unsigned char* const stage = stages + s * 2 * kTileBytes;
    const std::uint64_t x = hopper::wgmma_operand(stage + group * kTileBytes / 2);
    const std::uint64_t w = hopper::wgmma_operand(stage + kTileBytes);
    hopper::wgmma_fence();
#pragma unroll
    for (int i = 0; i < kDepth / 16; ++i) {
      HalfFormat<T>::multiply(d, x + 2 * i, w + 2 * i, step + i);
    }
    hopper::wgmma_commit();
    hopper::wgmma_wait<0>();
    __syncthreads();  // both warpgroups have read this stage; the one after the next two goes there
    load(step + kStages - 1);
  }
  const int lane = thread % 32, row = group * 64 + thread % kGroup / 32 * 16 + lane / 4;
  for (int j = 0; j < kTile / 8; ++j) {
    const int n = n0 + 8 * j + lane % 4 * 2;
    for (int i = 0; i < 2; ++i) {
      const int m = m0 + row + 8 * i;
      if (m >= M || n >= N) continue;
      T* const y = Y + static_cast<std::size_t>(m) * N + n;
      y[0] = T(d[4 * j + 2 * i]);
      y[1] = T(d[4 * j + 2 * i + 1]);
    }
  }
}

}  // namespace

template <class T>
void gemm_cuda_v4_wgmma(const T* X, const T* W, T* Y, int M, int N, int K, Stream stream) {
  check_gemm_cuda("gemm_cuda_v4_wgmma", M, N, K);
  const dim3 grid(static_cast<unsigned>((N + kTile - 1) / kTile),
                  static_cast<unsigned>((M + kTile - 1) / kTile));
  enqueue(stream, grid, kThreads, kStages * 2 * kTileBytes + 1024, wgmma_kernel<T>,
          hopper::tensor_map(X, M, K, kTile), hopper::tensor_map(W, N, K, kTile), Y, M, N, K);
}
template GemmCuda<half> gemm_cuda_v4_wgmma<half>;
template GemmCuda<__nv_bfloat16> gemm_cuda_v4_wgmma<__nv_bfloat16>;

}  // namespace qlab
