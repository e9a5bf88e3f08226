// SPDX-License-Identifier: Apache-2.0
/// \file
/// The product Y = X · Wᵀ of few tokens, whatever the elements: all that matters is that W is
/// always on its way.
///
/// Bottleneck   memory: each byte of W meets at most 64 tokens
/// Bytes moved  W once from memory. X from the L2, M / (rows of a block) times the bytes of W: that
///              is why many tokens need blocks of many rows, and such blocks are few: they share K
/// FLOPs        2·M·N·K, and those of the tokens that fill up eight
/// Teaches      W as the operand A of mma.sync, 16 rows; tokens as its 8 columns. K is only a sum,
///              so its order within an mma may be any that A and B have in common: with the 16
///              bytes that a lane copies it has its words of two mmas, and nobody else needs them.
///              Shared memory is then a queue of each thread's own: no ldmatrix, no banks in
///              conflict, and, where warps do not share X, no barrier
/// Leaves out   more than 64 tokens (mma_gemm, hopper_gemm), and on Hopper more than 16, where X is worth
///              a copy that all warps share (hopper_split_gemm); blocks that share K without clusters,
///              before Hopper: sums would need memory that each caller brings (w4a16_gemm_cuda has
///              it). There, more than 16 tokens of a small W leave multiprocessors idle
///
/// Of 64 bytes of K, lane 4g + t brings 16t … 16t + 15: of rows g and g + 8 of W, and of token g.
///
///   bytes of K   16t …  + 3   16t + 4 …   16t + 8 …   16t + 12 …
///   mma          first        first       second      second
///   a, row g     word 0       word 2      word 0      word 2
///   a, row g + 8 word 1       word 3      word 1      word 3
///   b, token g   word 0       word 1      word 0      word 1
///
/// K is split twice: a block of a cluster has consecutive steps of 64 bytes, which go round its
/// warps. Sums are added in the order of blocks and warps, so two runs give the same bits.
#pragma once

#include <algorithm>
#include <cstddef>

#include "common/cluster_sums.h"
#include "common/contract.h"
#include "simt/ptx.h"

namespace qlab::skinny {

inline constexpr int kMostTokens = 64;
inline constexpr int kLanes = 32;
inline constexpr int kEight = 8;       // tokens of an mma
inline constexpr int kMmaRows = 16;    // of W
inline constexpr int kStepPieces = 4;  // of 16 bytes of a row, for a warp at a time: two mmas

/// Who does what in a block, and how far ahead it copies. A multiprocessor needs some 40 KB of W on
/// their way to read at full speed: a block has (stages - 1) · row_warps · depth_warps · strips KB.
struct Choice {
  int eights;       ///< times eight tokens
  int strips;       ///< of 16 rows, for a warp: they share X in registers
  int row_warps;    ///< warps with other rows: they share X in shared memory
  int depth_warps;  ///< warps with the same rows and other steps of K
  int stages;
  int blocks;  ///< of a multiprocessor
};
// Up to 16 tokens: the rows of one multiprocessor suffice for a block, and no barrier is needed
// until the end. More tokens would read X as often as W, or oftener; now 128 rows share it, and the
// blocks of a cluster share K. Two blocks of four stages fit a multiprocessor, one fits those of
// capability 8.6.
inline constexpr Choice kEightTokens{1, 1, 1, 8, 6, 3};
inline constexpr Choice kSixteenTokens{2, 2, 1, 8, 4, 2};
inline constexpr Choice kThirtyTwoTokens{4, 2, 4, 2, 4, 2};
inline constexpr Choice kSixtyFourTokens{8, 2, 4, 2, 4, 2};

/// What follows from a choice.
template <Choice kChoice>
struct Plan {
  static constexpr int kEights = kChoice.eights, kStrips = kChoice.strips;
  static constexpr int kRowWarps = kChoice.row_warps, kDepthWarps = kChoice.depth_warps;
  static constexpr int kStages = kChoice.stages, kBlocks = kChoice.blocks;
  static constexpr int kTokens = kEights * kEight;
  static constexpr int kRows = kMmaRows * kStrips * kRowWarps;  ///< of W, for a block
  static constexpr int kWarps = kRowWarps * kDepthWarps;
  static constexpr int kThreads = kWarps * kLanes;
  static constexpr int kW = kWarps * kStrips * 2 * kLanes;   ///< loads of 16 bytes of a stage: W
  static constexpr int kX = kDepthWarps * kEights * kLanes;  ///< and X
  static constexpr int kSumRow = kRows + 4;  ///< sums of a token: 4 more, and lanes meet 32 banks
  static constexpr int kSharedBytes =
      std::max(kStages * (kW + kX) * 16, kDepthWarps* kTokens* kSumRow * 4);
  /// Steps of a warp for a row of so many pieces of 16 bytes.
  __host__ __device__ static constexpr int rounds(int pieces) {
    return (pieces + kDepthWarps * kStepPieces - 1) / (kDepthWarps * kStepPieces);
  }
  static_assert(kEights % kRowWarps == 0, "row warps share the copies of X equally");
};

/// A thread's place.
template <class P>
struct Place {
  int lane, g, t;  ///< g: row of eight and token of eight; t: 16 of 64 bytes
  int row_warp, depth_warp;
  __device__ Place() {
    const int thread = static_cast<int>(threadIdx.x), warp = thread / kLanes;
    lane = thread % kLanes, g = lane / 4, t = lane % 4;
    row_warp = warp % P::kRowWarps, depth_warp = warp / P::kRowWarps;
  }
  /// This warp's first row of W in the block.
  __device__ int first_row() const { return row_warp * (P::kStrips * kMmaRows); }
  /// Where this lane's 16 bytes of the i-th eight of the warp's rows lie in a stage.
  __device__ int w(int i) const {
    return ((depth_warp * P::kRowWarps + row_warp) * (2 * P::kStrips) + i) * kLanes + lane;
  }
  /// And those of the e-th eight of tokens.
  __device__ int x(int e) const { return P::kW + (depth_warp * P::kEights + e) * kLanes + lane; }
};

/// Rows of a matrix [rows, pieces] that a lane copies from: `first`, and others behind it.
struct Rows {
  const uint4 *matrix, *at;  // at: piece t of the first row
  int left;                  // rows from the first one to the end of the matrix
  /// For the `first` row of `rows` and what is behind it; this lane copies piece t of every eight.
  __device__ Rows(const uint4* of, int first, int rows, int pieces, int t)
      : matrix(of),
        at(first < rows ? of + static_cast<std::size_t>(first) * pieces + t : of),
        left(rows - first) {}
  /// Starts the copy of 16 bytes of row first + ahead. What does not exist becomes 0.
  __device__ void copy(uint4* to, int ahead, int step, bool in_row, int pieces) const {
    const bool valid = ahead < left && in_row;
    const uint4* const from = at + static_cast<std::size_t>(ahead) * pieces + step * kStepPieces;
    ptx::cp_async_16_zfill(to, valid ? from : matrix, valid);
  }
};

/// Starts this thread's copies of one step.
template <class P>
__device__ void fill(uint4* stage, const Place<P>& me, const Rows& x, const Rows& w, int step,
                     int pieces) {
  const bool in_row = step * kStepPieces + me.t < pieces;
  QLAB_UNROLL
  for (int i = 0; i < 2 * P::kStrips; ++i) w.copy(stage + me.w(i), 8 * i, step, in_row, pieces);
  QLAB_UNROLL
  for (int e = 0; e < P::kEights; e += P::kRowWarps) {  // shared with warps of the same bytes of K
    x.copy(stage + me.x(e + me.row_warp), kEight * e, step, in_row, pieces);
  }
}

/// Adds one step to this lane's sums.
template <class Format, class P, class Sum>
__device__ void multiply(Sum (&sum)[P::kStrips][P::kEights][4], const uint4* stage,
                         const Place<P>& me) {
  uint4 w[2 * P::kStrips];
  QLAB_UNROLL
  for (int i = 0; i < 2 * P::kStrips; ++i) w[i] = stage[me.w(i)];
  QLAB_UNROLL
  for (int e = 0; e < P::kEights; ++e) {
    const uint4 x = stage[me.x(e)];
    QLAB_UNROLL
    for (int s = 0; s < P::kStrips; ++s) {
      const uint4 &low = w[2 * s], &high = w[2 * s + 1];
      Format::mma(sum[s][e], {low.x, high.x, low.y, high.y}, {x.x, x.y});
      Format::mma(sum[s][e], {low.z, high.z, low.w, high.w}, {x.z, x.w});
    }
  }
}

/// This lane's sums → sums [kDepthWarps, kTokens, kSumRow] in shared memory.
template <class P, class Sum>
__device__ void leave(Sum* sums, const Sum (&sum)[P::kStrips][P::kEights][4], const Place<P>& me) {
  QLAB_UNROLL
  for (int s = 0; s < P::kStrips; ++s) {
    const int row = me.first_row() + s * kMmaRows + me.g;
    QLAB_UNROLL
    for (int e = 0; e < P::kEights; ++e) {
      QLAB_UNROLL
      for (int c = 0; c < 4; ++c) {  // tokens 2t, 2t + 1 of row g, then of row g + 8
        const int token = e * kEight + 2 * me.t + c % 2;
        sums[(me.depth_warp * P::kTokens + token) * P::kSumRow + row + c / 2 * 8] = sum[s][e][c];
      }
    }
  }
}

/// \tparam Format    Element, Sum of 4 bytes, and mma(d, a, b): 32 bytes along K
/// \tparam Epilogue  as of cluster_sums::store()
template <class Format, class Epilogue, class P>
__global__ void __launch_bounds__(P::kThreads, P::kBlocks)
    gemm_kernel(const uint4* __restrict__ X,  // [M, pieces] of 16 bytes
                const uint4* __restrict__ W,  // [N, pieces]
                uint2* __restrict__ Y,        // [M, N / 4] two pairs
                Epilogue epilogue, int M, int N, int pieces) {
  using Sum = typename Format::Sum;
  DYNAMIC_SHARED(uint4, memory);  // [kStages]  W, then X

  // Who am I: this cluster owns kRows rows of W, this block a part of K.
  const Place<P> me;
  const int n0 = static_cast<int>(blockIdx.x) * P::kRows;
  const Rows w(W, n0 + me.first_row() + me.g, N, pieces, me.t);
  const Rows x(X, me.row_warp * kEight + me.g, M, pieces, me.t);
  const int part = static_cast<int>(blockIdx.y), parts = static_cast<int>(gridDim.y);
  const int rounds = P::rounds(pieces);
  const int begin = rounds * part / parts, end = rounds * (part + 1) / parts;

  // Load:    global → shared, kStages - 1 steps ahead.
  const auto ask = [&](int round) {
    if (round < end) {
      const int step = round * P::kDepthWarps + me.depth_warp;
      fill(memory + (round - begin) % P::kStages * (P::kW + P::kX), me, x, w, step, pieces);
    }
    ptx::cp_async_commit();  // an empty group keeps the count
  };
  for (int i = 0; i < P::kStages - 1; ++i) ask(begin + i);

  // Compute: shared → registers → tensor cores.
  Sum sum[P::kStrips][P::kEights][4] = {};
  for (int round = begin; round < end; ++round) {
    ptx::cp_async_wait<P::kStages - 2>();
    // Others' copies of X have arrived, and their reads of the stage to be filled are done. A warp
    // that shares its bytes of K with nobody has copied itself what it reads.
    if constexpr (P::kRowWarps > 1) __syncthreads();
    ask(round + P::kStages - 1);
    multiply<Format, P>(sum, memory + (round - begin) % P::kStages * (P::kW + P::kX), me);
  }

  // Store:   sums → shared memory → one sum each → Y, of which a block of the cluster has a share.
  Sum* const sums = reinterpret_cast<Sum*>(memory);
  __syncthreads();  // all reads of the stages are done, sums may be written there
  leave(sums, sum, me);
  cluster_sync(parts);  // the sums of all warps of all parts are written, and now read
  cluster_sums::store<P>(sums, Y, epilogue, 0, n0, M, N, part, parts);
  cluster_meet(parts);  // nobody leaves while others read its sums
}

/// As many parts of K as give nine of ten multiprocessors a block: 1, 2, 4 or 8, since so many fit
/// whatever groups of multiprocessors a GPU has.
inline int parts_of_k(int tiles, int rounds) {
  int parts = 1;
  while (2 * parts <= kMostClusterBlocks && 2 * parts <= rounds &&
         10 * tiles * parts < 9 * multiprocessors()) {
    parts *= 2;
  }
  return parts;
}

/// Launches the kernel of plan P; X, W and Y as in enqueue_gemm, with `pieces` of 16 bytes a row.
template <class Format, class Epilogue, class P>
void enqueue_plan(const uint4* x, const uint4* w, uint2* y, const Epilogue& epilogue, int M, int N,
                  int pieces, Stream stream) {
  const auto kernel = gemm_kernel<Format, Epilogue, P>;
  const int tiles = (N + P::kRows - 1) / P::kRows;
  int parts = parts_of_k(tiles, P::rounds(pieces));
  if (parts > 1) parts = std::min(parts, most_cluster_blocks(kernel));
  enqueue_clusters(stream, dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(parts)),
                   P::kThreads, P::kSharedBytes, kernel, x, w, y, epilogue, M, N, pieces);
}

/// Y: elements of 16 bits, [M, N], N a multiple of 4. X [M, K], W [N, K]: rows of whole pieces of
/// 16 bytes. All 16-byte aligned.
/// \throws ContractError when M is above kMostTokens
template <class Format, class Epilogue, class Y>
void enqueue_gemm(const char* rung, const typename Format::Element* x,
                  const typename Format::Element* w, Y* y, const Epilogue& epilogue, int M, int N,
                  int K, Stream stream) {
  static_assert(sizeof(Y) == 2, "Y has 16 bits");
  QLAB_CHECK(M <= kMostTokens, rung, ": M=", M, "; it takes up to ", kMostTokens,
             " tokens, use a rung of tiles for more");
  const int pieces = K / (16 / static_cast<int>(sizeof(typename Format::Element)));
  const auto run = M <= 8    ? enqueue_plan<Format, Epilogue, Plan<kEightTokens>>
                   : M <= 16 ? enqueue_plan<Format, Epilogue, Plan<kSixteenTokens>>
                   : M <= 32 ? enqueue_plan<Format, Epilogue, Plan<kThirtyTwoTokens>>
                             : enqueue_plan<Format, Epilogue, Plan<kSixtyFourTokens>>;
  run(reinterpret_cast<const uint4*>(x), reinterpret_cast<const uint4*>(w),
      reinterpret_cast<uint2*>(y), epilogue, M, N, pieces, stream);
}

}  // namespace qlab::skinny
