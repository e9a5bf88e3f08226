// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm_cuda, rung 6: up to 64 tokens; blocks that share rows read each other's sums where they
/// are, in shared memory.
///
/// Idea     a cluster takes 128 rows, each of its blocks a part of K. When all have their sums, each
///          adds up its share of Y from the shared memory of all. That takes a few hundred
///          nanoseconds, in which rung 5 had not yet announced that its sums are in global memory
/// Before   stream-K gives all blocks the same work, whatever the shape, but waits for memory three
///          times at the end of rows: sums written, counted, and read
/// Needs    compute capability 8.0; before Hopper no blocks share rows, and few rows leave
///          multiprocessors idle
#include <algorithm>

#include "03_int4_weight_only/w4a16_stage_cuda.h"
#include "simt/cluster.h"

namespace qlab {
namespace {

using w4a16::Copies, w4a16::kLanes, w4a16::multiply, w4a16::Plan;

constexpr int kBlocks = 2;                    // of a multiprocessor
constexpr int kSumRow = kW4A16BlockRows + 4;  // sums of a token: 4 more, and lanes meet 32 banks

/// This lane's sums → sums [tokens, kSumRow] in shared memory.
template <int S, int kEights>
__device__ void leave(float* sums, const float (&sum)[S][kEights][4], int first_row, int t) {
  QLAB_UNROLL
  for (int s = 0; s < S; ++s) {
    QLAB_UNROLL
    for (int e = 0; e < kEights; ++e) {
      QLAB_UNROLL
      for (int c = 0; c < 4; ++c) {  // tokens 2t, 2t + 1 of row g, then of row g + 8
        const int token = e * 8 + 2 * t + c % 2, row = first_row + s * kInt4StripRows + c / 2 * 8;
        sums[token * kSumRow + row] = sum[s][e][c];
      }
    }
  }
}

template <int kEights, int kGroup>
__global__ void __launch_bounds__(Plan<kEights, kGroup>::kThreads, kBlocks)
    w4a16_cluster_kernel(const uint4* __restrict__ W,       // [strips, tiles, 32]
                         const uint4* __restrict__ groups,  // [strips, groups, 4]
                         const uint4* __restrict__ X,       // [M, K / 8]
                         half* __restrict__ Y,              // [M, N]
                         int M, int N, int K) {
  using P = Plan<kEights, kGroup>;
  constexpr int S = P::kMyStrips, kStages = P::kStages;
  DYNAMIC_SHARED(uint4, memory);  // [kStages]  codes, then groups, then X; at the end sums

  // Who am I: this cluster owns 128 rows, this block a part of K, this warp one or two strips.
  const int tid = static_cast<int>(threadIdx.x), lane = tid % kLanes;
  const int my_strip = tid / kLanes * S, rows = static_cast<int>(blockIdx.x);
  const int part = static_cast<int>(blockIdx.y), parts = static_cast<int>(gridDim.y);
  const int steps = int4_tiles(K) / P::kTiles;
  const int begin = steps * part / parts, end = steps * (part + 1) / parts;

  // Load:    global → shared, kStages - 1 steps ahead.
  const Copies<P> copies(W, groups, X, M, N, K);
  const auto stage = [&](int step) { return memory + (step - begin) % kStages * P::kStage; };
  const auto ask = [&](int step) {
    if (step < end) copies.start(stage(step), rows, step);
    ptx::cp_async_commit();  // an empty group keeps the count
  };
  for (int i = 0; i < kStages - 1; ++i) ask(begin + i);

  // Compute: shared → fragments → tensor cores.
  float sum[S][kEights][4] = {};
  for (int step = begin; step < end; ++step) {
    ptx::cp_async_wait<kStages - 2>();
    __syncthreads();  // the copies of this step have arrived, the reads of the last one are done
    ask(step + kStages - 1);
    multiply<P>(sum, stage(step), my_strip, lane);
  }

  // Store:   sums → shared memory → all parts of a sum, in the order of K → Y, a share of it each.
  float* const sums = reinterpret_cast<float*>(memory);
  __syncthreads();  // all reads of the stages are done, sums may be written there
  leave(sums, sum, my_strip * kInt4StripRows + lane / 4, lane % 4);
  cluster_sync();  // the sums of all parts are written, and now read
  for (int i = part * P::kThreads + tid; i < M * kW4A16BlockRows; i += parts * P::kThreads) {
    const int m = i / kW4A16BlockRows, row = i % kW4A16BlockRows, n = rows * kW4A16BlockRows + row;
    float total = 0;
    for (int p = 0; p < parts; ++p) total += *cluster_shared(&sums[m * kSumRow + row], p);
    if (n < N) Y[static_cast<std::size_t>(m) * N + n] = __float2half_rn(total);
  }
  if (parts > 1) cluster_meet();  // nobody leaves while others read its sums
}

/// The parts of K whose time is least, if blocks run in rounds and begin with the time of `fill`
/// steps in which nothing has come yet.
int parts_of_k(int row_tiles, int steps, int fill, int most) {
  const auto up = [](int a, int b) { return (a + b - 1) / b; };
  const int slots = kBlocks * multiprocessors();
  int best = 1;
  const auto time = [&](int parts) {
    return up(row_tiles * parts, slots) * (up(steps, parts) + fill);
  };
  for (int parts = 2; parts <= std::min(most, steps); ++parts) {
    if (time(parts) < time(best)) best = parts;
  }
  return best;
}

template <int kEights, int kGroup>
void launch(const W4A16CudaWeights& W, const half* X, half* Y, int M, int N, int K, Stream stream) {
  using P = Plan<kEights, kGroup>;
  constexpr std::size_t kSums = sizeof(float) * 8 * kEights * kSumRow;
  const auto kernel = w4a16_cluster_kernel<kEights, kGroup>;
  const int row_tiles = (N + kW4A16BlockRows - 1) / kW4A16BlockRows;
  const int steps = int4_tiles(K) / P::kTiles;
  const int parts = parts_of_k(row_tiles, steps, P::kStages, most_cluster_blocks(kernel));
  QLAB_CHECK(std::int64_t{row_tiles} * steps < (std::int64_t{1} << 31) / P::kCodes,
             "w4a16_gemm_cuda_v6_cluster: N = ", N, ", K = ", K,
             " are more than 31 bits count; split the rows");
  enqueue_clusters(stream, dim3(static_cast<unsigned>(row_tiles), static_cast<unsigned>(parts)),
                   P::kThreads, std::max(P::kStages * P::kStage * sizeof(uint4), kSums), kernel,
                   W.fragments, reinterpret_cast<const uint4*>(W.groups),
                   reinterpret_cast<const uint4*>(X), Y, M, N, K);
}

template <int kGroup>
constexpr W4A16Cuda* for_tokens(int M) {
  return M <= 8    ? launch<1, kGroup>
         : M <= 16 ? launch<2, kGroup>
         : M <= 32 ? launch<4, kGroup>
                   : launch<8, kGroup>;
}

}  // namespace

/// One product; W4A16Cuda says what it takes and gives.
void w4a16_gemm_cuda_v6_cluster(const W4A16CudaWeights& W, const half* X, half* Y, int M, int N,
                                int K, Stream stream) {
  check_w4a16_cuda("w4a16_gemm_cuda_v6_cluster", W, X, M, N, K, kW4A16MaxTokens);
  check_aligned("w4a16_gemm_cuda_v6_cluster", "fragments", W.fragments);
  check_aligned("w4a16_gemm_cuda_v6_cluster", "groups", W.groups);
  const auto run = W.rows.group_size == 32   ? for_tokens<32>(M)
                   : W.rows.group_size == 64 ? for_tokens<64>(M)
                                             : for_tokens<128>(M);
  run(W, X, Y, M, N, K, stream);
}

}  // namespace qlab
