// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm_cuda, rung 7: prompts, hundreds of tokens or more. The bottleneck is the tensor cores now,
/// and four bits a weight only pay if unpacking them costs those no time.
///
/// Idea    Yᵀ = W · Xᵀ: wgmma takes A, here W, from registers, so codes become FP16 where they are
///         multiplied and never pass through shared memory; the next step's while this one is multiplied
/// Before  rung 5 reads each code once for 64 tokens, and mma.sync is half of what Hopper can do
/// Needs   Hopper
///
/// A weight, scale · (code - zero_point), is rounded to FP16, as if it had been dequantized ahead: sums
/// of hundreds of tokens leave no registers for a second sum for each group.
#include <algorithm>
#include <limits>

#include "03_int4_weight_only/w4a16_fragments_cuda.h"
#include "03_int4_weight_only/w4a16_gemm_cuda.h"
#include "common/hopper_gemm.h"

namespace qlab {
namespace {

using hopper::Barrier;
using hopper::kConsumers;
using hopper::kGroup;
using hopper::kPartM;
using hopper::kRowBytes;
using hopper::kTileM;
using hopper::TileAt;

/// kTileM rows of W, half of them for either warpgroup, times kTokens of X. Only X is staged.
template <int kTokens>
struct Plan {
  static constexpr int kN = kTokens;
  static constexpr int kSums = kTokens / 2;  // of a thread
  static constexpr int kStages = kTokens == 256 ? 5 : 8;
  static constexpr int kAhead = kTokens == 256 ? 4 : 8;  // steps whose codes are on their way; even
  static constexpr int kStageBytes = kTokens * kRowBytes;
  static constexpr int kPartBytes = kTokens * kRowBytes;  // 64 columns of Y for each token
  static constexpr int kSharedBytes =
      kStages * kStageBytes + kConsumers * kPartBytes + 2 * kStages * 8 + 1024;  // 1024: to align
};

/// A thread's share of 64 columns of K: a code of each of its two rows and 16 columns, and their groups.
template <int kGroupSize>
struct Packed {
  static constexpr int kGroups = kGroupSize < kInt4TileK ? kInt4TileK / kGroupSize : 1;
  uint4 codes;
  uint2 groups[kGroups];
};

/// Where a thread finds them.
template <int kGroupSize>
struct Source {
  const uint4* codes;   // [tiles], one every 32
  const uint2* groups;  // [groups], one every 8
  int last;             // step, read again for those behind it, which are not multiplied

  __device__ Packed<kGroupSize> read(int step) const {
    const int at = min(step, last);
    Packed<kGroupSize> packed;
    packed.codes = __ldg(codes + at * 32);
    for (int i = 0; i < packed.kGroups; ++i) {
      packed.groups[i] = __ldg(groups + (at * kInt4TileK / kGroupSize + i) * 8);
    }
    return packed;
  }
};

/// Four fragments of A, 16 columns each, in the order that the columns of X have in memory.
template <int kGroupSize>
__device__ __forceinline__ void unpack(std::uint32_t (&a)[4][4], const Packed<kGroupSize>& packed,
                                       const ColumnOrder& in_order) {
#pragma unroll
  for (int half_tile = 0; half_tile < 2; ++half_tile) {
    const uint2 words = half_tile == 0 ? in_order(packed.codes.x, packed.codes.y)
                                       : in_order(packed.codes.z, packed.codes.w);
    const uint2 group = packed.groups[half_tile % packed.kGroups];
    const FragmentGroup open = open_group(group);
    const half2 scale[2] = {as_half2(ptx::prmt(group.x, 0, 0x1010)),
                            as_half2(ptx::prmt(group.y, 0, 0x1010))};
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      std::uint32_t(&to)[4] = a[2 * half_tile + i];
      fragment_of(to, i == 0 ? words.x : words.y, open);
#pragma unroll
      for (int j = 0; j < 4; ++j) to[j] = as_word(__hmul2(as_half2(to[j]), scale[j % 2]));
    }
  }
}

template <class Plan>
struct Stages {
  unsigned char* x;       // [kStages][kN tokens, 128 bytes]
  unsigned char* parts;   // [kConsumers][kN tokens, 128 bytes]
  Barrier *full, *empty;  // [kStages]
};

/// Loads the tiles of X, step by step, tile by tile of Y. One thread.
template <class Plan>
__device__ void produce(const Stages<Plan>& stages, const CUtensorMap* x_map, int tiles_n,
                        int tiles_m, int steps) {
  hopper::Turn<Plan> turn;
  for (int t = static_cast<int>(blockIdx.x); t < tiles_n * tiles_m;
       t += static_cast<int>(gridDim.x)) {
    const TileAt at = hopper::tile_at<Plan>(t, tiles_n, tiles_m);
    for (int step = 0; step < steps; ++step) {
      hopper::barrier_wait(&stages.empty[turn.stage], turn.phase ^ 1);
      Barrier* const full = &stages.full[turn.stage];
      hopper::barrier_expect(full, Plan::kStageBytes);
      hopper::tma_load(stages.x + turn.stage * Plan::kStageBytes, x_map, full, step * kInt4TileK,
                       at.n0);
      turn.advance();
    }
  }
}

/// This warpgroup's sums of one tile. `a` holds two steps, of which one is multiplied.
template <class Plan, int kGroupSize>
__device__ __forceinline__ void multiply(const Stages<Plan>& stages, hopper::Turn<Plan>& turn,
                                         const Source<kGroupSize>& source, int steps,
                                         const ColumnOrder& in_order, float (&d)[Plan::kSums]) {
  const bool speaks = threadIdx.x % kGroup == 0;
  constexpr int kAhead = Plan::kAhead;
  Packed<kGroupSize> ahead[kAhead];
#pragma unroll
  for (int i = 0; i < kAhead; ++i) ahead[i] = source.read(i);
  std::uint32_t a[2][4][4];
  unpack(a[0], ahead[0], in_order);
  ahead[0] = source.read(kAhead);
  int before = -1;
  for (int first = 0; first < steps; first += kAhead) {
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {  // so that the compiler knows every place in `a` and `ahead`
      const int step = first + i;
      if (step == steps) break;
      hopper::barrier_wait(&stages.full[turn.stage], turn.phase);
      const std::uint64_t x = hopper::wgmma_operand(stages.x + turn.stage * Plan::kStageBytes);
      hopper::wgmma_fence();
#pragma unroll
      for (int k = 0; k < 4; ++k) hopper::wgmma_f16(d, a[i % 2][k], x + 2 * k, step + k);
      hopper::wgmma_commit();
      hopper::wgmma_wait<1>();  // the step before this one has read its half of `a` and its stage
      if (speaks && before >= 0) hopper::barrier_arrive(&stages.empty[before]);
      before = turn.stage;
      turn.advance();
      unpack(a[(i + 1) % 2], ahead[(i + 1) % kAhead], in_order);
      ahead[(i + 1) % kAhead] = source.read(step + 1 + kAhead);
    }
  }
  hopper::wgmma_wait<0>();
  if (speaks) hopper::barrier_arrive(&stages.empty[before]);
}

/// Turns the sums round, to a row for each token, and hands them to the copy engine.
template <class Plan>
__device__ __forceinline__ void store(unsigned char* part, const CUtensorMap* y_map, int row,
                                      int token, const float (&d)[Plan::kSums]) {
  const int thread = static_cast<int>(threadIdx.x) % kGroup, lane = thread % 32;
  if (thread == 0) hopper::tma_store_wait_read();  // the tile before has left this memory
  hopper::named_barrier(1 + static_cast<int>(threadIdx.x) / kGroup, kGroup);
  const int piece = thread / 32 * 2 + lane / 8 % 2;  // 8 rows of W that this lane points at
  const auto word = [](float left, float right) { return as_word(__floats2half2_rn(left, right)); };
#pragma unroll
  for (int j = 0; j < Plan::kN / 8; j += 2) {  // twice 8 tokens
    const int m = 8 * (j + lane / 16) + lane % 8;
    hopper::stmatrix_x4_trans(part + m * kRowBytes + (piece ^ m % 8) * 16,
                              word(d[4 * j], d[4 * j + 1]), word(d[4 * j + 2], d[4 * j + 3]),
                              word(d[4 * j + 4], d[4 * j + 5]), word(d[4 * j + 6], d[4 * j + 7]));
  }
  hopper::fence_async();
  hopper::named_barrier(1 + static_cast<int>(threadIdx.x) / kGroup, kGroup);
  if (thread != 0) return;
  hopper::tma_store(y_map, part, row, token);
  hopper::tma_store_commit();
}

template <class Plan, int kGroupSize>
__global__ void __launch_bounds__((1 + kConsumers) * kGroup, 1)
    w4a16_wgmma_kernel(const __grid_constant__ CUtensorMap x_map,  // X [M, K]
                       const __grid_constant__ CUtensorMap y_map,  // Y [M, N]
                       const uint4* __restrict__ W,                // [strips, tiles, 32]
                       const uint2* __restrict__ groups,           // [strips, groups, 8]
                       int M, int N, int K) {
  DYNAMIC_SHARED(unsigned char, memory);
  Stages<Plan> stages;
  stages.x = memory + (1024 - ptx::shared_address(memory) % 1024) % 1024;
  stages.parts = stages.x + Plan::kStages * Plan::kStageBytes;
  stages.full = reinterpret_cast<Barrier*>(stages.parts + kConsumers * Plan::kPartBytes);
  stages.empty = stages.full + Plan::kStages;
  hopper::make_barriers<Plan::kStages>(stages.full, stages.empty);

  const int tiles_n = (N + kTileM - 1) / kTileM, tiles_m = (M + Plan::kN - 1) / Plan::kN;
  const int steps = (K + kInt4TileK - 1) / kInt4TileK, tiles_k = int4_tiles(K);
  const int role = static_cast<int>(threadIdx.x) / kGroup;
  if (role == kConsumers) {
    hopper::registers_give<40>();
    if (threadIdx.x % kGroup == 0) produce(stages, &x_map, tiles_n, tiles_m, steps);
    return;
  }
  hopper::registers_take<232>();
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const ColumnOrder in_order(lane % 4);
  hopper::Turn<Plan> turn;
  float d[Plan::kSums];
  for (int t = static_cast<int>(blockIdx.x); t < tiles_n * tiles_m;
       t += static_cast<int>(gridDim.x)) {
    const TileAt at = hopper::tile_at<Plan>(t, tiles_n, tiles_m);  // m0: of W's rows, n0: a token
    const int row = at.m0 + role * kPartM;
    // Rows that W does not have are those of its last strip again; the copy engine leaves them out.
    const int warp = static_cast<int>(threadIdx.x) % kGroup / 32;
    const std::int64_t strip = min(row / kInt4StripRows + warp, int4_strips(N) - 1);
    const Source<kGroupSize> source{
        .codes = W + strip * tiles_k * 32 + lane,
        .groups = groups + strip * (tiles_k * kInt4TileK / kGroupSize) * 8 + lane / 4,
        .last = steps - 1};
    multiply(stages, turn, source, steps, in_order, d);
    store<Plan>(stages.parts + role * Plan::kPartBytes, &y_map, row, at.n0, d);
  }
  if (threadIdx.x % kGroup == 0) hopper::tma_store_wait_read();
}

template <int kTokens, int kGroupSize>
void launch(const W4A16CudaWeights& W, const half* X, half* Y, int M, int N, int K, int blocks,
            Stream stream) {
  using P = Plan<kTokens>;
  enqueue(stream, static_cast<unsigned>(blocks), (1 + kConsumers) * kGroup, P::kSharedBytes,
          w4a16_wgmma_kernel<P, kGroupSize>, hopper::tensor_map(X, M, K, P::kN),
          hopper::tensor_map(Y, M, N, P::kN), W.fragments, W.groups, M, N, K);
}

template <int kTokens>
constexpr auto for_group_size(int group_size) {
  return group_size == 32   ? launch<kTokens, 32>
         : group_size == 64 ? launch<kTokens, 64>
                            : launch<kTokens, 128>;
}

}  // namespace

/// One product; W4A16Cuda says what it takes and gives.
void w4a16_gemm_cuda_v7_wgmma(const W4A16CudaWeights& W, const half* X, half* Y, int M, int N,
                              int K, Stream stream) {
  check_w4a16_cuda("w4a16_gemm_cuda_v7_wgmma", W, X, M, N, K, std::numeric_limits<int>::max());
  check_aligned("w4a16_gemm_cuda_v7_wgmma", "fragments", W.fragments);
  QLAB_CHECK(
      N % 8 == 0, "w4a16_gemm_cuda_v7_wgmma: N is ", N,
      ", expected a multiple of 8, as the copy engine moves 16 bytes of a row; pad W's rows");
  int device = 0, processors = 0;
  simt::check(cudaGetDevice(&device), "device");
  simt::check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device),
              "device");
  // The tile that is done first. Times are relative, as measured on an H100 for one tile each on all
  // multiprocessors: half the tokens take more than half the time, for the codes are the same.
  struct Choice {
    decltype(for_group_size<256>(128)) run;
    int tokens;
    double time;
  };
  const Choice choices[] = {{for_group_size<256>(W.rows.group_size), 256, 1},
                            {for_group_size<128>(W.rows.group_size), 128, 0.6},
                            {for_group_size<64>(W.rows.group_size), 64, 0.46}};
  const Choice* best = nullptr;
  int best_tiles = 0;
  double least = 0;
  for (const Choice& choice : choices) {
    const int tiles = (N + kTileM - 1) / kTileM * ((M + choice.tokens - 1) / choice.tokens);
    const double time = choice.time * ((tiles + processors - 1) / processors);
    if (best == nullptr || time < least) best = &choice, best_tiles = tiles, least = time;
  }
  best->run(W, X, Y, M, N, K, std::min(best_tiles, processors), stream);
}

}  // namespace qlab
