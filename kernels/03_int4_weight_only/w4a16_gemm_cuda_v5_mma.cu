// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm_cuda, rung 5: up to 64 tokens share one read of the codes, blocks share the work equally.
///
/// Idea     codes are the operand A of an mma, tokens its columns: eight tokens cost what one does.
///          Codes and X are on their way to shared memory three stages ahead. All pieces of work, 128
///          rows by 128 or 256 of K, form one line that is cut into as many equal parts as there are blocks
///          (stream-K). Blocks that end up with parts of the same rows leave their sums in memory, and
///          the last of them to arrive adds them up, in the order of K
/// Before   one token; a grid of whole rows leaves multiprocessors idle at its end
/// Needs    compute capability 8.0
#include <algorithm>

#include "03_int4_weight_only/w4a16_fragments_cuda.h"
#include "03_int4_weight_only/w4a16_gemm_cuda.h"
#include "03_int4_weight_only/w4a16_stage_cuda.h"

namespace qlab {
namespace {

using w4a16::Copies, w4a16::kLanes, w4a16::multiply, w4a16::Plan;

/// What all blocks know of the line of work. pieces() · blocks fits 31 bits.
struct Line {
  int of_rows;    // pieces of the same rows: along K
  int row_tiles;  // 128 rows each
  __device__ int pieces() const { return of_rows * row_tiles; }
  __device__ int begin(int block) const { return pieces() * block / static_cast<int>(gridDim.x); }
  /// The last block that begins at or before this piece.
  __device__ int block_of(int piece) const {
    return ((piece + 1) * static_cast<int>(gridDim.x) - 1) / pieces();
  }
};

/// Leaves this block's sums in memory. Whether it is the last one of those that share the rows: then
/// its sums become those of all, added in the order of K, and the counter is as it was before.
template <int kThreads, int S, int kEights>
__device__ bool add_up(float (&sum)[S][kEights][4], float4* partial, unsigned* arrived, int rows,
                       const Line& line, int first_block, int last_block) {
  const int tid = static_cast<int>(threadIdx.x), me = static_cast<int>(blockIdx.x);
  constexpr int kSlot = kW4A16BlockRows * kW4A16MaxTokens / 4;
  // A block's first rows have its slot 0. Only the first block of these rows can have others before.
  const bool second = line.begin(first_block) < rows * line.of_rows;
  const auto slot_of = [&](int block) {
    const int slot = 2 * block + (second && block == first_block ? 1 : 0);
    return partial + static_cast<std::size_t>(slot) * kSlot + tid;
  };
  float4* const mine = slot_of(me);
  QLAB_UNROLL
  for (int s = 0; s < S; ++s) {
    QLAB_UNROLL
    for (int e = 0; e < kEights; ++e) {
      const float(&v)[4] = sum[s][e];
      mine[(s * kEights + e) * kThreads] = make_float4(v[0], v[1], v[2], v[3]);
    }
  }
  __syncthreads();  // the sums of the whole block are written, and now announced
  bool last = false;
  if (tid == 0) {
    last = arrive(&arrived[rows]) == static_cast<unsigned>(last_block - first_block);
    if (last) arrived[rows] = 0;
  }
  if (__syncthreads_or(last) == 0) return false;  // all blocks' sums are announced, and now read
  // Several blocks' sums are asked for at once, as many as registers hold.
  constexpr int kValues = S * kEights, kAtOnce = 16 / kValues;
  float4 total[kValues] = {};
  for (int from = first_block; from <= last_block; from += kAtOnce) {
    float4 more[kAtOnce][kValues] = {};
    QLAB_UNROLL
    for (int i = 0; i < kAtOnce; ++i) {
      QLAB_UNROLL
      for (int v = 0; v < kValues; ++v) {
        if (from + i <= last_block) more[i][v] = slot_of(from + i)[v * kThreads];
      }
    }
    QLAB_UNROLL
    for (int i = 0; i < kAtOnce; ++i) {
      QLAB_UNROLL
      for (int v = 0; v < kValues; ++v) {
        total[v] = make_float4(total[v].x + more[i][v].x, total[v].y + more[i][v].y,
                               total[v].z + more[i][v].z, total[v].w + more[i][v].w);
      }
    }
  }
  QLAB_UNROLL
  for (int v = 0; v < kValues; ++v) {
    float(&to)[4] = sum[v / kEights][v % kEights];
    to[0] = total[v].x, to[1] = total[v].y, to[2] = total[v].z, to[3] = total[v].w;
  }
  return true;
}

template <int kEights, int kGroup>
__global__ void __launch_bounds__(Plan<kEights, kGroup>::kThreads, 2)
    w4a16_mma_kernel(const uint4* __restrict__ W,       // [strips, tiles, 32]
                     const uint4* __restrict__ groups,  // [strips, groups, 4]
                     const uint4* __restrict__ X,       // [M, K / 8]
                     half* __restrict__ Y,              // [M, N]
                     float4* partial,                   // [2 · blocks] of 128 × 64
                     unsigned* arrived,                 // [row tiles]
                     int M, int N, int K) {
  using P = Plan<kEights, kGroup>;
  constexpr int S = P::kMyStrips, kStages = P::kStages;
  DYNAMIC_SHARED(uint4, memory);  // [kStages]  codes, then groups, then X

  // Who am I: this block owns a part of the line, this warp one or two of its eight strips.
  const int lane = static_cast<int>(threadIdx.x) % kLanes, g = lane / 4, t = lane % 4;
  const int my_strip = static_cast<int>(threadIdx.x) / kLanes * S;
  const Line line{.of_rows = int4_tiles(K) / P::kTiles,
                  .row_tiles = (N + kW4A16BlockRows - 1) / kW4A16BlockRows};
  const int begin = line.begin(static_cast<int>(blockIdx.x));
  const int end = line.begin(static_cast<int>(blockIdx.x) + 1);
  int rows = begin / line.of_rows, step = begin % line.of_rows;  // of the piece at hand
  int next = begin, next_rows = rows, next_step = step;          // of the next one to ask for
  const Copies<P> copies(W, groups, X, M, N, K);
  const auto ask = [&] {
    if (next < end) {
      copies.start(memory + static_cast<unsigned>(next - begin) % kStages * P::kStage, next_rows,
                   next_step);
    }
    ptx::cp_async_commit();  // an empty group keeps the count
    ++next;
    if (++next_step == line.of_rows) next_step = 0, ++next_rows;
  };

  // Load:    global → shared, kStages - 1 pieces ahead, also across the end of rows.
  float sum[S][kEights][4] = {};
  for (int i = 0; i < kStages - 1; ++i) ask();
  for (int piece = begin; piece < end; ++piece) {
    ptx::cp_async_wait<kStages - 2>();
    __syncthreads();  // the copies of this piece have arrived, the reads of the last one are done
    ask();
    // Compute: shared → fragments → tensor cores.
    multiply<P>(sum, memory + static_cast<unsigned>(piece - begin) % kStages * P::kStage, my_strip,
                lane);
    if (++step < line.of_rows && piece + 1 < end) continue;

    // Store:   sums → global, if all of K is in them; else with those of other blocks.
    const int first_block = line.block_of(rows * line.of_rows);
    const int last_block = line.block_of((rows + 1) * line.of_rows - 1);
    const bool mine =
        first_block == last_block ||
        add_up<P::kThreads>(sum, partial, arrived, rows, line, first_block, last_block);
    QLAB_UNROLL
    for (int s = 0; s < S; ++s) {
      const int n = rows * kW4A16BlockRows + (my_strip + s) * kInt4StripRows + g;
      QLAB_UNROLL
      for (int e = 0; e < kEights; ++e) {
        QLAB_UNROLL
        for (int c = 0; c < 4; ++c) {  // columns 2t, 2t + 1 of row g, then of row g + 8
          const int m = e * 8 + 2 * t + c % 2, my_n = n + c / 2 * 8;
          if (mine && m < M && my_n < N) {
            Y[static_cast<std::size_t>(m) * N + my_n] = __float2half_rn(sum[s][e][c]);
          }
          sum[s][e][c] = 0;
        }
      }
    }
    step = 0, ++rows;
  }
}

template <int kEights, int kGroup>
void launch(const W4A16CudaWeights& W, const half* X, half* Y, int M, int N, int K, Stream stream) {
  using P = Plan<kEights, kGroup>;
  const std::size_t pieces = w4a16_tickets(N) * static_cast<std::size_t>(int4_tiles(K) / P::kTiles);
  const auto blocks = std::min(static_cast<std::size_t>(W.blocks), pieces);
  QLAB_CHECK(pieces < (std::size_t{1} << 31) / std::max<std::size_t>(blocks + 1, P::kCodes),
             "w4a16_gemm_cuda_v5_mma: N = ", N, ", K = ", K, " on ", blocks,
             " blocks are more than 31 bits count; split the rows");
  enqueue(stream, static_cast<unsigned>(blocks), P::kThreads,
          P::kStages * P::kStage * sizeof(uint4), w4a16_mma_kernel<kEights, kGroup>, W.fragments,
          reinterpret_cast<const uint4*>(W.groups), reinterpret_cast<const uint4*>(X), Y,
          reinterpret_cast<float4*>(W.partial), W.arrived, M, N, K);
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
void w4a16_gemm_cuda_v5_mma(const W4A16CudaWeights& W, const half* X, half* Y, int M, int N, int K,
                            Stream stream) {
  check_w4a16_cuda("w4a16_gemm_cuda_v5_mma", W, X, M, N, K, kW4A16MaxTokens);
  check_aligned("w4a16_gemm_cuda_v5_mma", "fragments", W.fragments);
  check_aligned("w4a16_gemm_cuda_v5_mma", "groups", W.groups);
  QLAB_CHECK(W.blocks >= 1, "w4a16_gemm_cuda_v5_mma: blocks is ", W.blocks,
             "; pass how many the GPU holds at a time, two for each multiprocessor");
  const auto run = W.rows.group_size == 32   ? for_tokens<32>(M)
                   : W.rows.group_size == 64 ? for_tokens<64>(M)
                                             : for_tokens<128>(M);
  run(W, X, Y, M, N, K, stream);
}

}  // namespace qlab
