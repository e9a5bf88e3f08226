// SPDX-License-Identifier: Apache-2.0
/// \file
/// The epilogue of the AVX-512 rungs over panels: zero points leave the sum, and the scales meet it.
#pragma once

#include "02_int8_calibration/w8a8_panel_gemm.h"

#if QLAB_X86
#include <immintrin.h>

#if !defined(__clang__)
// GCC 12 warns of the registers that its own intrinsics leave undefined on purpose (bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace qlab {

/// Columns [n0, n0 + columns), at most 32, of a row of Y:
/// y[n] = (sums[n - n0] - zero_point · W.sums[n]) · x_scale · W.scale[n].
QLAB_AVX512 inline void scale_panel_row(const std::int32_t* sums, const Int8Panels& W,
                                        std::int64_t n0, std::int64_t columns,
                                        std::int32_t zero_point, float x_scale, float* y) {
#pragma GCC unroll 2
  for (int n = 0; n < kPanelColumns; n += 16) {
    if (columns <= n) break;
    const auto valid =
        static_cast<__mmask16>(columns - n >= 16 ? 0xFFFF : (1U << (columns - n)) - 1);
    const __m512i total = _mm512_sub_epi32(
        _mm512_load_si512(sums + n),
        _mm512_mullo_epi32(_mm512_loadu_si512(W.sums + n0 + n), _mm512_set1_epi32(zero_point)));
    const __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(total), _mm512_set1_ps(x_scale));
    _mm512_mask_storeu_ps(y + n, valid, _mm512_mul_ps(scaled, _mm512_loadu_ps(W.scale + n0 + n)));
  }
}

}  // namespace qlab
#endif
