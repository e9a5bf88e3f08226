// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_gemm: Y = X · Wᵀ in blocks that stay in a cache, and tiles of Y that stay in registers.
///
/// Bottleneck   the multiply-add units, used four floats at a time; at M = 1 widening the weights
/// Bytes moved  read 2·N·K (W) once, 2·M·K (X) once for each 64 columns; Y once for each 256 of K
/// FLOPs        2·M·N·K
/// Teaches      why a product is cut up: each value that is loaded must be used more than once
/// Leaves out   threads and wider vectors (fp16_gemm_v2_avx2.cc), blocks of M for a third cache level
#include "01_fp16_baseline/fp16_gemm.h"

#include <algorithm>
#include <cstdint>

namespace qlab::exercise {
namespace {

// A block of W, widened: [kDepth, kWidth] floats are 64 KiB and stay in the second-level cache while
// all rows of X pass by. A tile of Y: kTileRows · kTileCols sums, which fit the registers.
constexpr int kDepth = 256, kWidth = 64;
constexpr int kTileRows = 4, kTileCols = 4;
static_assert(kWidth % kTileCols == 0, "a block is a whole number of tiles wide");

using WeightBlock = float[kDepth][kWidth];  // w[k][n] = W(n0 + n, k0 + k)
using RowBlock = float[kDepth][kTileRows];  // x[k][m] = X(m0 + m, k0 + k)
using Tile = float[kTileRows][kTileCols];   // sums[m][n] belongs to Y(m0 + m, n0 + n)

/// Widens `depth` columns of four rows of X, from (m0, k0) on. Rows past the end of X are zeros, so
/// that a tile of sums needs no edges.
void widen_rows(MatrixView<const half_t> X, std::int64_t m0, std::int64_t k0, int depth,
                RowBlock& x) {
  for (int m = 0; m < kTileRows; ++m) {
    const bool exists = m0 + m < X.rows();
    for (int k = 0; k < depth; ++k) x[k][m] = exists ? to_float(X(m0 + m, k0 + k)) : 0;
  }
}

/// The same for kWidth rows of W, which become the columns of the block.
void widen_weights(MatrixView<const half_t> W, std::int64_t n0, std::int64_t k0, int depth,
                   WeightBlock& w) {
  // BEGIN SOLUTION [fp16_gemm_widen] Widen a block of weights
  // Fill w[k][n] for each k < depth and every n < kWidth. Rows past the end of W must not be read:
  // they are zeros.

  for (int n = 0; n < kWidth; ++n) {
    const bool exists = n0 + n < W.rows();
    // Transposed on the way: the weights that one tile needs at the same k become neighbours.
    for (int k = 0; k < depth; ++k) w[k][n] = exists ? to_float(W(n0 + n, k0 + k)) : 0;
  }
  // END SOLUTION [fp16_gemm_widen]
}

/// The sums of one tile over one block: columns col, col + 1, … of w.
void multiply_tile(const RowBlock& x, const WeightBlock& w, int col, int depth, Tile& sums) {
  // BEGIN SOLUTION [fp16_gemm_tile] Multiply a tile
  // Set sums[m][n] to the sum of x[k][m] · w[k][col + n] over all k < depth, in FP32.

  for (auto& row : sums) {
    for (float& sum : row) sum = 0;
  }
  // k outside: 8 loads feed 16 multiply-adds, and no sum waits for its neighbour.
  for (int k = 0; k < depth; ++k) {
    for (int m = 0; m < kTileRows; ++m) {
      for (int n = 0; n < kTileCols; ++n) sums[m][n] += x[k][m] * w[k][col + n];
    }
  }
  // END SOLUTION [fp16_gemm_tile]
}

/// Adds a tile to Y from (m0, n0) on.
void add_tile(const Tile& sums, std::int64_t m0, std::int64_t n0, MatrixView<float> Y) {
  // BEGIN SOLUTION [fp16_gemm_add] Add a tile to Y
  // Add sums[m][n] to Y(m0 + m, n0 + n), wherever Y has such an element. Y holds the sum over the
  // blocks of K that came before.

  // Tiles at the last rows and columns reach past Y.
  const std::int64_t rows = std::min<std::int64_t>(kTileRows, Y.rows() - m0);
  const std::int64_t cols = std::min<std::int64_t>(kTileCols, Y.cols() - n0);
  for (std::int64_t m = 0; m < rows; ++m) {
    for (std::int64_t n = 0; n < cols; ++n) Y(m0 + m, n0 + n) += sums[m][n];
  }
  // END SOLUTION [fp16_gemm_add]
}

}  // namespace

void fp16_gemm(MatrixView<const half_t> X, MatrixView<const half_t> W, MatrixView<float> Y) {
  const std::int64_t M = X.rows(), N = W.rows(), K = X.cols();
  check_shape("fp16_gemm", "W", W, N, K);
  check_shape("fp16_gemm", "Y", Y, M, N);
  WeightBlock w;
  RowBlock x;
  Tile sums;
  // BEGIN SOLUTION [fp16_gemm_blocks] Go through the blocks
  // Call the four functions above for all blocks of W and all tiles, so that a block is widened once
  // and then used for all rows of X. N and K need not be multiples of the block. Y comes with
  // whatever its memory held.

  for (std::int64_t m = 0; m < M; ++m) std::fill_n(Y.row(m), N, 0.0F);
  for (std::int64_t n0 = 0; n0 < N; n0 += kWidth) {
    for (std::int64_t k0 = 0; k0 < K; k0 += kDepth) {
      const auto depth = static_cast<int>(std::min<std::int64_t>(kDepth, K - k0));
      widen_weights(W, n0, k0, depth, w);
      for (std::int64_t m0 = 0; m0 < M; m0 += kTileRows) {
        widen_rows(X, m0, k0, depth, x);
        for (int col = 0; col < kWidth && n0 + col < N; col += kTileCols) {
          multiply_tile(x, w, col, depth, sums);
          add_tile(sums, m0, n0 + col, Y);
        }
      }
    }
  }
  // END SOLUTION [fp16_gemm_blocks]
}

}  // namespace qlab::exercise
