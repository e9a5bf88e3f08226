// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_gemm: your turn. Replace each todo() with your code, then run `./lab check fp16_gemm`.
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
  // TODO [fp16_gemm_widen] Widen a block of weights
  // Fill w[k][n] for each k < depth and every n < kWidth. Rows past the end of W must not be read:
  // they are zeros.
  todo("fp16_gemm_widen");
}

/// The sums of one tile over one block: columns col, col + 1, … of w.
void multiply_tile(const RowBlock& x, const WeightBlock& w, int col, int depth, Tile& sums) {
  // TODO [fp16_gemm_tile] Multiply a tile
  // Set sums[m][n] to the sum of x[k][m] · w[k][col + n] over all k < depth, in FP32.
  todo("fp16_gemm_tile");
}

/// Adds a tile to Y from (m0, n0) on.
void add_tile(const Tile& sums, std::int64_t m0, std::int64_t n0, MatrixView<float> Y) {
  // TODO [fp16_gemm_add] Add a tile to Y
  // Add sums[m][n] to Y(m0 + m, n0 + n), wherever Y has such an element. Y holds the sum over the
  // blocks of K that came before.
  todo("fp16_gemm_add");
}

}  // namespace

void fp16_gemm(MatrixView<const half_t> X, MatrixView<const half_t> W, MatrixView<float> Y) {
  const std::int64_t M = X.rows(), N = W.rows(), K = X.cols();
  check_shape("fp16_gemm", "W", W, N, K);
  check_shape("fp16_gemm", "Y", Y, M, N);
  WeightBlock w;
  RowBlock x;
  Tile sums;
  // TODO [fp16_gemm_blocks] Go through the blocks
  // Call the four functions above for all blocks of W and all tiles, so that a block is widened once
  // and then used for all rows of X. N and K need not be multiples of the block. Y comes with
  // whatever its memory held.
  todo("fp16_gemm_blocks");
}

}  // namespace qlab::exercise
