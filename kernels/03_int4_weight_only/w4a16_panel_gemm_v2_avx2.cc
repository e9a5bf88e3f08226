// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_panel_gemm, rung 2: eight columns in a register.
///
/// Idea    the sums of 3 rows and 32 columns in 12 registers; a weight is unpacked once for them
/// Before  rung 1 unpacks a weight for every row, one at a time
/// Needs   avx2, fma, f16c
#include "03_int4_weight_only/w4a16_panel_gemm.h"
#include "03_int4_weight_only/w4a16_panel_tiles.h"

#if QLAB_X86
#include <immintrin.h>

namespace qlab {
namespace {

constexpr int kVectors = 4;  // of 8 columns in a panel

struct Kernel {
  static constexpr int kMaxRows = 3;

  /// Columns 8v on: their zero points as floats.
  QLAB_AVX2 static __m256 zero_points(const w4a16::Group& group, int v) {
    const __m128i bytes =
        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(group.zero_points + 8 * v));
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
  }

  template <int R>
  QLAB_AVX2 static void add_group(const float* x, const w4a16::Group& group, float* totals) {
    __m256 sum[R][kVectors];
#pragma GCC unroll 3
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm256_setzero_ps();
    }
    const std::uint8_t* codes = group.codes;
    for (std::int64_t chunk = 0; chunk < group.chunks; ++chunk, codes += kChunkBytes) {
      for (int i = 0; i < kChunkK; ++i, x += R) {
        // A lane holds k … k + 3 in the lower halves of its bytes, k + 4 … k + 7 in the upper.
        const __m128i shift = _mm_cvtsi32_si128(i % 4 * 8 + i / 4 * 4);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          const __m256i word = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + 32 * v));
          const __m256i code =
              _mm256_and_si256(_mm256_srl_epi32(word, shift), _mm256_set1_epi32(kInt4Max));
          const __m256 w = _mm256_sub_ps(_mm256_cvtepi32_ps(code), zero_points(group, v));
#pragma GCC unroll 3
          for (int r = 0; r < R; ++r) {
            sum[r][v] = _mm256_fmadd_ps(_mm256_broadcast_ss(x + r), w, sum[r][v]);
          }
        }
      }
    }
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const __m256 scale =
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(group.scales + 16 * v)));
#pragma GCC unroll 3
      for (int r = 0; r < R; ++r) {
        float* total = totals + r * kPanelColumns + 8 * v;
        _mm256_store_ps(total, _mm256_fmadd_ps(scale, sum[r][v], _mm256_load_ps(total)));
      }
    }
  }
};

}  // namespace

void w4a16_panel_gemm_v2_avx2(MatrixView<const half_t> X, const Int4Panels& W, MatrixView<float> Y,
                              ThreadPool& threads) {
  w4a16::multiply<Kernel>(X, W, Y, threads);
}

}  // namespace qlab
#endif
