// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_panel_gemm, rung 3: sixteen columns in a register, and codes that are looked up.
///
/// Idea    vpermps turns sixteen codes into floats, whatever stands above them: no mask, no conversion;
///         with 32 registers a weight is unpacked once for 12 rows
/// Before  rung 2 shifts, masks, converts and subtracts for 3 rows
/// Needs   avx512 f, bw, dq, vl
#include "03_int4_weight_only/w4a16_panel_gemm.h"
#include "03_int4_weight_only/w4a16_panel_tiles.h"
#include "common/panel_kernel_avx512.h"

#if QLAB_X86
#include <immintrin.h>

#if !defined(__clang__)
// GCC 12 warns of the registers that its own intrinsics leave undefined on purpose (bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace qlab {
namespace {

constexpr int kVectors = 2;                 // of 16 columns in a panel
constexpr std::int64_t kAheadBytes = 2048;  // of W fetched ahead

struct Kernel {
  using Wide = panels_avx512::FloatKernel<float>;
  static constexpr int kMaxRows = Wide::kMaxRows;

  /// Columns 16v on: their zero points as floats.
  QLAB_AVX512 static __m512 zero_points(const w4a16::Group& group, int v) {
    const __m128i bytes =
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(group.zero_points + 16 * v));
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
  }
  QLAB_AVX512 static __m512 scales(const w4a16::Group& group, int v) {
    return _mm512_cvtph_ps(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(group.scales + 32 * v)));
  }

  /// Calls use(code - zero_point, k, v) for every k of some chunks and vector of columns.
  template <class Use>
  [[gnu::always_inline]] QLAB_AVX512 static void for_weights(const w4a16::Group& group,
                                                             std::int64_t chunks, const Use& use) {
    const __m512 values = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512 zero[kVectors] = {zero_points(group, 0), zero_points(group, 1)};
    const std::uint8_t* codes = group.codes;
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk, codes += kChunkBytes) {
      const __m512i words[kVectors] = {_mm512_loadu_si512(codes), _mm512_loadu_si512(codes + 64)};
      _mm_prefetch(reinterpret_cast<const char*>(codes + kAheadBytes), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(codes + kAheadBytes + 64), _MM_HINT_T0);
#pragma GCC unroll 8
      for (int i = 0; i < kChunkK; ++i) {
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) {
          // A lane holds k … k + 3 in the lower halves of its bytes, k + 4 … k + 7 in the upper.
          const __m512i code =
              _mm512_srli_epi32(words[v], static_cast<unsigned>(i % 4 * 8 + i / 4 * 4));
          use(_mm512_sub_ps(_mm512_permutexvar_ps(code, values), zero[v]), chunk * kChunkK + i, v);
        }
      }
    }
  }

  /// totals [R, 32] += scale · Σ x · (code - zero_point).
  template <int R>
  QLAB_AVX512 static void add_group(const float* x, const w4a16::Group& group, float* totals) {
    __m512 sum[R][kVectors];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    for_weights(group, group.chunks, [&](__m512 w, std::int64_t k, int v) QLAB_AVX512 {
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
        sum[r][v] = _mm512_fmadd_ps(_mm512_set1_ps(x[k * R + r]), w, sum[r][v]);
        asm("" : "+v"(sum[r][v]));  // GCC 12 would keep some sums in memory
      }
    });
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      const __m512 scale = scales(group, v);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
        float* total = totals + r * kPanelColumns + 16 * v;
        _mm512_store_ps(total, _mm512_fmadd_ps(scale, sum[r][v], _mm512_load_ps(total)));
      }
    }
  }

  /// The weights of some chunks, [k, 32 columns]: exact, 5 bits times 11.
  QLAB_AVX512 static void dequantize(const w4a16::Group& group, std::int64_t chunks, float* wide) {
    const __m512 scale[kVectors] = {scales(group, 0), scales(group, 1)};
    for_weights(group, chunks, [&](__m512 w, std::int64_t k, int v) QLAB_AVX512 {
      _mm512_store_ps(wide + k * kPanelColumns + 16 * v, _mm512_mul_ps(w, scale[v]));
    });
  }

  /// totals [R, 32] += x · wide.
  template <int R>
  QLAB_AVX512 static void add_wide(const float* x, const float* wide, std::int64_t count,
                                   float* totals) {
    Wide::add<R>(reinterpret_cast<const Wide::Word*>(x), wide, count, 0, false, totals);
  }
};

}  // namespace

void w4a16_panel_gemm_v3_avx512(MatrixView<const half_t> X, const Int4Panels& W,
                                MatrixView<float> Y, ThreadPool& threads) {
  w4a16::multiply<Kernel>(X, W, Y, threads);
}

}  // namespace qlab
#endif
