// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode, rung 2: a block of 64 tokens at a time, eight channels at a time.
///
/// Idea    the softmax rescales once a block, not once a token; codes of a byte or more widen in
///         registers, smaller ones once a block, and the rows of Q that share a KV head meet a block
///         of it while it is in the first cache
/// Before  rung 1 reads the cache once for every query head and waits for exp at every token
/// Needs   avx2, fma, f16c
#include <algorithm>

#include "04_kv_cache/attention_rows_avx2.h"

#if QLAB_X86
#include <immintrin.h>

namespace qlab {
namespace {

/// sum[r][i] += q of row r · k of token i over the next `count` ≤ 8 channels.
template <int ROWS, class Code>
[[gnu::always_inline]] QLAB_AVX2 inline void add_products(const Row* rows,
                                                          const Code* const (&k)[4], std::int64_t d,
                                                          std::int64_t count,
                                                          __m256 (&sum)[ROWS][4]) {
  __m256 q[ROWS];
#pragma GCC unroll 2
  for (int r = 0; r < ROWS; ++r) q[r] = load(rows[r].q + d, count);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m256 k8 = load(k[i] + d, count);
#pragma GCC unroll 2
    for (int r = 0; r < ROWS; ++r) sum[r][i] = _mm256_fmadd_ps(q[r], k8, sum[r][i]);
  }
}

/// dots[r][t] = q of row r · k of token t. Four tokens share the reads of q, ROWS rows the widening
/// of k. Past the last token that one is taken again: its copies are masked later. V is on its way
/// meanwhile.
template <int ROWS, class Code>
QLAB_AVX2 void dot_products(const Row* rows, const Block<Code>& block, int count,
                            float (*dots)[kBlock]) {
  for (int t = 0; t < count; t += 4) {
    const Code* k[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) k[i] = block.k + std::min(t + i, count - 1) * block.D;
    prefetch(block.v + t * block.D, 4 * block.D);
    __m256 sum[ROWS][4] = {};
    std::int64_t d = 0;
    for (; d + 8 <= block.D; d += 8) add_products(rows, k, d, 8, sum);
    if (d < block.D) add_products(rows, k, d, block.D - d, sum);
#pragma GCC unroll 2
    for (int r = 0; r < ROWS; ++r) {
      _mm_storeu_ps(dots[r] + t, sums_of_lanes(sum[r][0], sum[r][1], sum[r][2], sum[r][3]));
    }
  }
}

/// out = out · shrink + Σ weight · V for VECS vectors of channels from d on; the last one has
/// `last` ≤ 8 channels. The next block of K is on its way meanwhile.
template <int ROWS, int VECS, class Code>
[[gnu::always_inline]] QLAB_AVX2 inline void add_values(const Row* rows, const Block<Code>& block,
                                                        int count, const float (*weights)[kBlock],
                                                        const float* shrink, std::int64_t d,
                                                        std::int64_t last) {
  __m256 sum[ROWS][VECS];
#pragma GCC unroll 8
  for (int i = 0; i < VECS; ++i) {
#pragma GCC unroll 2
    for (int r = 0; r < ROWS; ++r) {
      const __m256 before = load(rows[r].out + d + 8 * i, last);
      sum[r][i] = _mm256_mul_ps(before, _mm256_set1_ps(shrink[r]));
    }
  }
  for (int t = 0; t < count; ++t) {
    const Code* v = block.v + t * block.D + d;
    if (VECS > 1) prefetch(block.k + (kBlock + t) * block.D + d, 8 * VECS);
#pragma GCC unroll 8
    for (int i = 0; i < VECS; ++i) {
      const __m256 v8 = load(v + 8 * i, last);
#pragma GCC unroll 2
      for (int r = 0; r < ROWS; ++r) {
        sum[r][i] = _mm256_fmadd_ps(_mm256_broadcast_ss(&weights[r][t]), v8, sum[r][i]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < VECS; ++i) {
#pragma GCC unroll 2
    for (int r = 0; r < ROWS; ++r) store(rows[r].out + d + 8 * i, sum[r][i], last);
  }
}

/// One block for ROWS rows.
template <int ROWS, class Code>
QLAB_AVX2 void attend_block(Row* rows, const Block<Code>& block, std::int64_t t0) {
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
  constexpr int kVecs = 8 / ROWS;
  std::int64_t d = 0;
  for (; d + 8 * kVecs <= block.D; d += 8 * kVecs) {
    add_values<ROWS, kVecs>(rows, block, count, weights, shrink, d, 8);
  }
  for (; d + 8 <= block.D; d += 8) add_values<ROWS, 1>(rows, block, count, weights, shrink, d, 8);
  if (d < block.D) add_values<ROWS, 1>(rows, block, count, weights, shrink, d, block.D - d);
}

struct Avx2 {
  using Groups = GroupsAvx2;

  template <class Code>
  static void attend_rows(Row* rows, int count, const Block<Code>& block, std::int64_t t0) {
    int r = 0;
    for (; r + 2 <= count; r += 2) attend_block<2>(rows + r, block, t0);
    if (r < count) attend_block<1>(rows + r, block, t0);
  }
};

}  // namespace

void attention_decode_v2_avx2(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out,
                              ThreadPool& threads) {
  attend_all<Avx2>(Q, kv, out, threads);
}

}  // namespace qlab
#endif
