// SPDX-License-Identifier: Apache-2.0
/// \file
/// The product Y = X · Wᵀ on Hopper of some tens or hundreds of tokens, whatever its elements: too many
/// for every warp to read X for itself, too few for tiles of Y that keep all multiprocessors busy.
///
/// Bottleneck   memory up to some hundred tokens: what counts is how much of W is on its way
/// Bytes moved  W once from memory, and once more from the L2 for each tile of tokens; X from the L2,
///              N / 128 times
/// Teaches      the same stages, roles and wgmma as hopper_gemm, with W as its 64 rows and tokens as its
///              columns, of which it takes as few as 8; blocks of a cluster share K and add up their sums
///              by reading each other's shared memory
/// Leaves out   clusters that share X (multicast); blocks that stay for several tiles
///
/// Sums are added in the order of blocks, so two runs give the same bits. For nvcc only.
#pragma once

#if defined(__CUDACC__)

#include "common/cluster_sums.h"
#include "common/hopper_gemm.h"

namespace qlab::hopper {

/// kTokens_ tokens and 128 rows of W for a block. Two blocks fit a multiprocessor.
template <int kTokens_>
struct SplitTile {
  static constexpr int kTokens = kTokens_, kRows = kTileM;
  static constexpr int kSums = kTokens / 2;                          ///< of a thread
  static constexpr int kThreads = kConsumers * kGroup;               ///< that multiply and store
  static constexpr int kLoadThreads = 32;                            ///< one warp that loads
  static constexpr int kStageBytes = (kRows + kTokens) * kRowBytes;  ///< W, then X
  static constexpr int kStages = (100 << 10) / kStageBytes;
  static constexpr int kSharedBytes = kStages * kStageBytes + 2 * kStages * 8 + 1024;  // to align
  static constexpr int kDepthWarps = 1, kSumRow = kRows + 4;  ///< of cluster_sums
  static_assert(kTokens * kSumRow * 4 <= kStages * kStageBytes, "sums take the place of stages");
};

/// This warpgroup's sums, of 64 rows of W → sums [kTokens, kSumRow] in shared memory.
template <class P, class Sum>
__device__ void leave(Sum* sums, const Sum (&d)[P::kSums], int group) {
  const int thread = static_cast<int>(threadIdx.x) % kGroup, lane = thread % 32;
  const int row = group * kPartM + thread / 32 * 16 + lane / 4;
#pragma unroll
  for (int j = 0; j < P::kTokens / 8; ++j) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int token = 8 * j + 2 * (lane % 4) + i % 2;
      sums[token * P::kSumRow + row + i / 2 * 8] = d[4 * j + i];
    }
  }
}

/// \tparam Format    Element, Sum, and multiply(d, a, b, add): 32 bytes along K
/// \tparam Epilogue  as of cluster_sums::store()
template <class Format, class Epilogue, class P>
__global__ void __launch_bounds__(P::kThreads + P::kLoadThreads, 2)
    split_gemm(const __grid_constant__ CUtensorMap w_map,  // W [N, K]
               const __grid_constant__ CUtensorMap x_map,  // X [M, K]
               uint2* __restrict__ Y,                      // [M, N / 4] two pairs
               Epilogue epilogue, int M, int N, int K) {
  using Sum = typename Format::Sum;
  DYNAMIC_SHARED(unsigned char, memory);
  Shared<P> shared{};  // its x is what wgmma has in rows: here W
  shared.stages = memory + (1024 - ptx::shared_address(memory) % 1024) % 1024;
  shared.full = reinterpret_cast<Barrier*>(shared.stages + P::kStages * P::kStageBytes);
  shared.empty = shared.full + P::kStages;
  make_barriers<P::kStages>(shared.full, shared.empty);

  // Who am I: this cluster owns a tile of tokens and rows, this block a part of K, this warp a role.
  const int tiles_m = (M + P::kTokens - 1) / P::kTokens, tile = static_cast<int>(blockIdx.x);
  const int m0 = tile % tiles_m * P::kTokens, n0 = tile / tiles_m * P::kRows;
  constexpr int kStep = kRowBytes / static_cast<int>(sizeof(typename Format::Element));
  const int steps = (K + kStep - 1) / kStep;
  const int part = static_cast<int>(blockIdx.y), parts = static_cast<int>(gridDim.y);
  const int begin = steps * part / parts, end = steps * (part + 1) / parts;
  const int role = static_cast<int>(threadIdx.x) / kGroup;

  Turn<P> turn;
  Sum* const sums = reinterpret_cast<Sum*>(shared.stages);
  if (role == kConsumers) {
    for (int step = begin; threadIdx.x % 32 == 0 && step < end; ++step) {
      barrier_wait(&shared.empty[turn.stage], turn.phase ^ 1);  // new stages count as empty
      Barrier* const full = &shared.full[turn.stage];
      barrier_expect(full, P::kStageBytes);
      tma_load(shared.x(turn.stage), &w_map, full, step * kStep, n0);
      tma_load(shared.w(turn.stage), &x_map, full, step * kStep, m0);
      turn.advance();
    }
    __syncwarp();  // the barrier of the cluster is one of whole warps
  } else {
    Sum d[P::kSums];
    multiply<Format>(shared, turn, role, end - begin, d);
    named_barrier(1, kConsumers * kGroup);  // both warpgroups have used all stages
    leave<P>(sums, d, role);
  }
  cluster_sync(parts);  // the sums of all parts are written, and now read
  if (role < kConsumers) cluster_sums::store<P>(sums, Y, epilogue, m0, n0, M, N, part, parts);
  cluster_meet(parts);  // nobody leaves while others read its sums
}

/// As many parts of K, 1, 2, 4 or 8, as leave one block a multiprocessor.
inline int split_parts(int tiles, int steps) {
  int parts = 1;
  while (2 * parts <= kMostClusterBlocks && 2 * parts <= steps &&
         2 * parts * tiles <= multiprocessors()) {
    parts *= 2;
  }
  return parts;
}

template <class P, class Format, class Epilogue>
void enqueue_split_tiles(const typename Format::Element* x, const typename Format::Element* w,
                         uint2* y, const Epilogue& epilogue, int M, int N, int K, Stream stream) {
  const auto kernel = split_gemm<Format, Epilogue, P>;
  const int tiles = (M + P::kTokens - 1) / P::kTokens * ((N + P::kRows - 1) / P::kRows);
  constexpr int kStep = kRowBytes / static_cast<int>(sizeof(typename Format::Element));
  int parts = split_parts(tiles, (K + kStep - 1) / kStep);
  if (parts > 1) parts = std::min(parts, most_cluster_blocks(kernel));
  enqueue_clusters(stream, dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(parts)),
                   P::kThreads + P::kLoadThreads, P::kSharedBytes, kernel,
                   tensor_map(w, N, K, P::kRows), tensor_map(x, M, K, P::kTokens), y, epilogue, M,
                   N, K);
}

/// Y: elements of 16 bits, [M, N], N a multiple of 4. X [M, K], W [N, K]: rows of whole pieces of
/// 16 bytes. All 16-byte aligned.
template <class Format, class Epilogue, class Y>
void enqueue_split_gemm(const typename Format::Element* x, const typename Format::Element* w, Y* y,
                        const Epilogue& epilogue, int M, int N, int K, Stream stream) {
  static_assert(sizeof(Y) == 2, "Y has 16 bits");
  const auto run = M <= 32 ? enqueue_split_tiles<SplitTile<32>, Format, Epilogue>
                           : enqueue_split_tiles<SplitTile<64>, Format, Epilogue>;
  run(x, w, reinterpret_cast<uint2*>(y), epilogue, M, N, K, stream);
}

}  // namespace qlab::hopper

#endif
