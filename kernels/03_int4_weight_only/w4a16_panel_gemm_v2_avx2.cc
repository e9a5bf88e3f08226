// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_panel_gemm, rung 2: eight columns in a register.
///
/// Idea    the sums of 3 rows and 32 columns in 12 registers; a weight is unpacked once for them
/// Before  rung 1 unpacks a weight for every row, one at a time
/// Needs   avx2, fma, f16c
#include "03_int4_weight_only/w4a16_panel_gemm.h"
#include "03_int4_weight_only/w4a16_panel_tiles.h"
#include "common/panel_kernel_avx2.h"

#if QLAB_X86
#include <immintrin.h>

namespace qlab {
namespace {

constexpr int kVectors = 4;                 // of 8 columns in a panel
constexpr std::int64_t kAheadBytes = 2048;  // of W fetched ahead

struct Kernel {
  using Wide = panels_avx2::FloatKernel<float>;
  static constexpr int kMaxRows = Wide::kMaxRows;

  /// A panel's zero points as floats, and its scales.
  struct Group {
    QLAB_AVX2 explicit Group(const w4a16::Group& group) {
      for (int v = 0; v < kVectors; ++v) {
        const __m128i bytes =
            _mm_loadl_epi64(reinterpret_cast<const __m128i*>(group.zero_points + 8 * v));
        _mm256_store_ps(zero_point + 8 * v, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)));
        const auto* halves = reinterpret_cast<const __m128i*>(group.scales + 16 * v);
        _mm256_store_ps(scale + 8 * v, _mm256_cvtph_ps(_mm_loadu_si128(halves)));
      }
    }
    alignas(32) float zero_point[kPanelColumns], scale[kPanelColumns];
  };

  /// code - zero_point of column 8v on, k = kAt of a chunk.
  template <int kAt>
  QLAB_AVX2 static __m256 integers(const std::uint8_t* chunk, int v, const float* zero_point) {
    // A lane holds k … k + 3 in the lower halves of its bytes, k + 4 … k + 7 in the upper.
    constexpr int kShift = kAt % 4 * 8 + kAt / 4 * 4;
    const __m256i word = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(chunk + 32 * v));
    const __m256i code =
        _mm256_and_si256(_mm256_srli_epi32(word, kShift), _mm256_set1_epi32(kInt4Max));
    return _mm256_sub_ps(_mm256_cvtepi32_ps(code), _mm256_load_ps(zero_point + 8 * v));
  }

  /// Calls use(integers, k, v) for every k of a chunk and vector of columns.
  template <int kAt = 0, class Use>
  [[gnu::always_inline]] QLAB_AVX2 static void for_weights(const std::uint8_t* chunk,
                                                           const float* zero_point,
                                                           const Use& use) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) use(integers<kAt>(chunk, v, zero_point), kAt, v);
    if constexpr (kAt + 1 < kChunkK) for_weights<kAt + 1>(chunk, zero_point, use);
  }

  /// totals [R, 32] += scale · Σ x · (code - zero_point).
  template <int R>
  QLAB_AVX2 static void add_group(const float* x, const w4a16::Group& packed, float* totals) {
    const Group group(packed);
    __m256 sum[R][kVectors];
#pragma GCC unroll 3
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm256_setzero_ps();
    }
    const std::uint8_t* chunk = packed.codes;
    for (std::int64_t i = 0; i < packed.chunks; ++i, chunk += kChunkBytes, x += kChunkK * R) {
      _mm_prefetch(reinterpret_cast<const char*>(chunk + kAheadBytes), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(chunk + kAheadBytes + 64), _MM_HINT_T0);
      for_weights(chunk, group.zero_point, [&](__m256 w, int k, int v) QLAB_AVX2 {
#pragma GCC unroll 3
        for (int r = 0; r < R; ++r) {
          sum[r][v] = _mm256_fmadd_ps(_mm256_broadcast_ss(x + k * R + r), w, sum[r][v]);
        }
      });
    }
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const __m256 scale = _mm256_load_ps(group.scale + 8 * v);
#pragma GCC unroll 3
      for (int r = 0; r < R; ++r) {
        float* total = totals + r * kPanelColumns + 8 * v;
        _mm256_store_ps(total, _mm256_fmadd_ps(scale, sum[r][v], _mm256_load_ps(total)));
      }
    }
  }

  /// The weights of some chunks, [k, 32 columns]: exact, 5 bits times 11.
  QLAB_AVX2 static void dequantize(const w4a16::Group& packed, std::int64_t chunks, float* wide) {
    const Group group(packed);
    const std::uint8_t* chunk = packed.codes;
    for (std::int64_t i = 0; i < chunks; ++i, chunk += kChunkBytes) {
      for_weights(chunk, group.zero_point, [&](__m256 w, int k, int v) QLAB_AVX2 {
        _mm256_store_ps(wide + k * kPanelColumns + 8 * v,
                        _mm256_mul_ps(w, _mm256_load_ps(group.scale + 8 * v)));
      });
      wide += kChunkK * kPanelColumns;
    }
  }

  /// totals [R, 32] += x · wide.
  template <int R>
  QLAB_AVX2 static void add_wide(const float* x, const float* wide, std::int64_t count,
                                 float* totals) {
    Wide::add<R>(reinterpret_cast<const Wide::Word*>(x), wide, count, 0, false, totals);
  }
};

}  // namespace

void w4a16_panel_gemm_v2_avx2(MatrixView<const half_t> X, const Int4Panels& W, MatrixView<float> Y,
                              ThreadPool& threads) {
  w4a16::multiply<Kernel>(X, W, Y, threads);
}

}  // namespace qlab
#endif
