// SPDX-License-Identifier: Apache-2.0
/// \file
/// bf16_panel_gemm, rung 4: pairs of BF16 as they lie.
///
/// Idea    vdpbf16ps multiplies pairs as they lie; nothing is widened
/// Before  rung 3 takes a pair apart with a shift and an AND before it multiplies
/// Needs   avx512 f, bw, dq, vl and bf16
#include <cstring>

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

struct Kernel {
  using Word = std::int32_t;  // two numbers of BF16, k in the lower half
  using Sum = float;
  static constexpr int kMaxRows = 12;

  template <int R>
  QLAB_AVX512_BF16 static void add(const Word* x, const bf16_t* w, std::int64_t steps,
                                   std::int64_t ahead, bool first, float* sums) {
    __m512 sum[R][kVectors];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] = first ? _mm512_setzero_ps() : _mm512_load_ps(sums + r * kPanelColumns + 16 * v);
      }
    }
    for (std::int64_t s = 0; s < steps; ++s, x += R, w += 2 * kPanelColumns) {
      const char* next = reinterpret_cast<const char*>(w) + ahead;
      for (int line = 0; line < kVectors; ++line) _mm_prefetch(next + 64 * line, _MM_HINT_T0);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        const __m512i pairs = _mm512_load_si512(w + 32 * v);
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
          sum[r][v] =
              _mm512_dpbf16_ps(sum[r][v], (__m512bh)_mm512_set1_epi32(x[r]), (__m512bh)pairs);
          asm("" : "+v"(sum[r][v]));  // GCC 12 would keep some sums in memory
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

}  // namespace

void bf16_panel_gemm_v4_avx512bf16(MatrixView<const bf16_t> X, const Panels<bf16_t>& W,
                                   MatrixView<float> Y, ThreadPool& threads) {
  panels::Tiles<std::int32_t> x(threads, X.rows(), (W.K + 1) / 2, Kernel::kMaxRows);
  x.fill(threads, [&](std::int64_t m, std::int32_t* to, std::int64_t stride) {
    const bf16_t* row = X.row(m);
    for (std::int64_t s = 0; s < W.K / 2; ++s) std::memcpy(to + s * stride, row + 2 * s, 4);
    if (W.K % 2 != 0) to[W.K / 2 * stride] = row[W.K - 1].bits;  // and a 0
  });
  panels::multiply<Kernel>(
      x, W, threads, [&](std::int64_t m, std::int64_t n0, std::int64_t columns, const float* sums) {
        std::copy_n(sums, columns, Y.row(m) + n0);
      });
}

}  // namespace qlab
#endif
