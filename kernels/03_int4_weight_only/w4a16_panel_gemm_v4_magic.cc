// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_panel_gemm, rung 4: codes become floats where they lie.
///
/// Idea    2²³ + n, as a float, has the integer n in its lowest bits. So one AND with OR makes a float of
///         a code in the middle of a word, 2²³ + code · 2^place; taking off 2²³ + zero_point · 2^place
///         leaves (code - zero_point) · 2^place, exactly. Codes of one place are summed apart, and the
///         power of two is divided out once a group
/// Before  rung 3 shifts nearly every code to the bottom of its lane, and looks it up there: four
///         instructions for sixteen weights, and two sums that wait for each other
/// Needs   avx512 f, bw, dq, vl. More than kFewRows rows have no registers for four sums each, and rung 3
///         does it
#include "03_int4_weight_only/w4a16_panel_gemm.h"
#include "03_int4_weight_only/w4a16_panel_tiles.h"

#if QLAB_X86
#include <immintrin.h>

#if !defined(__clang__)
// GCC 12 warns of the registers that its own intrinsics leave undefined on purpose (bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace qlab {
namespace {

constexpr std::int64_t kFewRows = 2;
constexpr int kVectors = 2;                 // of 16 columns in a panel
constexpr int kPlaces = 4;                  // 0, 8, 4 and 12: with the code still below 2²³
constexpr std::int64_t kAheadBytes = 2144;  // of W fetched ahead: the next group of 128

struct Kernel {
  static constexpr int kMaxRows = kFewRows;

  /// Bits below a code: of k, k + 1, k + 4, k + 5 in a lane, and of k + 2, … once it is shifted by 16.
  static constexpr int place(int p) { return p % 2 * 8 + p / 2 * 4; }
  /// 2²³ + integer, as bits.
  static constexpr int kMagic = 0x4B000000;

  /// What is taken off a code of each place.
  struct Offsets {
    QLAB_AVX512 Offsets(const w4a16::Group& group, int v) {
      const __m128i bytes =
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(group.zero_points + 16 * v));
      const __m512i zero_point = _mm512_cvtepu8_epi32(bytes);
#pragma GCC unroll 4
      for (int p = 0; p < kPlaces; ++p) {
        of[p] = _mm512_castsi512_ps(
            _mm512_or_si512(_mm512_slli_epi32(zero_point, static_cast<unsigned>(place(p))),
                            _mm512_set1_epi32(kMagic)));
      }
    }
    __m512 of[kPlaces];
  };

  /// totals [R, 32] += scale · Σ x · (code - zero_point) for columns 16v on.
  template <int R>
  QLAB_AVX512 static void add_columns(const float* x, const w4a16::Group& group, int v,
                                      float* totals) {
    const Offsets offset(group, v);
    __m512 sum[kPlaces][R];
#pragma GCC unroll 4
    for (int p = 0; p < kPlaces; ++p) {
#pragma GCC unroll 2
      for (int r = 0; r < R; ++r) sum[p][r] = _mm512_setzero_ps();
    }
    const std::uint8_t* codes = group.codes + 64 * v;
    // Each half of the columns fetches half of a group to come, line by line: evenly, and in an order
    // that the processor follows.
    const std::uint8_t* ahead = group.codes + kAheadBytes + v * group.chunks * 64;
    for (std::int64_t chunk = 0; chunk < group.chunks; ++chunk, codes += kChunkBytes) {
      _mm_prefetch(reinterpret_cast<const char*>(ahead + 64 * chunk), _MM_HINT_T0);
      const __m512i low = _mm512_loadu_si512(codes);
      const __m512i halves[2] = {low, _mm512_srli_epi32(low, 16)};
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
#pragma GCC unroll 4
        for (int p = 0; p < kPlaces; ++p) {
          const __m512i code = _mm512_ternarylogic_epi32(
              halves[h], _mm512_set1_epi32(kInt4Max << place(p)), _mm512_set1_epi32(kMagic),
              0xEA);  // a & b | c
          const __m512 w = _mm512_sub_ps(_mm512_castsi512_ps(code), offset.of[p]);
          // The lower halves of the bytes of a lane are k … k + 3, the upper k + 4 … k + 7.
          const int k = 2 * h + p % 2 + p / 2 * 4;
#pragma GCC unroll 2
          for (int r = 0; r < R; ++r) {
            sum[p][r] = _mm512_fmadd_ps(_mm512_set1_ps(x[k * R + r]), w, sum[p][r]);
          }
        }
      }
      x += kChunkK * R;
    }
    const __m512 scale = _mm512_cvtph_ps(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(group.scales + 32 * v)));
#pragma GCC unroll 2
    for (int r = 0; r < R; ++r) {
      __m512 all = sum[0][r];
#pragma GCC unroll 4
      for (int p = 1; p < kPlaces; ++p) {
        const __m512 part = _mm512_set1_ps(1.0F / static_cast<float>(1 << place(p)));
        all = _mm512_fmadd_ps(sum[p][r], part, all);
      }
      float* total = totals + r * kPanelColumns + 16 * v;
      _mm512_store_ps(total, _mm512_fmadd_ps(scale, all, _mm512_load_ps(total)));
    }
  }

  template <int R>
  QLAB_AVX512 static void add_group(const float* x, const w4a16::Group& group, float* totals) {
    for (int v = 0; v < kVectors; ++v) add_columns<R>(x, group, v, totals);
  }

  // A tile of kMaxRows is the only one, so nothing is dequantized for others.
  static void dequantize(const w4a16::Group&, std::int64_t, float*) {}
  template <int R>
  static void add_wide(const float*, const float*, std::int64_t, float*) {}
};

}  // namespace

void w4a16_panel_gemm_v4_magic(MatrixView<const half_t> X, const Int4Panels& W, MatrixView<float> Y,
                               ThreadPool& threads) {
  if (X.rows() > kFewRows) {
    w4a16_panel_gemm_v3_avx512(X, W, Y, threads);
    return;
  }
  w4a16::multiply<Kernel>(X, W, Y, threads);
}

}  // namespace qlab
#endif
