// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode, rung 3: sixteen channels at a time, and four query heads to a block.
///
/// Idea    with 32 registers four rows of Q share each widening of K and V; a code of 4 bits chooses
///         its value from a register that holds all sixteen
/// Before  rung 2 spends more time on unpacking 4 bits than on reading FP16
/// Needs   avx512 f, bw, dq, vl
#if !defined(__clang__)
// GCC 12 warns of the registers that its own intrinsics leave undefined on purpose (bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <algorithm>

#include "04_kv_cache/attention_rows_avx2.h"
#include "04_kv_cache/kv_codes_avx512.h"

#if QLAB_X86
#include <immintrin.h>

namespace qlab {
namespace {

QLAB_AVX512 inline __m256 halves_added(__m512 x) {
  return _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
}

/// dots[r][t] = q of row r · k of token t. Four tokens share the reads of q, ROWS rows the widening
/// of k. Past the last token that one is taken again: its copies are masked later. V is on its way
/// meanwhile.
template <int ROWS, class Code>
QLAB_AVX512 void dot_products(const Row* rows, const Block<Code>& block, int count,
                              float (*dots)[kBlock]) {
  for (int t = 0; t < count; t += 4) {
    const Code* k[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) k[i] = block.k + std::min(t + i, count - 1) * block.D;
    prefetch(block.v + t * block.D, 4 * block.D);
    __m512 sum[ROWS][4] = {};
    for (std::int64_t d = 0; d < block.D; d += 16) {
      const __mmask16 lanes = first_lanes(block.D - d);
      __m512 q[ROWS];
#pragma GCC unroll 4
      for (int r = 0; r < ROWS; ++r) q[r] = load16(rows[r].q + d, lanes);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const __m512 k16 = load16(k[i] + d, lanes);
#pragma GCC unroll 4
        for (int r = 0; r < ROWS; ++r) sum[r][i] = _mm512_fmadd_ps(q[r], k16, sum[r][i]);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; ++r) {
      _mm_storeu_ps(dots[r] + t, sums_of_lanes(halves_added(sum[r][0]), halves_added(sum[r][1]),
                                               halves_added(sum[r][2]), halves_added(sum[r][3])));
    }
  }
}

/// out = out · shrink + Σ weight · V for VECS vectors of channels from d on; the last one has
/// `last` ≤ 16 channels. The next block of K is on its way meanwhile: each pass over the tokens fetches
/// its part of it from end to end, for the processor follows lines in their order, and not every second
/// one.
template <int ROWS, int VECS, class Code>
QLAB_AVX512 void add_values(const Row* rows, const Block<Code>& block, int count,
                            const float (*weights)[kBlock], const float* shrink, std::int64_t d,
                            std::int64_t last) {
  const __mmask16 lanes = first_lanes(last);
  __m512 sum[ROWS][VECS];
#pragma GCC unroll 4
  for (int i = 0; i < VECS; ++i) {
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; ++r) {
      const __m512 before = load16(rows[r].out + d + 16 * i, lanes);
      sum[r][i] = _mm512_mul_ps(before, _mm512_set1_ps(shrink[r]));
    }
  }
  for (int t = 0; t < count; ++t) {
    const Code* v = block.v + t * block.D + d;
    if (VECS > 1) {
      prefetch(block.k + kBlock * block.D + (d / (16 * VECS) * kBlock + t) * 16 * VECS, 16 * VECS);
    }
#pragma GCC unroll 4
    for (int i = 0; i < VECS; ++i) {
      const __m512 v16 = load16(v + 16 * i, lanes);
#pragma GCC unroll 4
      for (int r = 0; r < ROWS; ++r) {
        sum[r][i] = _mm512_fmadd_ps(_mm512_set1_ps(weights[r][t]), v16, sum[r][i]);
      }
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < VECS; ++i) {
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; ++r) {
      _mm512_mask_storeu_ps(rows[r].out + d + 16 * i, lanes, sum[r][i]);
    }
  }
}

/// One block for ROWS rows.
template <int ROWS, class Code>
QLAB_AVX512 void attend_block(Row* rows, const Block<Code>& block, std::int64_t t0) {
  int visible[ROWS];
  int count = 0;
  for (int r = 0; r < ROWS; ++r) {
    visible[r] = static_cast<int>(std::clamp<std::int64_t>(rows[r].visible - t0, 0, block.count));
    count = std::max(count, visible[r]);
  }
  if (count == 0) return;
  float weights[ROWS][kBlock] = {};
  float shrink[ROWS];
  dot_products<ROWS>(rows, block, count, weights);
  for (int r = 0; r < ROWS; ++r) {
    shrink[r] = softmax(block, visible[r], count, rows[r], weights[r]);
  }
  std::int64_t d = 0;
  for (; d + 64 <= block.D; d += 64) {
    add_values<ROWS, 4>(rows, block, count, weights, shrink, d, 16);
  }
  for (; d < block.D; d += 16) {
    add_values<ROWS, 1>(rows, block, count, weights, shrink, d, block.D - d);
  }
}

struct Avx512 {
  using Groups = GroupsAvx512;

  template <class Code>
  static void attend_rows(Row* rows, int count, const Block<Code>& block, std::int64_t t0) {
    int r = 0;
    for (; r + 4 <= count; r += 4) attend_block<4>(rows + r, block, t0);
    for (; r + 2 <= count; r += 2) attend_block<2>(rows + r, block, t0);
    if (r < count) attend_block<1>(rows + r, block, t0);
  }
};

}  // namespace

void attention_decode_v3_avx512(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out,
                                ThreadPool& threads) {
  attend_all<Avx512>(Q, kv, out, threads);
}

}  // namespace qlab
#endif
