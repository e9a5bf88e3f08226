// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm_imma: your turn. Replace each todo() with your code, then run `./lab check w8a8_gemm_imma`.
#include "02_int8_calibration/w8a8_gemm_imma.h"

#include "simt/ptx.h"
#include "simt/traced.h"

namespace qlab::exercise {
namespace {

constexpr int kWarps = 4, kLanes = 32, kThreads = kWarps * kLanes;
constexpr int kTile = 64;                         // rows of X, and rows of W, that a block works on
constexpr int kDepth = 64;                        // of K, at a time
constexpr int kMmaM = 16, kMmaN = 8, kMmaK = 32;  // what one mma multiplies
constexpr int kColumns = kTile / kMmaN;           // mmas side by side in a warp's part of Y
constexpr int kPiece = 16;                        // codes that one thread copies at a time

// 16 codes of padding: rows are 20 words apart, so the eight rows and four words of a fragment's load
// lie in 32 different banks. With 16 words four rows would share a bank. Still a multiple of 16 bytes,
// as the copies need.
constexpr int kStride = kDepth + 16;
constexpr int kWords = kStride / 4;

/// A tile in shared memory, seen as words of 32 bits: word i of row r, at r * kWords + i, holds the
/// codes k = 4·i … 4·i + 3, the first in its lowest byte. The registers of an mma are such words.
using Tile = simt::traced<const std::uint32_t>;  // [kTile, kWords]

/// Copies rows first … first + kTile - 1 of a matrix, k0 … k0 + kDepth - 1 of each.
__device__ void fill(std::int8_t* tile, const std::int8_t* matrix, int rows, int K, int first,
                     int k0) {
  const int thread = static_cast<int>(threadIdx.x);
  // TODO [w8a8_gemm_imma_fill] Copy a tile, 16 codes at a time
  // Copy all kTile rows of kDepth codes to tile[row * kStride + k], kThreads threads together, with
  // ptx::cp_async_16_zfill(to, from, valid): 16 bytes, or 16 zeros and nothing read where `valid` is
  // false. Code (row, k) is matrix[(first + row) * K + k0 + k], with the row number as std::size_t; it
  // is valid where the matrix has that row and that k. Neighbouring threads copy neighbouring pieces.
  todo("w8a8_gemm_imma_fill");
}

/// Eight rows of a tile and 32 codes of each, from word `word` on: this lane's two words. They are a
/// fragment of B, or the upper or the lower half of one of A.
__device__ void load_rows(std::uint32_t (&words)[2], const Tile& tile, int row, int word,
                          int lane) {
  // TODO [w8a8_gemm_imma_rows] Load eight rows of a fragment
  // With g = lane / 4 and t = lane % 4, set words[0] and words[1] to the words t and t + 4 of row g,
  // counted from `word` and `row`.
  todo("w8a8_gemm_imma_rows");
}

__global__ void __launch_bounds__(kThreads)
    w8a8_gemm_imma_kernel(const std::int8_t* __restrict__ X,  // [M, K]
                          const float* __restrict__ x_scale,  // [M]
                          const std::int8_t* __restrict__ W,  // [N, K]
                          const float* __restrict__ w_scale,  // [N]
                          simt::traced<float> Y,              // [M, N]
                          int M, int N, int K) {
  DYNAMIC_SHARED(std::int8_t, memory);
  std::int8_t *const x_memory = memory, *const w_memory = memory + kTile * kStride;
  const Tile x_tile =
      simt::trace_shared("X tile", reinterpret_cast<const std::uint32_t*>(x_memory));
  const Tile w_tile =
      simt::trace_shared("W tile", reinterpret_cast<const std::uint32_t*>(w_memory));

  // Who am I: this block owns Y[m0 … m0 + 63, n0 … n0 + 63], this warp 16 of its rows.
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int warp = static_cast<int>(threadIdx.x) / kLanes;
  const int m0 = static_cast<int>(blockIdx.y) * kTile, n0 = static_cast<int>(blockIdx.x) * kTile;
  std::int32_t sum[kColumns][4] = {};  // sum[j]: this lane's part of C for the columns n0 + 8·j …

  for (int k0 = 0; k0 < K; k0 += kDepth) {
    // Load:    global → shared, zeros past the matrices.
    fill(x_memory, X, M, K, m0, k0);
    fill(w_memory, W, N, K, n0, k0);
    ptx::cp_async_commit();
    ptx::cp_async_wait<0>();
    __syncthreads();  // fill() above writes the tiles, the fragments below are read from them
    // Compute: shared → fragments → tensor cores.
    // TODO [w8a8_gemm_imma_multiply] Multiply the tiles on the tensor cores
    // Add to sum[j], for each j, the product of this warp's 16 rows of x_tile, from row kMmaM * warp,
    // and the 8 rows of w_tile from row kMmaN * j, over all kDepth of K. A takes four words: with
    // load_rows of its rows 0 … 7 and of its rows 8 … 15 they are, in this order, the first word of
    // the upper rows, of the lower, the second of the upper, of the lower. B is load_rows of its 8
    // rows. ptx::mma_m16n8k32_s8(sum[j], a, b) adds the product of 32 of K.
    todo("w8a8_gemm_imma_multiply");
    __syncthreads();  // fragments were read from the tiles, the next step's fill() overwrites them
  }

  // Store:   sums · scales → global, elements past the last row or column masked.
  // TODO [w8a8_gemm_imma_store] Scale and store this lane's part of C
  // Write sum[j][0 … 3] as floats, times x_scale[m], times w_scale[n], to Y[m * N + n], with m as
  // std::size_t, where Y has the element. C is 16 × 8: with g and t as above, this lane holds row g,
  // columns 2t and 2t + 1, then row g + 8, the same.
  todo("w8a8_gemm_imma_store");
}

}  // namespace

void w8a8_gemm_imma(const std::int8_t* X, const float* x_scale, const std::int8_t* W,
                    const float* w_scale, float* Y, int M, int N, int K) {
  QLAB_CHECK(M >= 1 && N >= 1, "w8a8_gemm_imma: M=", M, " N=", N, "; both are at least 1");
  QLAB_CHECK(K >= kPiece && K % kPiece == 0, "w8a8_gemm_imma: K is ", K,
             ", expected a multiple of 16 from 16 on, since rows are copied in pieces of 16 bytes; "
             "pad the rows with zeros");
  QLAB_CHECK(K <= kW8A8MaxK, "w8a8_gemm_imma: K is ", K, ", expected at most ", kW8A8MaxK,
             ", so that int32 holds any sum");
  const dim3 grid(static_cast<unsigned>((N + kTile - 1) / kTile),
                  static_cast<unsigned>((M + kTile - 1) / kTile));
  simt::launch(grid, kThreads, 2 * kTile * kStride, w8a8_gemm_imma_kernel, X, x_scale, W, w_scale,
               simt::trace("Y", Y), M, N, K);
}

}  // namespace qlab::exercise
