// SPDX-License-Identifier: Apache-2.0
/// \file
/// The sums of 3 rows and 32 columns in registers of 8 lanes, for panels whose weights widen to FP32.
#pragma once

#include "common/isa.h"

#if QLAB_X86
#include <immintrin.h>

#include <cstdint>
#include <type_traits>

#include "common/formats.h"
#include "common/panels.h"

namespace qlab::panels_avx2 {

inline constexpr int kVectors = 4;  // of 8 columns in a panel

/// The columns of a vector for each k of a word, as floats.
QLAB_AVX2 inline void widen(const float* w, __m256 (&wide)[1]) { wide[0] = _mm256_load_ps(w); }
/// The same of FP16.
QLAB_AVX2 inline void widen(const half_t* w, __m256 (&wide)[1]) {
  wide[0] = _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(w)));
}
/// The same of BF16: k and k + 1.
QLAB_AVX2 inline void widen(const bf16_t* w, __m256 (&wide)[2]) {
  const __m256i pairs = _mm256_load_si256(reinterpret_cast<const __m256i*>(w));
  // A number of BF16 is the upper half of a float, and k is the lower half of its pair.
  wide[0] = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
  wide[1] = _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(-65536)));
}

/// A row of X in a tile: `count` numbers as words of kRun floats, `stride` words apart.
template <int kRun, class T>
QLAB_AVX2 void widen_row(const T* from, std::int64_t count, float* to, std::int64_t stride) {
  const auto place = [to, stride](std::int64_t i) -> float& {
    return to[i / kRun * stride * kRun + i % kRun];
  };
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    alignas(32) float eight[8];
    const auto bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    if constexpr (std::is_same_v<T, half_t>) {
      _mm256_store_ps(eight, _mm256_cvtph_ps(bits));
    } else {
      const __m256i wide = _mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16);
      _mm256_store_ps(eight, _mm256_castsi256_ps(wide));
    }
    for (int j = 0; j < 8; ++j) place(i + j) = eight[j];
  }
  for (; i < count; ++i) place(i) = to_float(from[i]);
}

/// What a tile of at most kMaxRows rows does with a panel of FP32, FP16 or BF16: panels::multiply.
template <class T>
struct FloatKernel {
  static constexpr int kRun = kPanelRun<T>;
  /// The k of a row of X that meet a word of W.
  struct Word {
    float x[kRun];
  };
  using Sum = float;
  static constexpr int kMaxRows = 3;

  /// sums [R, 32] += x · w over some steps, from 0 where `first`.
  template <int R>
  QLAB_AVX2 static void add(const Word* x, const T* w, std::int64_t steps, std::int64_t ahead,
                            bool first, float* sums) {
    __m256 sum[R][kVectors];
#pragma GCC unroll 3
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] = first ? _mm256_setzero_ps() : _mm256_load_ps(sums + r * kPanelColumns + 8 * v);
      }
    }
    for (std::int64_t s = 0; s < steps; ++s, x += R, w += kPanelColumns * kRun) {
      const char* next = reinterpret_cast<const char*>(w) + ahead;
      for (int line = 0; line < kRun; ++line) _mm_prefetch(next + 64 * line, _MM_HINT_T0);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        __m256 wide[kRun];
        widen(w + 8 * kRun * v, wide);
#pragma GCC unroll 3
        for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
          for (int i = 0; i < kRun; ++i) {
            sum[r][v] = _mm256_fmadd_ps(_mm256_broadcast_ss(x[r].x + i), wide[i], sum[r][v]);
          }
        }
      }
    }
#pragma GCC unroll 3
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        _mm256_store_ps(sums + r * kPanelColumns + 8 * v, sum[r][v]);
      }
    }
  }
};

}  // namespace qlab::panels_avx2
#endif
