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
#include <cmath>
#include <limits>

#include "04_kv_cache/attention_decode.h"
#include "04_kv_cache/kv_block_avx2.h"
#include "common/exp_avx2.h"

#if QLAB_X86
#include <immintrin.h>

namespace qlab {
namespace {

constexpr int kTaskRows = 32;  // rows of Q in a task: queries times the heads that share a KV head
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// The sums of the lanes of a, b, c and d.
QLAB_AVX2 inline __m128 sums_of_lanes(__m256 a, __m256 b, __m256 c, __m256 d) {
  const __m256 halves = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  return _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
}

QLAB_AVX2 inline float largest_lane(__m256 v) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}

QLAB_AVX2 inline float sum_of_lanes(__m256 v) { return _mm_cvtss_f32(sums_of_lanes(v, v, v, v)); }

/// One row of Q, and what the online softmax knows of it after the blocks so far.
struct Row {
  const float* q = nullptr;  // [D]
  float* out = nullptr;      // [D]  Σ exp(score - largest) · V until it is divided by sum
  std::int64_t visible = 0;  // tokens it may see
  float largest = -kInfinity;
  float sum = 0;  // Σ exp(score - largest)
};

/// Brings `count` codes into the second cache. A block is K, then V: two short streams, at whose
/// turns the processor's own prefetch would start anew. The first cache is too small for both.
template <class Code>
QLAB_AVX2 inline void prefetch(const Code* codes, std::int64_t count) {
  const auto* bytes = reinterpret_cast<const char*>(codes);
  for (std::int64_t i = 0; i < count * std::int64_t{sizeof(Code)}; i += 64) {
    _mm_prefetch(bytes + i, _MM_HINT_T1);
  }
}

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

/// Turns the dot products of one row, of which it sees the first `visible`, into the weights of V,
/// and returns what the sums so far shrink by.
template <class Code>
QLAB_AVX2 float softmax(const Block<Code>& block, int visible, int count, Row& row, float* dots) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  __m256 largest8 = _mm256_set1_ps(row.largest);
  for (int t = 0; t < count; t += 8) {
    const __m256 score =
        _mm256_mul_ps(_mm256_loadu_ps(dots + t), _mm256_loadu_ps(block.k_factor + t));
    const __m256i seen = _mm256_cmpgt_epi32(_mm256_set1_epi32(visible - t), lane);
    const __m256 masked =
        _mm256_blendv_ps(_mm256_set1_ps(-kInfinity), score, _mm256_castsi256_ps(seen));
    largest8 = _mm256_max_ps(largest8, masked);
    _mm256_storeu_ps(dots + t, masked);
  }
  const float largest = largest_lane(largest8);
  const float shrink = _mm256_cvtss_f32(exp_avx2(_mm256_set1_ps(row.largest - largest)));

  __m256 sum8 = _mm256_setzero_ps();
  for (int t = 0; t < count; t += 8) {
    const __m256 weight =
        exp_avx2(_mm256_sub_ps(_mm256_loadu_ps(dots + t), _mm256_set1_ps(largest)));
    sum8 = _mm256_add_ps(sum8, weight);
    _mm256_storeu_ps(dots + t, _mm256_mul_ps(weight, _mm256_loadu_ps(block.v_factor + t)));
  }
  row.sum = row.sum * shrink + sum_of_lanes(sum8);
  row.largest = largest;
  return shrink;
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

/// Rows of Q that see the same tokens, or all that see a block alike, meet that block.
template <class Code>
QLAB_AVX2 void attend_rows(Row* rows, int count, const Block<Code>& block, std::int64_t t0) {
  int r = 0;
  for (; r + 2 <= count; r += 2) attend_block<2>(rows + r, block, t0);
  if (r < count) attend_block<1>(rows + r, block, t0);
}

/// `count` rows of Q that share a KV head, block after block of it.
template <class Code>
QLAB_AVX2 void attend(const KvView& kv, std::int64_t kv_head, Row* rows, int count) {
  for (int r = 0; r < count; ++r) std::fill_n(rows[r].out, kv.head_dim, 0.0F);
  BlockReader<Code> reader(kv, kv_head);
  const std::int64_t tokens = rows[count - 1].visible;  // later queries see more
  for (std::int64_t t0 = 0; t0 < tokens; t0 += kBlock) {
    if (!reader.differs(t0, rows[0].visible)) {
      attend_rows(rows, count, reader.read(t0, tokens), t0);
      continue;
    }
    for (int r = 0; r < count;) {  // what lies in the window is another for each query
      int same = r + 1;
      while (same < count && rows[same].visible == rows[r].visible) ++same;
      if (rows[r].visible > t0) {
        attend_rows(rows + r, same - r, reader.read(t0, rows[r].visible), t0);
      }
      r = same;
    }
  }
  for (int r = 0; r < count; ++r) {
    for (std::int64_t d = 0; d < kv.head_dim; ++d) rows[r].out[d] /= rows[r].sum;
  }
}

template <class Code>
void run(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out, ThreadPool& threads) {
  const std::int64_t group = Q.cols() / kv.head_dim / kv.n_kv_heads;  // heads that share a KV head
  const std::int64_t n_rows = Q.rows() * group;                       // of one KV head
  const std::int64_t tasks = (n_rows + kTaskRows - 1) / kTaskRows;    // of one KV head
  threads.run(kv.n_kv_heads * tasks, [&](std::int64_t task) {
    const std::int64_t kv_head = task / tasks;
    const std::int64_t first = task % tasks * kTaskRows;
    const auto count = static_cast<int>(std::min<std::int64_t>(kTaskRows, n_rows - first));
    Row rows[kTaskRows];
    for (int r = 0; r < count; ++r) {
      const std::int64_t m = (first + r) / group;
      const std::int64_t column = (kv_head * group + (first + r) % group) * kv.head_dim;
      rows[r].q = Q.row(m) + column;
      rows[r].out = out.row(m) + column;
      rows[r].visible = kv.length - Q.rows() + 1 + m;
    }
    attend<Code>(kv, kv_head, rows, count);
  });
}

}  // namespace

void attention_decode_v2_avx2(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out,
                              ThreadPool& threads) {
  if (kv.k.format == kv.v.format) {
    switch (kv.k.format) {
      case KvFormat::kFp16:
        return run<half_t>(Q, kv, out, threads);
      case KvFormat::kFp8E4m3:
        return run<fp8_e4m3_t>(Q, kv, out, threads);
      case KvFormat::kFp8E5m2:
        return run<fp8_e5m2_t>(Q, kv, out, threads);
      case KvFormat::kInt8:
        return run<std::int8_t>(Q, kv, out, threads);
      default:
        break;
    }
  }
  run<float>(Q, kv, out, threads);
}

}  // namespace qlab
#endif
