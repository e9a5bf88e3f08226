// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_gemm_tiled: a block stages 64 rows of X and of W, 32 of K at a time, and multiplies from there.
///
/// Bottleneck   instructions: 32 of about 56 a pair of k are multiply-adds
/// Teaches      each value is read from global memory once a block and used 64 times
/// Leaves out   loading the next tile while this one is multiplied; fragments (fp16_gemm_mma)
#include "01_fp16_baseline/fp16_gemm_tiled.h"

#include "simt/traced.h"

namespace qlab::exercise {
namespace {

constexpr int kTile = 64;   // rows of X, and rows of W, that a block works on
constexpr int kDepth = 32;  // of K, at a time
constexpr int kSide = 16;   // a block is 16 × 16 threads
constexpr int kThreads = kSide * kSide;
constexpr int kEach = kTile / kSide;  // a thread computes 4 × 4 elements of Y

// Two halves of padding: a row of a tile is 17 words, an odd number, so the same k of 16 rows lies
// in 16 different banks. With 16 words, eight of those rows would share a bank.
constexpr int kStride = kDepth + 2;  // halves from a row of a tile to the next
constexpr int kPairs = kStride / 2;  // the same in pairs

/// A tile, seen as halves for filling it and as pairs for reading it.
struct Tile {
  simt::traced<half> halves;        // [kTile, kStride]  element (row, k) at row * kStride + k
  simt::traced<const half2> pairs;  // [kTile, kPairs]   pair (row, p) at row * kPairs + p
};

__device__ Tile tile_at(const char* name, half* memory) {
  return {simt::trace_shared(name, memory),
          simt::trace_shared(name, reinterpret_cast<const half2*>(memory))};
}

/// Copies rows first … first + kTile - 1 of a matrix, k0 … k0 + kDepth - 1 of each, into a tile.
__device__ void fill(const Tile& tile, const simt::traced<const half>& matrix,  // [rows, K]
                     int rows, int K, int first, int k0) {
  const int thread = static_cast<int>(threadIdx.x);
  // BEGIN SOLUTION [fp16_gemm_tiled_fill] Copy a tile from global to shared memory
  // Write all kTile × kDepth elements of tile.halves, kThreads threads together. Element (row, k) is
  // matrix[(first + row) * K + k0 + k], with the row number as std::size_t; where the matrix has no
  // such row or k it is 0. Neighbouring threads must read neighbouring halves.

  // A warp copies 32 halves of one row: 64 bytes side by side. Past the matrix nothing is read, and
  // zeros add nothing to a sum; what lay there before would.
  for (int i = thread; i < kTile * kDepth; i += kThreads) {
    const int row = i / kDepth, k = i % kDepth;
    half value = __float2half(0.0F);
    if (first + row < rows && k0 + k < K) {
      value = matrix[static_cast<std::size_t>(first + row) * static_cast<std::size_t>(K) +
                     static_cast<std::size_t>(k0 + k)];
    }
    tile.halves[row * kStride + k] = value;
  }
  // END SOLUTION [fp16_gemm_tiled_fill]
}

__global__ void __launch_bounds__(kThreads)
    fp16_gemm_tiled_kernel(simt::traced<const half> X,  // [M, K]
                           simt::traced<const half> W,  // [N, K]
                           simt::traced<float> Y,       // [M, N]
                           int M, int N, int K) {
  DYNAMIC_SHARED(half, memory);
  const Tile x_tile = tile_at("X tile", memory),
             w_tile = tile_at("W tile", memory + kTile * kStride);

  // Who am I: this block owns Y[m0 … m0 + 63, n0 … n0 + 63]; of these, this thread owns the rows
  // m0 + ty + 16·i and the columns n0 + tx + 16·j.
  const int m0 = static_cast<int>(blockIdx.y) * kTile, n0 = static_cast<int>(blockIdx.x) * kTile;
  const int tx = static_cast<int>(threadIdx.x) % kSide, ty = static_cast<int>(threadIdx.x) / kSide;
  float sum[kEach][kEach] = {};  // sum[i][j] belongs to row i, column j of this thread

  for (int k0 = 0; k0 < K; k0 += kDepth) {
    // Load:    global → shared, two bytes a thread, a warp side by side.
    fill(x_tile, X, M, K, m0, k0);
    fill(w_tile, W, N, K, n0, k0);
    // Compute: shared → registers → sums.
    // BEGIN SOLUTION [fp16_gemm_tiled_multiply] Multiply the tiles
    // Add to sum[i][j] the products of row ty + 16·i of x_tile and row tx + 16·j of w_tile, over the
    // kDepth / 2 pairs of a row, in FP32. Other threads filled these tiles, and will fill them again
    // as soon as they can: say where everybody must wait, and for what.

    __syncthreads();  // fill() above writes the tiles, the products below read them
    for (int p = 0; p < kDepth / 2; ++p) {
      float2 x[kEach], w[kEach];
      for (int i = 0; i < kEach; ++i)
        x[i] = __half22float2(x_tile.pairs[(ty + kSide * i) * kPairs + p]);
      for (int j = 0; j < kEach; ++j)
        w[j] = __half22float2(w_tile.pairs[(tx + kSide * j) * kPairs + p]);
      for (int i = 0; i < kEach; ++i) {
        for (int j = 0; j < kEach; ++j) {
          sum[i][j] = __fmaf_rn(x[i].y, w[j].y, __fmaf_rn(x[i].x, w[j].x, sum[i][j]));
        }
      }
    }
    __syncthreads();  // the products above read the tiles, the next step's fill() overwrites them
    // END SOLUTION [fp16_gemm_tiled_multiply]
  }

  // Store:   sums → global, elements past the last row or column masked.
  // BEGIN SOLUTION [fp16_gemm_tiled_store] Store this thread's part of Y
  // Write each sum[i][j] to Y[m * N + n], with m as std::size_t, if Y has that element.

  // A warp's 16 columns are side by side in memory. A column past N would land in the next row.
  for (int i = 0; i < kEach; ++i) {
    for (int j = 0; j < kEach; ++j) {
      const int m = m0 + ty + kSide * i, n = n0 + tx + kSide * j;
      if (m < M && n < N) {
        Y[static_cast<std::size_t>(m) * static_cast<std::size_t>(N) + static_cast<std::size_t>(n)] =
            sum[i][j];
      }
    }
  }
  // END SOLUTION [fp16_gemm_tiled_store]
}

}  // namespace

void fp16_gemm_tiled(const half* X, const half* W, float* Y, int M, int N, int K) {
  QLAB_CHECK(M >= 1 && N >= 1 && K >= 1, "fp16_gemm_tiled: M=", M, " N=", N, " K=", K,
             "; every side is at least 1");
  const dim3 grid(static_cast<unsigned>((N + kTile - 1) / kTile),
                  static_cast<unsigned>((M + kTile - 1) / kTile));
  simt::launch(grid, kThreads, 2 * kTile * kStride * sizeof(half), fp16_gemm_tiled_kernel,
               simt::trace("X", X), simt::trace("W", W), simt::trace("Y", Y), M, N, K);
}

}  // namespace qlab::exercise
