// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_panel_gemm, rung 2: sixteen columns at a time, two sums a column.
///
/// Idea    vpmaddwd multiplies codes that are widened to 16 bits, four columns of four k in a register,
///         and adds two products a lane, exactly; 3 rows share each widening
/// Before  rung 1 keeps its sums in memory and multiplies one code at a time
/// Needs   avx2
#include "02_int8_calibration/w8a8_panel_gemm.h"
#include "common/panel_tiles.h"

#if QLAB_X86
#include <immintrin.h>

#include <cstring>

namespace qlab {
namespace {

constexpr int kHalf = 16;    // columns that are summed at a time
constexpr int kVectors = 4;  // of four columns in a half

struct Kernel {
  using Word = std::int64_t;  // four codes of 16 bits
  using Sum = std::int32_t;
  static constexpr int kMaxRows = 3;

  template <int R>
  QLAB_AVX2 static void add(const Word* x, const std::int8_t* w, std::int64_t steps,
                            std::int64_t ahead, bool first, Sum* sums) {
    add_half<R>(x, w, steps, ahead, first, sums);
    add_half<R>(x, w + 4 * kHalf, steps, ahead, first, sums + kHalf);
  }

  template <int R>
  QLAB_AVX2 static void add_half(const Word* x, const std::int8_t* w, std::int64_t steps,
                                 std::int64_t ahead, bool first, Sum* sums) {
    __m256i sum[R][kVectors];
#pragma GCC unroll 3
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm256_setzero_si256();
    }
    for (std::int64_t s = 0; s < steps; ++s, x += R, w += 4 * kPanelColumns) {
      _mm_prefetch(reinterpret_cast<const char*>(w) + ahead, _MM_HINT_T0);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const __m256i wide =
            _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(w + 16 * v)));
#pragma GCC unroll 3
        for (int r = 0; r < R; ++r) {
          sum[r][v] =
              _mm256_add_epi32(sum[r][v], _mm256_madd_epi16(_mm256_set1_epi64x(x[r]), wide));
          asm("" : "+x"(sum[r][v]));  // GCC 12 would keep some sums in memory
        }
      }
    }
#pragma GCC unroll 3
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; v += 2) {
        // Neighbours are added, then the pairs of columns, 01 45 23 67, put in their order.
        const __m256i both = _mm256_hadd_epi32(sum[r][v], sum[r][v + 1]);
        __m256i total = _mm256_permute4x64_epi64(both, 0xD8);
        auto* to = reinterpret_cast<__m256i*>(sums + r * kPanelColumns + 4 * v);
        if (!first) total = _mm256_add_epi32(total, _mm256_load_si256(to));
        _mm256_store_si256(to, total);
      }
    }
  }
};

/// y[n] = (sums[n] - zero_point · w_sums[n]) · x_scale · w_scale[n], for 32 columns.
QLAB_AVX2 void scale_row(const std::int32_t* sums, const std::int32_t* w_sums,
                         std::int32_t zero_point, float x_scale, const float* w_scale, float* y) {
  for (int n = 0; n < kPanelColumns; n += 8) {
    const auto at = [n](const std::int32_t* from) QLAB_AVX2 {
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + n));
    };
    const __m256i total =
        _mm256_sub_epi32(at(sums), _mm256_mullo_epi32(at(w_sums), _mm256_set1_epi32(zero_point)));
    const __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(total), _mm256_set1_ps(x_scale));
    _mm256_storeu_ps(y + n, _mm256_mul_ps(scaled, _mm256_loadu_ps(w_scale + n)));
  }
}

}  // namespace

void w8a8_panel_gemm_v2_avx2(const Int8Rows& X, const Int8Panels& W, MatrixView<float> Y,
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
        float row[kPanelColumns];
        scale_row(sums, W.sums + n0, X.zero(m), X.scale[m], W.scale + n0, row);
        std::copy_n(row, columns, Y.row(m) + n0);
      });
}

}  // namespace qlab
#endif
