// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_gemm_mma: each of four warps multiplies 16 rows of X with 64 rows of W, 16 of K an mma.
///
/// Bottleneck   waiting for the tiles: they are loaded, then multiplied, never both at once
/// Teaches      lane / 4 is the row, lane % 4 the pair of columns; W needs no transpose
/// Leaves out   two stages of tiles and ldmatrix (tests/simt/fp16_gemm_mma.h); wgmma
#include "01_fp16_baseline/fp16_gemm_mma.h"

#include "simt/ptx.h"
#include "simt/traced.h"

namespace qlab::exercise {
namespace {

constexpr int kWarps = 4, kLanes = 32, kThreads = kWarps * kLanes;
constexpr int kTile = 64;                         // rows of X, and rows of W, that a block works on
constexpr int kDepth = 32;                        // of K, at a time
constexpr int kMmaM = 16, kMmaN = 8, kMmaK = 16;  // what one mma multiplies
constexpr int kColumns = kTile / kMmaN;           // mmas side by side in a warp's part of Y

// Eight halves of padding: rows are 20 words apart, so the eight rows and four words of a fragment's
// load lie in 32 different banks. With 16 words four rows would share a bank. Still a multiple of 16
// bytes, as the copies need.
constexpr int kStride = kDepth + 8;
constexpr int kWords = kStride / 2;

/// A tile in shared memory, seen as words of 32 bits: word i of row r, at r * kWords + i, holds
/// k = 2·i in its lower half and k = 2·i + 1 in its upper half. The registers of an mma are such words.
using Tile = simt::traced<const std::uint32_t>;  // [kTile, kWords]

/// Copies rows first … first + kTile - 1 of a matrix, k0 … k0 + kDepth - 1 of each, 16 bytes at a
/// time; what the matrix does not have becomes 0.
__device__ void fill(half* tile, const half* matrix, int rows, int K, int first, int k0) {
  constexpr int kPiece = 8;  // halves in 16 bytes
  for (int i = static_cast<int>(threadIdx.x); i < kTile * kDepth / kPiece; i += kThreads) {
    const int row = i / (kDepth / kPiece), k = i % (kDepth / kPiece) * kPiece;
    const bool valid = first + row < rows && k0 + k < K;
    const half* from = valid ? matrix + static_cast<std::size_t>(first + row) * K + k0 + k : matrix;
    ptx::cp_async_16_zfill(tile + row * kStride + k, from, valid);
  }
}

/// A is 16 × 16: rows `row` … row + 15 of the tile, words `word` … word + 7 of each.
__device__ void load_a(std::uint32_t (&a)[4], const Tile& tile, int row, int word, int lane) {
  // BEGIN SOLUTION [fp16_gemm_mma_a] Load the fragment of A
  // Set a[0] … a[3] to this lane's words of the tile. With g = lane / 4 and t = lane % 4 they are
  // the words t of the rows g and g + 8, then the words t + 4 of the same rows.

  // A register is a pair of neighbouring k, and so is a word of the tile: nothing is repacked.
  const int g = lane / 4, t = lane % 4;
  a[0] = tile[(row + g) * kWords + word + t];
  a[1] = tile[(row + g + 8) * kWords + word + t];
  a[2] = tile[(row + g) * kWords + word + t + 4];
  a[3] = tile[(row + g + 8) * kWords + word + t + 4];
  // END SOLUTION [fp16_gemm_mma_a]
}

/// B is 16 × 8, [K, N]. Its column n is row row + n of the tile: W is [N, K], K contiguous.
__device__ void load_b(std::uint32_t (&b)[2], const Tile& tile, int row, int word, int lane) {
  // BEGIN SOLUTION [fp16_gemm_mma_b] Load the fragment of B
  // Set b[0] and b[1] to this lane's words of the tile. With g and t as above, this lane holds the
  // column g of B: its k = 2t and 2t + 1 in b[0], its k = 2t + 8 and 2t + 9 in b[1].

  // A column of B is a row of W, so this is a[0] and a[2] of load_a over again. That is what
  // "row.col" in the instruction's name means: both operands want K contiguous.
  const int g = lane / 4, t = lane % 4;
  b[0] = tile[(row + g) * kWords + word + t];
  b[1] = tile[(row + g) * kWords + word + t + 4];
  // END SOLUTION [fp16_gemm_mma_b]
}

__global__ void __launch_bounds__(kThreads)
    fp16_gemm_mma_kernel(const half* __restrict__ X,  // [M, K]
                         const half* __restrict__ W,  // [N, K]
                         float* __restrict__ Y,       // [M, N]
                         int M, int N, int K) {
  DYNAMIC_SHARED(half, memory);
  half *const x_memory = memory, *const w_memory = memory + kTile * kStride;
  const Tile x_tile =
      simt::trace_shared("X tile", reinterpret_cast<const std::uint32_t*>(x_memory));
  const Tile w_tile =
      simt::trace_shared("W tile", reinterpret_cast<const std::uint32_t*>(w_memory));

  // Who am I: this block owns Y[m0 … m0 + 63, n0 … n0 + 63], this warp 16 of its rows.
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int warp = static_cast<int>(threadIdx.x) / kLanes;
  const int m0 = static_cast<int>(blockIdx.y) * kTile, n0 = static_cast<int>(blockIdx.x) * kTile;
  float sum[kColumns][4] = {};  // sum[j]: this lane's part of C for the columns n0 + 8·j …

  for (int k0 = 0; k0 < K; k0 += kDepth) {
    // Load:    global → shared, zeros past the matrices.
    fill(x_memory, X, M, K, m0, k0);
    fill(w_memory, W, N, K, n0, k0);
    ptx::cp_async_commit();
    ptx::cp_async_wait<0>();
    __syncthreads();  // fill() above writes the tiles, the fragments below are read from them
    // Compute: shared → fragments → tensor cores.
    // BEGIN SOLUTION [fp16_gemm_mma_multiply] Multiply the tiles on the tensor cores
    // Add to sum[j], for each j, the product of this warp's 16 rows of x_tile, from row kMmaM * warp,
    // and the 8 rows of w_tile from row kMmaN * j, over all kDepth of K. load_a and load_b take the
    // words; ptx::mma_m16n8k16_f16(sum[j], a, b) adds the product of 16 of K.

    // 16 of K are 8 words. The fragment of A serves all columns of the warp.
    for (int word = 0; word < kDepth / 2; word += kMmaK / 2) {
      std::uint32_t a[4], b[2];
      load_a(a, x_tile, kMmaM * warp, word, lane);
      for (int j = 0; j < kColumns; ++j) {
        load_b(b, w_tile, kMmaN * j, word, lane);
        ptx::mma_m16n8k16_f16(sum[j], a, b);
      }
    }
    // END SOLUTION [fp16_gemm_mma_multiply]
    __syncthreads();  // fragments were read from the tiles, the next step's fill() overwrites them
  }

  // Store:   sums → global, elements past the last row or column masked.
  // BEGIN SOLUTION [fp16_gemm_mma_store] Store this lane's part of C
  // Write sum[j][0 … 3] to Y[m * N + n], with m as std::size_t, where Y has the element. C is 16 × 8:
  // with g and t as above, this lane holds row g, columns 2t and 2t + 1, then row g + 8, the same.

  // Bit 0 of i is the column of the pair, bit 1 the upper or lower eight rows.
  const int g = lane / 4, t = lane % 4;
  for (int j = 0; j < kColumns; ++j) {
    for (int i = 0; i < 4; ++i) {
      const int m = m0 + kMmaM * warp + g + i / 2 * 8;
      const int n = n0 + kMmaN * j + 2 * t + i % 2;
      if (m < M && n < N) Y[static_cast<std::size_t>(m) * N + n] = sum[j][i];
    }
  }
  // END SOLUTION [fp16_gemm_mma_store]
}

}  // namespace

void fp16_gemm_mma(const half* X, const half* W, float* Y, int M, int N, int K) {
  QLAB_CHECK(M >= 1 && N >= 1, "fp16_gemm_mma: M=", M, " N=", N, "; both are at least 1");
  QLAB_CHECK(K >= 8 && K % 8 == 0, "fp16_gemm_mma: K is ", K,
             ", expected a multiple of 8 from 8 on, since rows are copied in pieces of 16 bytes");
  const dim3 grid(static_cast<unsigned>((N + kTile - 1) / kTile),
                  static_cast<unsigned>((M + kTile - 1) / kTile));
  simt::launch(grid, kThreads, 2 * kTile * kStride * sizeof(half), fp16_gemm_mma_kernel, X, W, Y, M,
               N, K);
}

}  // namespace qlab::exercise
