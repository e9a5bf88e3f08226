// SPDX-License-Identifier: Apache-2.0
/// \file
/// The sums of 12 rows and 32 columns in registers of 16 lanes, for panels whose weights widen to FP32.
#pragma once

#include "common/isa.h"

#if QLAB_X86
#include <immintrin.h>

#include <cstdint>

#include "common/formats.h"
#include "common/panels.h"

#if !defined(__clang__)
// GCC 12 warns of the registers that its own intrinsics leave undefined on purpose (bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace qlab::panels_avx512 {

inline constexpr int kVectors = 2;  // of 16 columns in a panel

/// The columns of a vector for each k of a word, as floats.
QLAB_AVX512 inline void widen(const float* w, __m512 (&wide)[1]) { wide[0] = _mm512_load_ps(w); }
/// The same of FP16.
QLAB_AVX512 inline void widen(const half_t* w, __m512 (&wide)[1]) {
  wide[0] = _mm512_cvtph_ps(_mm256_load_si256(reinterpret_cast<const __m256i*>(w)));
}
/// The same of BF16: k and k + 1.
QLAB_AVX512 inline void widen(const bf16_t* w, __m512 (&wide)[2]) {
  const __m512i pairs = _mm512_load_si512(w);
  // A number of BF16 is the upper half of a float, and k is the lower half of its pair.
  wide[0] = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
  wide[1] = _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(-65536)));
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
  static constexpr int kMaxRows = 12;

  /// sums [R, 32] += x · w over some steps, from 0 where `first`.
  template <int R>
  QLAB_AVX512 static void add(const Word* x, const T* w, std::int64_t steps, std::int64_t ahead,
                              bool first, float* sums) {
    __m512 sum[R][kVectors];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] = first ? _mm512_setzero_ps() : _mm512_load_ps(sums + r * kPanelColumns + 16 * v);
      }
    }
    for (std::int64_t s = 0; s < steps; ++s, x += R, w += kPanelColumns * kRun) {
      const char* next = reinterpret_cast<const char*>(w) + ahead;
      for (int line = 0; line < kRun; ++line) _mm_prefetch(next + 64 * line, _MM_HINT_T0);
      __m512 wide[kVectors][kRun];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) widen(w + 16 * kRun * v, wide[v]);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int i = 0; i < kRun; ++i) {
          const __m512 x1 = _mm512_set1_ps(x[r].x[i]);
#pragma GCC unroll 2
          for (int v = 0; v < kVectors; ++v) {
            sum[r][v] = _mm512_fmadd_ps(x1, wide[v][i], sum[r][v]);
            asm("" : "+v"(sum[r][v]));  // GCC 12 would keep some sums in memory
          }
        }
      }
    }
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        _mm512_store_ps(sums + r * kPanelColumns + 16 * v, sum[r][v]);
      }
    }
  }
};

}  // namespace qlab::panels_avx512
#endif
