// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm_cuda, rung 4: all codes of a warp are asked for before the first of them is used.
///
/// Idea     a block takes 16 rows, each of its 16 warps a part of K: four loads of 512 bytes side by
///          side, which do not wait for each other. With 32 warps on a multiprocessor that is 64 KB on
///          their way, more than memory needs to run at full speed. A warp's 1024 codes are fragments
///          as they lie, so four mmas multiply and add them, in FP32, with no shuffle at the end; all
///          eight columns of B are the one token
/// Before   a warp waited for its 512 bytes, then asked for the next; sums rounded in FP16
/// Needs    compute capability 8.0
#include "03_int4_weight_only/w4a16_fragments_cuda.h"
#include "03_int4_weight_only/w4a16_gemm_cuda.h"

namespace qlab {
namespace {

constexpr int kWarps = 16, kLanes = 32, kThreads = kWarps * kLanes;
constexpr int kMmaK = 16;                     // of K, in one mma: a word of codes
constexpr int kTiles = 4;                     // of a chunk: so many loads a warp has in flight
constexpr int kChunkK = kTiles * kInt4TileK;  // and of K: eight x a lane

template <int kGroup>
__global__ void __launch_bounds__(kThreads, 2)
    w4a16_in_flight_kernel(const uint4* __restrict__ W,       // [strips, tiles, 32]
                           const uint2* __restrict__ packed,  // [strips, groups, 8]
                           const uint4* __restrict__ x,       // [K / 8]
                           half* __restrict__ y,              // [N]
                           int N, int K) {
  constexpr int kGroups = kChunkK / kGroup;
  __shared__ uint4 x_chunk[kWarps][kLanes];  // a warp's own
  __shared__ float part[kWarps][kInt4StripRows];

  // Who am I: this block owns a strip of 16 rows, this warp every 16th chunk of it; lane 4g + t has
  // the rows g and g + 8, and of 32 columns 8t … 8t + 7.
  const int lane = static_cast<int>(threadIdx.x) % kLanes, g = lane / 4, t = lane % 4;
  const int warp = static_cast<int>(threadIdx.x) / kLanes, strip = static_cast<int>(blockIdx.x);
  const int chunks = int4_tiles(K) / kTiles;
  const uint4* codes_at =
      W + (static_cast<std::size_t>(strip) * chunks + warp) * (kTiles * kLanes) + lane;
  const uint2* group_at =
      packed + (static_cast<std::size_t>(strip) * chunks + warp) * kGroups * 8 + g;

  float sum_low = 0, sum_high = 0;  // of row g and of row g + 8
  for (int chunk = warp; chunk < chunks; chunk += kWarps) {
    // Load:    codes, groups and x, none of which waits for another. No x behind the end: 0.
    uint4 codes[kTiles];
    uint2 group[kGroups];
    for (int i = 0; i < kTiles; ++i) codes[i] = ptx::load_once(codes_at + i * kLanes);
    for (int i = 0; i < kGroups; ++i) group[i] = group_at[i * 8];
    const int my_eight = chunk * kLanes + lane;
    const uint4 my_x = my_eight < K / 8 ? x[my_eight] : make_uint4(0, 0, 0, 0);
    codes_at += kWarps * kTiles * kLanes;
    group_at += kWarps * kGroups * 8;
    __syncwarp();  // the reads of the last chunk's x are done, this one's may be written
    x_chunk[warp][lane] = my_x;
    __syncwarp();  // x is written, and now read

    // Compute: a group at a time, a word of codes an mma; then its scale.
    for (int i = 0; i < kGroups; ++i) {
      const FragmentGroup open = open_group(group[i]);
      float products[4] = {};
      for (int word = 0; word < kGroup / kMmaK; ++word) {
        const int j = i * kGroup / kMmaK + word;
        std::uint32_t a[4];
        fragment_of(a, word_of(codes[j / 4], j % 4), open);
        const uint4& eight = x_chunk[warp][j / 2 * 4 + t];
        const std::uint32_t b[2] = {j % 2 == 0 ? eight.x : eight.z, j % 2 == 0 ? eight.y : eight.w};
        ptx::mma_m16n8k16_f16(products, a, b);
      }
      sum_low = __fmaf_rn(products[0], open.scale_low, sum_low);
      sum_high = __fmaf_rn(products[2], open.scale_high, sum_high);
    }
  }

  // Store:   16 partial sums of each row → one. All columns of an mma are the same.
  if (t == 0) {
    part[warp][g] = sum_low;
    part[warp][g + 8] = sum_high;
  }
  __syncthreads();  // the sums of all warps are written, and now read
  const int row = static_cast<int>(threadIdx.x), n = strip * kInt4StripRows + row;
  if (row < kInt4StripRows && n < N) {
    float sum = 0;
    for (int w = 0; w < kWarps; ++w) sum += part[w][row];
    y[n] = __float2half_rn(sum);
  }
}

}  // namespace

/// One product; W4A16Cuda says what it takes and gives.
void w4a16_gemm_cuda_v4_in_flight(const W4A16CudaWeights& W, const half* X, half* Y, int M, int N,
                                  int K, Stream stream) {
  check_w4a16_cuda("w4a16_gemm_cuda_v4_in_flight", W, X, M, N, K, 1);
  check_aligned("w4a16_gemm_cuda_v4_in_flight", "fragments", W.fragments);
  const auto kernel = W.rows.group_size == 32   ? w4a16_in_flight_kernel<32>
                      : W.rows.group_size == 64 ? w4a16_in_flight_kernel<64>
                                                : w4a16_in_flight_kernel<128>;
  enqueue(stream, static_cast<unsigned>(int4_strips(N)), kThreads, 0, kernel, W.fragments, W.groups,
          reinterpret_cast<const uint4*>(X), Y, N, K);
}

}  // namespace qlab
