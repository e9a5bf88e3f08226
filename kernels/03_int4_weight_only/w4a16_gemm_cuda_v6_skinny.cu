// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm_cuda, rung 6: up to 16 tokens; whole rows again, and no waiting but for memory.
///
/// Idea     a block takes 32 to 224 rows, its eight warps go round K by tiles. What a lane copies to
///          shared memory is what that lane will multiply, so each warp has a queue of its own and no
///          barrier until the end, where eight sums become one. X is read once by every block, and
///          where rows are few it has more bytes than the codes: but they come from the L2. How many
///          rows depends on N: nobody is waited for where all multiprocessors get as many
/// Before   rung 5 waits for the whole block at each step and, at the end of rows, three times for
///          memory: sums written, counted, and read by another block. The latter is the smaller part
/// Needs    compute capability 8.0, and 160 KB of shared memory for a block: not 8.6, 8.9 or
///          12.0
#include <algorithm>

#include "03_int4_weight_only/w4a16_fragments_cuda.h"
#include "03_int4_weight_only/w4a16_gemm_cuda.h"
#include "common/skinny_gemm.h"

namespace qlab {
namespace {

using skinny::Choice, skinny::kEight, skinny::kLanes;

constexpr int kMostSharedBytes = 160 << 10;  // of a block

/// A step of a warp is a tile of each of its strips, 64 of K, and what belongs to them.
template <int kGroup_, Choice kChoice>
struct Plan : skinny::Plan<kChoice> {
  using Base = skinny::Plan<kChoice>;
  static constexpr int kGroup = kGroup_;
  static constexpr int kGroups = std::max(1, kInt4TileK / kGroup);  // of a step, or half of one
  static constexpr int kGroupLoads = Base::kStrips * kGroups * 4;   // of 16 bytes
  static constexpr int kX = Base::kStrips * kLanes;                 // behind the codes
  static constexpr int kScales = kX + 2 * Base::kEights * kLanes;   // behind X
  static constexpr int kStage = kScales + kGroupLoads;              // of a warp
  static constexpr int kStagesBytes = Base::kStages * Base::kWarps * kStage * 16;
  static constexpr int kSumsBytes = Base::kDepthWarps * Base::kTokens * Base::kSumRow * 4;
  static constexpr int kSharedBytes = std::max(kStagesBytes, kSumsBytes);
  static_assert(Base::kRowWarps == 1);
};

/// This lane's copies. Offsets are of 16 bytes and fit 31 bits.
template <class P>
class Copies {
 public:
  /// Of P::kRows rows from n0 on; operands as the kernel has them.
  __device__ Copies(const uint4* W, const uint4* groups, const uint4* X, int n0, int M, int N,
                    int K)
      : W_(W),
        groups_(groups),
        X_(X),
        tokens_(M - me_.g),
        strips_(int4_strips(N) - n0 / kInt4StripRows),
        row_(K / 8),
        of_strip_(int4_tiles(K)),
        code_(n0 / kInt4StripRows * of_strip_ * kLanes + me_.lane),
        my_group_strip_(me_.lane / kOfStrip),
        group_((n0 / kInt4StripRows + my_group_strip_) * of_strip_ * kInt4TileK / P::kGroup * 4 +
               me_.lane % kOfStrip),
        x_(me_.g * row_ + me_.t) {}

  /// Starts those of one step. What does not exist becomes 0.
  __device__ void start(uint4* stage, int step) const {
    const bool in_row = step * (kInt4TileK / 8) < row_;
    QLAB_UNROLL
    for (int s = 0; s < P::kStrips; ++s) {
      copy(stage + s * kLanes + me_.lane, W_, code_ + (s * of_strip_ + step) * kLanes,
           in_row && s < strips_);
    }
    QLAB_UNROLL
    for (int i = 0; i < 2 * P::kEights; ++i) {  // halves of the tile, of eight tokens each
      const int piece = step * (kInt4TileK / 8) + i % 2 * 4, token = i / 2 * kEight;
      copy(stage + P::kX + i * kLanes + me_.lane, X_, x_ + token * row_ + piece,
           token < tokens_ && piece + me_.t < row_);
    }
    QLAB_UNROLL
    for (int s = 0; s < P::kStrips; s += kLanes / kOfStrip) {
      if (s + my_group_strip_ < P::kStrips) {
        copy(stage + P::kScales + s * kOfStrip + me_.lane, groups_,
             group_ + (s * of_strip_ + step) * kInt4TileK / P::kGroup * 4,
             in_row && s + my_group_strip_ < strips_);
      }
    }
  }

 private:
  static constexpr int kOfStrip = P::kGroups * 4;  // loads: its groups of a step
  static __device__ void copy(uint4* to, const uint4* from, int at, bool valid) {
    ptx::cp_async_16_zfill(to, from + (valid ? at : 0), valid);
  }

  const uint4 *W_, *groups_, *X_;
  skinny::Place<P> me_;
  int tokens_, strips_;  // from this lane's first token on, from the block's first strip on
  int row_, of_strip_;   // pieces of a token, tiles of a strip
  int code_, my_group_strip_, group_, x_;
};

/// Adds one step to this lane's sums.
template <class P>
__device__ void multiply(float (&sum)[P::kStrips][P::kEights][4], const uint4* stage,
                         const skinny::Place<P>& me) {
  constexpr int kHalves = 2 / P::kGroups;  // tiles of one group, in halves
  const uint2* const groups = reinterpret_cast<const uint2*>(stage + P::kScales);
  QLAB_UNROLL
  for (int i = 0; i < P::kGroups; ++i) {
    QLAB_UNROLL
    for (int s = 0; s < P::kStrips; ++s) {
      const FragmentGroup open = open_group(groups[(s * P::kGroups + i) * 8 + me.g]);
      const uint4 codes = stage[s * kLanes + me.lane];
      float part[P::kEights][4] = {};
      QLAB_UNROLL
      for (int h = i * kHalves; h < (i + 1) * kHalves; ++h) {
        std::uint32_t a[2][4];
        fragment_of(a[0], h == 0 ? codes.x : codes.z, open);
        fragment_of(a[1], h == 0 ? codes.y : codes.w, open);
        QLAB_UNROLL
        for (int e = 0; e < P::kEights; ++e) {
          const uint4 x = stage[P::kX + (2 * e + h) * kLanes + me.lane];
          ptx::mma_m16n8k16_f16(part[e], a[0], {x.x, x.y});
          ptx::mma_m16n8k16_f16(part[e], a[1], {x.z, x.w});
        }
      }
      QLAB_UNROLL
      for (int e = 0; e < P::kEights; ++e) {
        QLAB_UNROLL
        for (int c = 0; c < 4; ++c) {
          const float scale = c < 2 ? open.scale_low : open.scale_high;
          sum[s][e][c] = __fmaf_rn(part[e][c], scale, sum[s][e][c]);
        }
      }
    }
  }
}

template <class P>
__global__ void __launch_bounds__(P::kThreads, P::kBlocks)
    w4a16_skinny_kernel(const uint4* __restrict__ W,       // [strips, tiles, 32]
                        const uint4* __restrict__ groups,  // [strips, groups, 4]
                        const uint4* __restrict__ X,       // [M, K / 8]
                        half* __restrict__ Y,              // [M, N]
                        int M, int N, int K) {
  DYNAMIC_SHARED(uint4, memory);  // [kWarps, kStages]  codes, X, groups; at the end sums

  // Who am I: this block owns some strips, this warp every eighth tile of them.
  const skinny::Place<P> me;
  const int n0 = static_cast<int>(blockIdx.x) * P::kRows;
  const Copies<P> copies(W, groups, X, n0, M, N, K);
  const int rounds = (K + P::kWarps * kInt4TileK - 1) / (P::kWarps * kInt4TileK);
  uint4* const mine = memory + me.depth_warp * (P::kStages * P::kStage);

  // Load:    global → shared, kStages - 1 steps ahead.
  const auto ask = [&](int round) {
    if (round < rounds) {
      copies.start(mine + round % P::kStages * P::kStage, round * P::kWarps + me.depth_warp);
    }
    ptx::cp_async_commit();  // an empty group keeps the count
  };
  for (int i = 0; i < P::kStages - 1; ++i) ask(i);

  // Compute: shared → fragments → tensor cores.
  float sum[P::kStrips][P::kEights][4] = {};
  for (int round = 0; round < rounds; ++round) {
    ptx::cp_async_wait<P::kStages - 2>();
    __syncwarp();  // groups, which other lanes copied, have arrived; reads of the last step are done
    ask(round + P::kStages - 1);
    multiply<P>(sum, mine + round % P::kStages * P::kStage, me);
  }

  // Store:   sums → shared memory → one sum each → Y.
  float* const sums = reinterpret_cast<float*>(memory);
  __syncthreads();  // all reads of the stages are done, sums may be written there
  skinny::leave(sums, sum, me);
  __syncthreads();  // the sums of all warps are written, and now read
  constexpr int kFours = P::kRows / 4;
  for (int i = static_cast<int>(threadIdx.x); i < M * kFours; i += P::kThreads) {
    const int m = i / kFours, row = i % kFours * 4, n = n0 + row;
    const cluster_sums::Four<float> total = cluster_sums::add_up<P>(sums + m * P::kSumRow + row, 1);
    QLAB_UNROLL
    for (int c = 0; c < 4; ++c) {
      if (n + c < N) Y[static_cast<std::size_t>(m) * N + n + c] = __float2half_rn(total.of[c]);
    }
  }
}

template <class P>
void launch(const W4A16CudaWeights& W, const half* X, half* Y, int M, int N, int K, Stream stream) {
  const std::int64_t codes =
      std::int64_t{int4_strips(N)} * kInt4StripRows * int4_tiles(K) * kInt4TileK;
  QLAB_CHECK(codes < std::int64_t{1} << 35 && std::int64_t{M} * K < std::int64_t{1} << 33,
             "w4a16_gemm_cuda_v6_skinny: N = ", N, ", K = ", K,
             " are more than 31 bits count; split the rows");
  enqueue(stream, static_cast<unsigned>((N + P::kRows - 1) / P::kRows), P::kThreads,
          P::kSharedBytes, w4a16_skinny_kernel<P>, W.fragments,
          reinterpret_cast<const uint4*>(W.groups), reinterpret_cast<const uint4*>(X), Y, M, N, K);
}

/// With groups of 32 not all plans fit a multiprocessor.
template <class P>
constexpr W4A16Cuda* launch_if_it_fits() {
  if constexpr (P::kSharedBytes <= kMostSharedBytes) return launch<P>;
  return nullptr;
}

struct Candidate {
  std::int64_t rows;  // of a block
  W4A16Cuda* run;
  std::int64_t most_rows(std::int64_t n, std::int64_t multiprocessors) const {
    const std::int64_t blocks = (n + rows - 1) / rows;
    return (blocks + multiprocessors - 1) / multiprocessors * rows;
  }
};

/// The plan of these whose blocks leave least to wait for: the multiprocessor with most rows is the
/// last one to end. Of equals the one with larger blocks, since each reads X.
template <int kGroup, Choice... kChoices>
Candidate plan_of(int N) {
  constexpr Candidate kAll[] = {
      {Plan<kGroup, kChoices>::kRows, launch_if_it_fits<Plan<kGroup, kChoices>>()}...};
  const int here = multiprocessors();
  const Candidate* best = kAll;
  for (const Candidate& c : kAll) {
    if (c.run != nullptr && c.most_rows(N, here) <= best->most_rows(N, here)) best = &c;
  }
  return *best;
}

template <int kGroup>
Candidate plan_of_group(int M, int N) {
  // The fastest of those tried on an H100: 24 KB of codes or more are on their way to each
  // multiprocessor.
  return M <= 8 ? plan_of<kGroup, Choice{1, 2, 1, 8, 5, 1}, Choice{1, 3, 1, 8, 5, 2},
                          Choice{1, 4, 1, 8, 4, 2}, Choice{1, 6, 1, 8, 3, 2},
                          Choice{1, 7, 1, 8, 3, 1}>(N)
                : plan_of<kGroup, Choice{2, 2, 1, 8, 4, 1}, Choice{2, 3, 1, 8, 3, 2},
                          Choice{2, 4, 1, 8, 4, 1}, Choice{2, 6, 1, 8, 3, 1},
                          Choice{2, 7, 1, 8, 3, 1}, Choice{2, 14, 1, 8, 2, 1}>(N);
}

Candidate plan_for(int M, int N, int group_size) {
  return group_size == 32   ? plan_of_group<32>(M, N)
         : group_size == 64 ? plan_of_group<64>(M, N)
                            : plan_of_group<128>(M, N);
}

}  // namespace

/// One product; W4A16Cuda says what it takes and gives.
void w4a16_gemm_cuda_v6_skinny(const W4A16CudaWeights& W, const half* X, half* Y, int M, int N,
                               int K, Stream stream) {
  check_w4a16_cuda("w4a16_gemm_cuda_v6_skinny", W, X, M, N, K, kW4A16SkinnyTokens);
  check_aligned("w4a16_gemm_cuda_v6_skinny", "fragments", W.fragments);
  check_aligned("w4a16_gemm_cuda_v6_skinny", "groups", W.groups);
  plan_for(M, N, W.rows.group_size).run(W, X, Y, M, N, K, stream);
}

int w4a16_skinny_rows(int M, int N, int group_size) {
  return static_cast<int>(plan_for(M, N, group_size).rows);
}

}  // namespace qlab
