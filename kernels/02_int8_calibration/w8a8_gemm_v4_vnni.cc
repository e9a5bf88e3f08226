// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm, rung 4: bytes as they are, four products and their sum in one instruction.
///
/// Idea    vpdpbusd adds four products of an unsigned and a signed byte to an int32, exactly. X gets
///         128 added to be unsigned, which is a zero point like any other and leaves the sum as one:
///         Σ (x - z) · w = Σ (x + 128) · w - (128 + z) · Σ w. A row of ones on top of X yields Σ w
/// Before  rung 3 widens all codes to 16 bits, and multiplies half as many at a time
/// Needs   avx512 f, bw, dq, vl and vnni
#include <algorithm>
#include <cstring>
#include <span>

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

constexpr int kRows = 6;                 // of X in a tile
constexpr int kTaskCols = 64;            // of W in a task: a multiple of 16 and tile_cols()
constexpr std::int64_t kBlockRows = 64;  // of X between two epilogues
constexpr std::int64_t kBlockK = 4096;   // kRows rows take 24 KiB of the first cache

/// Rows of W in a tile of `rows` rows of X: the sums and the codes fit in 32 registers, and four
/// sums at a time are taken apart.
constexpr int tile_cols(int rows) { return rows <= 3 ? 8 : 4; }

/// Columns [first, first + count) of all rows.
template <class T>
MatrixView<T> columns(MatrixView<T> matrix, std::int64_t first, std::int64_t count) {
  return {matrix.row(0) + first, matrix.rows(), count, matrix.row_stride()};
}

/// The first `count` ≤ 64 codes, zeros in place of the others, which are not read.
QLAB_AVX512_VNNI inline __m512i load(const std::int8_t* codes, std::int64_t count) {
  if (count >= 64) return _mm512_loadu_si512(codes);
  return _mm512_maskz_loadu_epi8((__mmask64{1} << count) - 1, codes);
}

/// The sums of the lanes of four registers, in their order.
QLAB_AVX512_VNNI inline __m128i sums_of_lanes(__m512i a, __m512i b, __m512i c, __m512i d) {
  const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  // Each quarter holds its share of a, b, c, d.
  const __m512i abcd =
      _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  const __m256i half =
      _mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64(abcd, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/// Rows of X as unsigned bytes. Past the end of K they may hold anything: W has zeros there.
struct Tile {
  alignas(64) std::uint8_t codes[kRows][kBlockK];
};

/// Rows [first, first + count) of the matrix with a row of ones on top of x + 128.
QLAB_AVX512_VNNI void shift_rows(MatrixView<const std::int8_t> x, std::int64_t first,
                                 std::int64_t count, Tile& tile) {
  for (std::int64_t r = 0; r < count; ++r) {
    if (first + r == 0) {
      std::memset(tile.codes[r], 1, kBlockK);
      continue;
    }
    const std::int8_t* codes = x.row(first + r - 1);
    for (std::int64_t k = 0; k < x.cols(); k += 64) {
      // Adding 128 flips the highest bit; for -128 too, whose magnitude no int8 could hold.
      _mm512_store_si512(tile.codes[r] + k,
                         _mm512_xor_si512(load(codes + k, x.cols() - k), _mm512_set1_epi8(-128)));
    }
  }
}

/// sum[m][n] += the products of the next `count` ≤ 64 codes. Neither four products nor their sum are
/// cut to 16 bits, as vpmaddubsw's are. Past 2³¹ a sum wraps around, and the correction wraps it back.
template <int M, int N>
[[gnu::always_inline]] QLAB_AVX512_VNNI inline void add_products(const Tile& x,
                                                                 const std::int8_t* const (&w)[N],
                                                                 std::int64_t next, std::int64_t k,
                                                                 std::int64_t count,
                                                                 __m512i (&sum)[M][N]) {
  __m512i x8[M];
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m) x8[m] = _mm512_load_si512(x.codes[m] + k);
#pragma GCC unroll 8
  for (int n = 0; n < N; ++n) {
    // As in rung 2: the rows of the next tile come into the second cache meanwhile.
    _mm_prefetch(reinterpret_cast<const char*>(w[n] + next + k), _MM_HINT_T1);
    const __m512i w8 = load(w[n] + k, count);
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
      sum[m][n] = _mm512_dpbusd_epi32(sum[m][n], x8[m], w8);
      // GCC 12 would keep some sums in memory, at three fifths of the speed. An empty instruction that
      // changes a register keeps them there.
      asm("" : "+v"(sum[m][n]));
    }
  }
}

/// totals[m, n] += Σₖ x[m, k] · w[n, k] for a tile: N rows of w from n0 on, or as many as there are.
/// Past the last, it serves again, and its sums go where nobody looks.
template <int M, int N>
QLAB_AVX512_VNNI void add_tile(const Tile& x,                    // [≥ M, ≥ K]
                               MatrixView<const std::int8_t> w,  // [rows, K]
                               std::int64_t n0,
                               MatrixView<std::uint32_t> totals) {  // [M, kTaskCols]
  const std::int64_t K = w.cols();
  const std::int8_t* rows[N];
  for (int n = 0; n < N; ++n) rows[n] = w.row(std::min(n0 + n, w.rows() - 1));
  __m512i sum[M][N] = {};
  const std::int64_t next = N * w.row_stride();
  std::int64_t k = 0;
  for (; k + 64 <= K; k += 64) add_products(x, rows, next, k, 64, sum);
  if (k < K) add_products(x, rows, next, k, K - k, sum);
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 8
    for (int n = 0; n < N; n += 4) {
      auto* four = reinterpret_cast<__m128i*>(totals.row(m) + n0 + n);
      const __m128i sums = sums_of_lanes(sum[m][n], sum[m][n + 1], sum[m][n + 2], sum[m][n + 3]);
      _mm_storeu_si128(four, _mm_add_epi32(_mm_loadu_si128(four), sums));
    }
  }
}

/// totals += x · wᵀ for M rows of x and all rows of w.
template <int M>
void add_rows(const Tile& x, MatrixView<const std::int8_t> w, MatrixView<std::uint32_t> totals) {
  constexpr int kCols = tile_cols(M);
  static_assert(kTaskCols % kCols == 0 && kCols % 4 == 0);
  for (std::int64_t n = 0; n < w.rows(); n += kCols) add_tile<M, kCols>(x, w, n, totals);
}

/// Rows of totals from `first` on: row 0 is the row of ones times Wᵀ, those below are X · Wᵀ, all of K.
/// Tiles are of about equal height, 7 rows as 3 and 4: a tile of one row would use a weight only once.
void multiply(MatrixView<const std::int8_t> X, MatrixView<const std::int8_t> W, std::int64_t first,
              MatrixView<std::uint32_t> totals) {
  Tile x;
  const std::int64_t rows = X.rows() + 1 - first;
  const std::int64_t tiles = (rows + kRows - 1) / kRows;
  for (std::int64_t r = first; r <= X.rows(); ++r) std::fill_n(totals.row(r), kTaskCols, 0U);
  for (std::int64_t k0 = 0; k0 < X.cols(); k0 += kBlockK) {
    const std::int64_t depth = std::min(kBlockK, X.cols() - k0);
    const MatrixView<const std::int8_t> w = columns(W, k0, depth);
    for (std::int64_t t = 0; t < tiles; ++t) {
      const std::int64_t r = first + rows * t / tiles;
      const std::int64_t height = first + rows * (t + 1) / tiles - r;
      shift_rows(columns(X, k0, depth), r, height, x);
      const MatrixView<std::uint32_t> some = totals.rows_from(r, height);
      if (height == 6) add_rows<6>(x, w, some);
      if (height == 5) add_rows<5>(x, w, some);
      if (height == 4) add_rows<4>(x, w, some);
      if (height == 3) add_rows<3>(x, w, some);
      if (height == 2) add_rows<2>(x, w, some);
      if (height == 1) add_rows<1>(x, w, some);
    }
  }
}

/// y[n] = (totals[n] - zero_point · column_sums[n]) · x_scale · w_scale[n].
QLAB_AVX512_VNNI void scale_row(const std::uint32_t* totals, const std::uint32_t* column_sums,
                                std::int32_t zero_point, float x_scale,
                                std::span<const float> w_scale, float* y) {
  const auto count = static_cast<std::int64_t>(w_scale.size());
  for (std::int64_t n = 0; n < count; n += 16) {
    const auto valid = static_cast<__mmask16>(count - n >= 16 ? 0xFFFF : (1U << (count - n)) - 1);
    const __m512i total = _mm512_sub_epi32(
        _mm512_loadu_si512(totals + n),
        _mm512_mullo_epi32(_mm512_loadu_si512(column_sums + n), _mm512_set1_epi32(zero_point)));
    const __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(total), _mm512_set1_ps(x_scale));
    _mm512_mask_storeu_ps(y + n, valid,
                          _mm512_mul_ps(scaled, _mm512_maskz_loadu_ps(valid, w_scale.data() + n)));
  }
}

}  // namespace

void w8a8_gemm_v4_vnni(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y,
                       ThreadPool& threads) {
  const std::int64_t M = X.codes.rows();
  const std::int64_t N = W.codes.rows();
  threads.run((N + kTaskCols - 1) / kTaskCols, [&](std::int64_t task) {
    const std::int64_t n0 = task * kTaskCols;
    const std::int64_t cols = std::min<std::int64_t>(kTaskCols, N - n0);
    std::uint32_t memory[(1 + kBlockRows) * kTaskCols];
    for (std::int64_t m0 = 0; m0 < M; m0 += kBlockRows) {
      const std::int64_t rows = std::min(kBlockRows, M - m0);
      // The row of ones is multiplied with the first rows of X, and its sums stay for all others.
      const MatrixView<std::uint32_t> totals(memory, 1 + rows, kTaskCols, kTaskCols);
      multiply(X.codes.rows_from(m0, rows), W.codes.rows_from(n0, cols), m0 == 0 ? 0 : 1, totals);
      for (std::int64_t m = 0; m < rows; ++m) {
        scale_row(totals.row(1 + m), totals.row(0), 128 + X.zero(m0 + m), X.scale[m0 + m],
                  {W.scale + n0, static_cast<std::size_t>(cols)}, Y.row(m0 + m) + n0);
      }
    }
  });
}

}  // namespace qlab
#endif
