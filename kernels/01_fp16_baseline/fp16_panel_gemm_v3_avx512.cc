// SPDX-License-Identifier: Apache-2.0
/// \file
/// fp16_panel_gemm and bf16_panel_gemm, rung 3: sixteen columns in a register.
///
/// Idea    with 32 registers of 16 lanes a weight serves 12 rows once it is widened
/// Before  rung 2 widens every weight for 3 rows, and for the next 3 again
/// Needs   avx512 f, bw, dq, vl
#include "01_fp16_baseline/fp16_panel_gemm.h"
#include "common/panel_tiles.h"

#if QLAB_X86
#include <immintrin.h>

#if !defined(__clang__)
// GCC 12 warns of the registers that its own intrinsics leave undefined on purpose (bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace qlab {
namespace {

constexpr int kVectors = 2;  // of 16 columns in a panel

/// The columns of a vector for each k of a word, as floats.
QLAB_AVX512 inline void widen(const half_t* w, __m512 (&wide)[1]) {
  wide[0] = _mm512_cvtph_ps(_mm256_load_si256(reinterpret_cast<const __m256i*>(w)));
}
QLAB_AVX512 inline void widen(const bf16_t* w, __m512 (&wide)[2]) {
  const __m512i pairs = _mm512_load_si512(w);
  // A number of BF16 is the upper half of a float, and k is the lower half of its pair.
  wide[0] = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
  wide[1] = _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(-65536)));
}

template <class T>
struct Kernel {
  static constexpr int kRun = kPanelRun<T>;
  struct Word {
    float x[kRun];
  };
  using Sum = float;
  static constexpr int kMaxRows = 12;

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
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        __m512 wide[kRun];
        widen(w + 16 * kRun * v, wide);
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
          for (int i = 0; i < kRun; ++i) {
            sum[r][v] = _mm512_fmadd_ps(_mm512_set1_ps(x[r].x[i]), wide[i], sum[r][v]);
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

template <class T>
void multiply(MatrixView<const T> X, const Panels<T>& W, MatrixView<float> Y, ThreadPool& threads) {
  using Word = typename Kernel<T>::Word;
  panels::Tiles<Word> x(threads, X.rows(), W.padded_k() / kPanelRun<T>, Kernel<T>::kMaxRows);
  x.fill(threads, [&](std::int64_t m, std::int64_t s) {
    Word word = {};
    for (std::int64_t i = 0; i < kPanelRun<T>; ++i) {
      const std::int64_t k = s * kPanelRun<T> + i;
      if (k < W.K) word.x[i] = to_float(X(m, k));
    }
    return word;
  });
  panels::multiply<Kernel<T>>(
      x, W, threads, [&](std::int64_t m, std::int64_t n0, std::int64_t columns, const float* sums) {
        std::copy_n(sums, columns, Y.row(m) + n0);
      });
}

}  // namespace

void fp16_panel_gemm_v3_avx512(MatrixView<const half_t> X, const Panels<half_t>& W,
                               MatrixView<float> Y, ThreadPool& threads) {
  multiply(X, W, Y, threads);
}

void bf16_panel_gemm_v3_avx512(MatrixView<const bf16_t> X, const Panels<bf16_t>& W,
                               MatrixView<float> Y, ThreadPool& threads) {
  multiply(X, W, Y, threads);
}

}  // namespace qlab
#endif
