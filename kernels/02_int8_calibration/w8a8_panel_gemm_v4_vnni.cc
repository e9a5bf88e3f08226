// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_panel_gemm, rung 4: bytes as they lie, four products and their sum in one instruction.
///
/// Idea    vpdpbusd multiplies unsigned by signed bytes, exactly. X gets 128 added to be unsigned, which
///         is a zero point like any other: Σ (x + 128) · w - (128 + z) · Σ w, and Σ w is known from
///         the packing. A word of W is loaded once for 12 rows: 24 sums, 2 weights and an x fit 32
///         registers
/// Before  rung 3 widens every code, and multiplies half as many at a time
/// Needs   avx512 f, bw, dq, vl and vnni
#include <cstring>

#include "02_int8_calibration/w8a8_scale_avx512.h"
#include "common/panel_tiles.h"

#if QLAB_X86

namespace qlab {
namespace {

constexpr int kVectors = 2;  // of 16 columns in a panel

struct Kernel {
  using Word = std::uint32_t;  // four codes + 128
  using Sum = std::int32_t;
  static constexpr int kMaxRows = 12;

  template <int R>
  QLAB_AVX512_VNNI static void add(const Word* x, const std::int8_t* w, std::int64_t steps,
                                   std::int64_t ahead, bool first, Sum* sums) {
    __m512i sum[R][kVectors];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] =
            first ? _mm512_setzero_si512() : _mm512_load_si512(sums + r * kPanelColumns + 16 * v);
      }
    }
    for (std::int64_t s = 0; s < steps; ++s, x += R, w += 4 * kPanelColumns) {
      const char* next = reinterpret_cast<const char*>(w) + ahead;
      for (int line = 0; line < kVectors; ++line) _mm_prefetch(next + 64 * line, _MM_HINT_T0);
      const __m512i low = _mm512_load_si512(w), high = _mm512_load_si512(w + 64);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
        const __m512i codes = _mm512_set1_epi32(static_cast<int>(x[r]));
        sum[r][0] = _mm512_dpbusd_epi32(sum[r][0], codes, low);
        sum[r][1] = _mm512_dpbusd_epi32(sum[r][1], codes, high);
        asm("" : "+v"(sum[r][0]), "+v"(sum[r][1]));  // GCC 12 would keep some sums in memory
      }
    }
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        _mm512_store_si512(sums + r * kPanelColumns + 16 * v, sum[r][v]);
      }
    }
  }
};

}  // namespace

void w8a8_panel_gemm_v4_vnni(const Int8Rows& X, const Int8Panels& W, MatrixView<float> Y,
                             ThreadPool& threads) {
  const std::int64_t K = W.codes.K;
  panels::Tiles<std::uint32_t> x(threads, X.codes.rows(), (K + 3) / 4, Kernel::kMaxRows);
  x.fill(threads, [&](std::int64_t m, std::uint32_t* to, std::int64_t stride) {
    const std::int8_t* row = X.codes.row(m);
    for (std::int64_t k = 0; k < K; k += 4) {
      std::uint32_t word = 0;
      if (k + 4 <= K) {
        std::memcpy(&word, row + k, 4);
      } else {
        std::memcpy(&word, row + k, static_cast<std::size_t>(K - k));
      }
      to[k / 4 * stride] = word ^ 0x80808080U;  // adding 128 flips the highest bit, for -128 too
    }
  });
  panels::multiply<Kernel>(
      x, W.codes, threads,
      [&](std::int64_t m, std::int64_t n0, std::int64_t columns, const std::int32_t* sums) {
        scale_panel_row(sums, W, n0, columns, 128 + X.zero(m), X.scale[m], Y.row(m) + n0);
      });
}

}  // namespace qlab
#endif
