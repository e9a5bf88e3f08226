// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm, rung 3: larger tiles, and no copies of what is shorter than a register.
///
/// Idea    twice the lanes and twice the registers: 32 codes a vpmaddwd, and a tile of 4 · 6 sums
///         instead of 4 · 2, so that each widened row of W serves as often and each of X three times
///         as often; a masked load takes the end of a row as it is
/// Before  rung 2 has registers for 8 sums, and copies the end of a row
/// Needs   avx512 f, bw, dq, vl
#include <algorithm>

#include "02_int8_calibration/w8a8_gemm.h"

#if QLAB_X86
#include <immintrin.h>

#if !defined(__clang__)
// GCC 12 warns of the registers that its own intrinsics leave undefined on purpose (bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace qlab {
namespace {

constexpr int kRows = 4;                 // of X in a tile
constexpr int kTaskCols = 48;            // of W in a task: a multiple of tile_cols() of 1 … kRows
constexpr std::int64_t kBlockRows = 64;  // of X between two epilogues
constexpr std::int64_t kBlockK = 2048;   // kRows widened rows take half of the first cache

/// Rows of W in a tile of `rows` rows of X: the sums, the codes and a product fit in 32 registers.
constexpr int tile_cols(int rows) {
  constexpr int cols[] = {8, 12, 8, 6};
  return cols[rows - 1];
}

/// Columns [first, first + count) of all rows.
template <class T>
MatrixView<T> columns(MatrixView<T> matrix, std::int64_t first, std::int64_t count) {
  return {matrix.row(0) + first, matrix.rows(), count, matrix.row_stride()};
}

/// Thirty-two codes as int16, zeros in place of those past `count`; reads nothing past `count`.
/// vpmaddubsw would take bytes as they are, but its 16-bit sum of two products saturates.
QLAB_AVX512 inline __m512i widen(const std::int8_t* codes, std::int64_t count) {
  if (count >= 32) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes)));
  }
  const auto valid = static_cast<__mmask32>((1U << count) - 1);
  return _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(valid, codes));
}

/// Σ codes[k]: products with ones.
QLAB_AVX512 std::int32_t sum_of(const std::int8_t* codes, std::int64_t K) {
  __m512i sum = _mm512_setzero_si512();
  for (std::int64_t k = 0; k < K; k += 32) {
    sum = _mm512_add_epi32(sum, _mm512_madd_epi16(widen(codes + k, K - k), _mm512_set1_epi16(1)));
  }
  return _mm512_reduce_add_epi32(sum);
}

/// A tile of X as int16, each row with zeros up to the next multiple of 32. Its rows meet kTaskCols
/// rows of W: widened for each of them again, they would keep the unit busier than the products.
struct Tile {
  alignas(64) std::int16_t codes[kRows][kBlockK];
};

QLAB_AVX512 void widen_rows(MatrixView<const std::int8_t> x, Tile& tile) {
  for (std::int64_t m = 0; m < x.rows(); ++m) {
    for (std::int64_t k = 0; k < x.cols(); k += 32) {
      _mm512_store_si512(tile.codes[m] + k, widen(x.row(m) + k, x.cols() - k));
    }
  }
}

/// sum[m][n] += the products of the next `count` ≤ 32 codes. A pair of products is at most 2 ·
/// 128²: no rounding, no saturation.
template <int M, int N>
[[gnu::always_inline]] QLAB_AVX512 inline void add_products(const Tile& x,
                                                            MatrixView<const std::int8_t> w,
                                                            std::int64_t k, std::int64_t count,
                                                            __m512i (&sum)[M][N]) {
  __m512i x16[M];
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
    x16[m] = _mm512_load_si512(x.codes[m] + k);
  }
#pragma GCC unroll 12
  for (int n = 0; n < N; ++n) {
    // The rows of the next tile come into the second cache meanwhile: each is a short stream, at
    // whose start the processor's own prefetch waits. Past the end of W this does nothing.
    _mm_prefetch(reinterpret_cast<const char*>(w.row(n + N) + k), _MM_HINT_T1);
    const __m512i w16 = widen(w.row(n) + k, count);
#pragma GCC unroll 12
    for (int m = 0; m < M; ++m) {
      sum[m][n] = _mm512_add_epi32(sum[m][n], _mm512_madd_epi16(x16[m], w16));
    }
  }
}

/// totals[m, n] += Σₖ x[m, k] · w[n, k] for a tile.
template <int M, int N>
QLAB_AVX512 void add_tile(const Tile& x,                      // [≥ M, ≥ K]
                          MatrixView<const std::int8_t> w,    // [N, K]
                          MatrixView<std::int32_t> totals) {  // [M, N]
  const std::int64_t K = w.cols();
  __m512i sum[M][N] = {};
  std::int64_t k = 0;
  for (; k + 32 <= K; k += 32) add_products(x, w, k, 32, sum);
  if (k < K) add_products(x, w, k, K - k, sum);
#pragma GCC unroll 12
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 12
    for (int n = 0; n < N; ++n) totals(m, n) += _mm512_reduce_add_epi32(sum[m][n]);
  }
}

/// totals += x · wᵀ for M rows of x and all rows of w.
template <int M>
QLAB_AVX512 void add_rows(const Tile& x, MatrixView<const std::int8_t> w,
                          MatrixView<std::int32_t> totals) {
  constexpr int kCols = tile_cols(M);
  const std::int64_t N = w.rows();
  std::int64_t n = 0;
  for (; n + kCols <= N; n += kCols) {
    add_tile<M, kCols>(x, w.rows_from(n, kCols), columns(totals, n, kCols));
  }
  for (; n < N; ++n) add_tile<M, 1>(x, w.rows_from(n, 1), columns(totals, n, 1));
}

/// totals = X · Wᵀ, all of K. A tile of X stays in the first cache while it meets every row of W;
/// the block of W waits in the second for the next tile.
void multiply(MatrixView<const std::int8_t> X, MatrixView<const std::int8_t> W,
              MatrixView<std::int32_t> totals) {
  Tile x;
  for (std::int64_t m = 0; m < X.rows(); ++m) std::fill_n(totals.row(m), W.rows(), 0);
  for (std::int64_t k0 = 0; k0 < X.cols(); k0 += kBlockK) {
    const std::int64_t count = std::min(kBlockK, X.cols() - k0);
    const MatrixView<const std::int8_t> w = columns(W, k0, count);
    for (std::int64_t m = 0; m < X.rows(); m += kRows) {
      const std::int64_t rows = std::min<std::int64_t>(kRows, X.rows() - m);
      widen_rows(columns(X.rows_from(m, rows), k0, count), x);
      const MatrixView<std::int32_t> t = totals.rows_from(m, rows);
      if (rows == 4) add_rows<4>(x, w, t);
      if (rows == 3) add_rows<3>(x, w, t);
      if (rows == 2) add_rows<2>(x, w, t);
      if (rows == 1) add_rows<1>(x, w, t);
    }
  }
}

}  // namespace

void w8a8_gemm_v3_avx512(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y,
                         ThreadPool& threads) {
  const std::int64_t M = X.codes.rows();
  const std::int64_t N = W.codes.rows();
  threads.run((N + kTaskCols - 1) / kTaskCols, [&](std::int64_t task) {
    const std::int64_t n0 = task * kTaskCols;
    const std::int64_t cols = std::min<std::int64_t>(kTaskCols, N - n0);
    std::int32_t column_sum[kTaskCols] = {};
    if (X.zero_point != nullptr) {
      for (std::int64_t n = 0; n < cols; ++n) {
        column_sum[n] = sum_of(W.codes.row(n0 + n), W.codes.cols());
      }
    }
    std::int32_t memory[kBlockRows * kTaskCols];
    for (std::int64_t m0 = 0; m0 < M; m0 += kBlockRows) {
      const std::int64_t rows = std::min(kBlockRows, M - m0);
      const MatrixView<std::int32_t> totals(memory, rows, cols, kTaskCols);
      multiply(X.codes.rows_from(m0, rows), W.codes.rows_from(n0, cols), totals);
      for (std::int64_t m = 0; m < rows; ++m) {
        for (std::int64_t n = 0; n < cols; ++n) {
          const std::int32_t total = totals(m, n) - X.zero(m0 + m) * column_sum[n];
          Y(m0 + m, n0 + n) = static_cast<float>(total) * X.scale[m0 + m] * W.scale[n0 + n];
        }
      }
    }
  });
}

}  // namespace qlab
#endif
