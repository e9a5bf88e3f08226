// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_panel_gemm, rung 3: thirty-two columns at a time, two sums a column.
///
/// Idea    with 32 registers of twice the lanes, all columns of a panel stand in four of them, and 6 rows
///         share each widening
/// Before  rung 2 goes through a panel twice, 16 columns each time, and widens it for 3 rows
/// Needs   avx512 f, bw, dq, vl
#include <cstring>

#include "02_int8_calibration/w8a8_scale_avx512.h"
#include "common/panel_tiles.h"

#if QLAB_X86

namespace qlab {
namespace {

constexpr int kVectors = 4;  // of eight columns in a panel

struct Kernel {
  using Word = std::int64_t;  // four codes of 16 bits
  using Sum = std::int32_t;
  static constexpr int kMaxRows = 6;

  template <int R>
  QLAB_AVX512 static void add(const Word* x, const std::int8_t* w, std::int64_t steps,
                              std::int64_t ahead, bool first, Sum* sums) {
    __m512i sum[R][kVectors];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm512_setzero_si512();
    }
    for (std::int64_t s = 0; s < steps; ++s, x += R, w += 4 * kPanelColumns) {
      _mm_prefetch(reinterpret_cast<const char*>(w) + ahead, _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(w) + ahead + 64, _MM_HINT_T0);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const __m512i wide =
            _mm512_cvtepi8_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(w + 32 * v)));
#pragma GCC unroll 6
        for (int r = 0; r < R; ++r) {
          sum[r][v] = _mm512_add_epi32(sum[r][v], _mm512_madd_epi16(_mm512_set1_epi64(x[r]), wide));
          asm("" : "+v"(sum[r][v]));  // GCC 12 would keep some sums in memory
        }
      }
    }
    // Even and odd lanes of two registers are the two sums of their columns, 0 … 7 and 8 … 15.
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; v += 2) {
        const __m512i a = sum[r][v], b = sum[r][v + 1];
        __m512i total = _mm512_add_epi32(_mm512_permutex2var_epi32(a, even, b),
                                         _mm512_permutex2var_epi32(a, odd, b));
        Sum* to = sums + r * kPanelColumns + 8 * v;
        if (!first) total = _mm512_add_epi32(total, _mm512_load_si512(to));
        _mm512_store_si512(to, total);
      }
    }
  }
};

}  // namespace

void w8a8_panel_gemm_v3_avx512(const Int8Rows& X, const Int8Panels& W, MatrixView<float> Y,
                               ThreadPool& threads) {
  const std::int64_t K = W.codes.K;
  panels::Tiles<std::int64_t> x(threads, X.codes.rows(), (K + 3) / 4, Kernel::kMaxRows);
  x.fill(threads, [&](std::int64_t m, std::int64_t* to, std::int64_t stride) {
    for (std::int64_t k = 0; k < K; k += 4) {
      std::int16_t wide[4] = {};
      for (std::int64_t i = 0; i < std::min<std::int64_t>(4, K - k); ++i) {
        wide[i] = X.codes(m, k + i);
      }
      std::memcpy(to + k / 4 * stride, wide, sizeof wide);
    }
  });
  panels::multiply<Kernel>(
      x, W.codes, threads,
      [&](std::int64_t m, std::int64_t n0, std::int64_t columns, const std::int32_t* sums) {
        scale_panel_row(sums, W, n0, columns, X.zero(m), X.scale[m], Y.row(m) + n0);
      });
}

}  // namespace qlab
#endif
