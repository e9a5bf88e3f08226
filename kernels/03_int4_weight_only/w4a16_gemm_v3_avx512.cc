// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemm, rung 3: the weights of a group are looked up, not computed.
///
/// Idea    a group holds 16 different weights, and 16 floats fit one register: vpermps replaces 16
///         codes by their weights at once, and takes no notice of the bits above a code
/// Before  rung 2 masks, subtracts, shuffles and converts before it multiplies
/// Needs   avx512 f, bw, dq, vl; group_size % 16 == 0 and M ≤ 4. Else rung 2 does it: many rows of
///         X are bound by the multiply-adds, not by the unpacking
#include "03_int4_weight_only/w4a16_gemm.h"
#include "common/gemm_avx2.h"

#if QLAB_X86

#include <cstring>

#if !defined(__clang__)
// GCC 12 warns of the registers that its own intrinsics leave undefined on purpose (bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace qlab {
namespace {

constexpr int kChunk = 16;                  // codes in one word of 64 bits, lanes in one register
constexpr std::int64_t kCodesOfLine = 128;  // in a cache line

/// One row of W.
struct RowOfW {
  RowOfW(const Int4Weights& W, std::int64_t n)
      : codes(W.qweight.row(n)), scale(W.scale.row(n)), zero_point(W.zero_point.row(n)) {}
  RowOfW() = default;

  /// scale · (code - zero_point) for code 0 … 15, exact: 16 bits of 24.
  QLAB_AVX512 __m512 weights_of_group(std::int64_t g) const {
    const __m512i code = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i steps = _mm512_sub_epi32(code, _mm512_set1_epi32(zero_point[g]));
    return _mm512_mul_ps(_mm512_cvtepi32_ps(steps), _mm512_set1_ps(_cvtsh_ss(scale[g].bits)));
  }

  const std::uint8_t* codes;
  const half_t* scale;
  const std::uint8_t* zero_point;
};

/// sum[r][m] += Σ x[m][k + i] · table[r][code k + i of codes[r]] over the 16 of a chunk, of which x
/// has the `valid` ones.
template <int kX, int kW>
QLAB_AVX512 inline void add_chunk(const half_t* const (&x)[kX],
                                  const std::uint8_t* const (&codes)[kW], std::int64_t k,
                                  __mmask16 valid, const __m512 (&table)[kW],
                                  __m512 (&sum)[kW][kX]) {
  // The word stands in every pair of lanes. Pair i shifts it by i codes: so the even lane has code i
  // in its lowest bits and the odd lane code 8 + i, and x follows.
  const __m512i shift = _mm512_setr_epi32(0, 0, 4, 4, 8, 8, 12, 12, 16, 16, 20, 20, 24, 24, 28, 28);
  const __m512i order = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  __m512 x16[kX];
#pragma GCC unroll 8
  for (int m = 0; m < kX; ++m) {
    const __m256i halves = _mm256_maskz_loadu_epi16(valid, x[m] + k);
    x16[m] = _mm512_permutexvar_ps(order, _mm512_cvtph_ps(halves));
  }
#pragma GCC unroll 8
  for (int r = 0; r < kW; ++r) {
    long long word;
    std::memcpy(&word, codes[r] + k / 2, sizeof word);
    const __m512i shifted = _mm512_srlv_epi32(_mm512_set1_epi64(word), shift);
    const __m512 weights = _mm512_permutexvar_ps(shifted, table[r]);
#pragma GCC unroll 8
    for (int m = 0; m < kX; ++m) sum[r][m] = _mm512_fmadd_ps(x16[m], weights, sum[r][m]);
  }
}

/// sum[r][m] += x[m] · (row n[r] of W) over the columns of group g, while the codes of the same
/// group of the rows `next` are fetched.
template <int kX, int kW>
QLAB_AVX512 inline void add_group(MatrixView<const half_t> X, const Int4Weights& W,
                                  const RowOfW (&rows)[kW], const RowOfW (&next)[kW],
                                  std::int64_t g, __m512 (&sum)[kW][kX]) {
  std::int64_t k = g * W.group_size;
  const std::int64_t end = k + std::min(W.group_size, W.K - k);
  const half_t* x[kX];
  const std::uint8_t* codes[kW];
  __m512 table[kW];
#pragma GCC unroll 8
  for (int m = 0; m < kX; ++m) x[m] = X.row(m);
#pragma GCC unroll 8
  for (int r = 0; r < kW; ++r) {
    codes[r] = rows[r].codes;
    table[r] = rows[r].weights_of_group(g);
    for (std::int64_t i = k; i < end; i += kCodesOfLine) avx2::fetch_ahead(next[r].codes + i / 2);
  }
  for (; k + kChunk <= end; k += kChunk) add_chunk(x, codes, k, 0xFFFF, table, sum);
  if (k < end) {  // the end of the row: a whole chunk would be read past it
    std::uint8_t copied[kW][kChunk / 2] = {};
#pragma GCC unroll 8
    for (int r = 0; r < kW; ++r) {
      std::copy(codes[r] + k / 2, codes[r] + (end + 1) / 2, copied[r]);
      codes[r] = copied[r];
    }
#pragma GCC unroll 8
    for (int m = 0; m < kX; ++m) x[m] += k;
    add_chunk(x, codes, 0, static_cast<__mmask16>((1 << (end - k)) - 1), table, sum);
  }
}

/// Columns [n0, n0 + kFewRowsColumns) of Y for kX rows of X.
template <int kX>
QLAB_AVX512 void few_rows(MatrixView<const half_t> X, const Int4Weights& W, std::int64_t n0,
                          MatrixView<float> Y) {
  constexpr int kW = kX == 1 ? 8 : 4;  // enough sums to hide the latency of the multiply-add
  const std::int64_t n_end = std::min(n0 + avx2::kFewRowsColumns, W.N());
  for (std::int64_t n = n0; n < n_end; n += kW) {
    RowOfW rows[kW];  // past the end, the last one again; its sums are dropped
    RowOfW next[kW];
    for (int r = 0; r < kW; ++r) {
      rows[r] = RowOfW(W, std::min(n + r, n_end - 1));
      next[r] = RowOfW(W, std::min(n + kW + r, W.N() - 1));
    }
    __m512 sum[kW][kX];
#pragma GCC unroll 8
    for (int r = 0; r < kW; ++r) {
#pragma GCC unroll 8
      for (int m = 0; m < kX; ++m) sum[r][m] = _mm512_setzero_ps();
    }
    for (std::int64_t g = 0; g < W.scale.cols(); ++g) add_group(X, W, rows, next, g, sum);
#pragma GCC unroll 8
    for (int r = 0; r < kW; ++r) {
      if (n + r >= n_end) break;
#pragma GCC unroll 8
      for (int m = 0; m < kX; ++m) Y(m, n + r) = _mm512_reduce_add_ps(sum[r][m]);
    }
  }
}

}  // namespace

void w4a16_gemm_v3_avx512(MatrixView<const half_t> X, const Int4Weights& W, MatrixView<float> Y,
                          ThreadPool& threads) {
  if (X.rows() > avx2::kFewRows || W.group_size % kChunk != 0) {
    w4a16_gemm_v2_avx2(X, W, Y, threads);
    return;
  }
  avx2::for_columns(W.N(), avx2::kFewRowsColumns, threads, [&](std::int64_t n0) {
    avx2::with_few_rows(X.rows(), [&](auto rows) { few_rows<rows()>(X, W, n0, Y); });
  });
}

}  // namespace qlab

#endif  // QLAB_X86
