// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the SIMD rungs of attention_decode share: rows of Q, their softmax, and which of them meet which
/// block of the cache. A Kernel is a rung's own part:
///
///     using Groups = …;                                            // unpacks 4 and 2 bits
///     template <class Code>
///     static void attend_rows(Row*, int count, const Block<Code>&, std::int64_t t0);
#pragma once

#include <algorithm>
#include <limits>

#include "04_kv_cache/attention_decode.h"
#include "04_kv_cache/kv_block_avx2.h"
#include "common/exp_avx2.h"

#if QLAB_X86

namespace qlab {

inline constexpr int kTaskRows =
    32;  // rows of Q in a task: queries times heads that share a KV head

/// One row of Q, and what the online softmax knows of it after the blocks so far.
struct Row {
  const float* q = nullptr;  // [D]
  float* out = nullptr;      // [D]  Σ exp(score - largest) · V until it is divided by sum
  std::int64_t visible = 0;  // tokens it may see
  float largest = -std::numeric_limits<float>::infinity();
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

/// The sums of the lanes of a, b, c and d.
QLAB_AVX2 inline __m128 sums_of_lanes(__m256 a, __m256 b, __m256 c, __m256 d) {
  const __m256 halves = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  return _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
}

/// The largest of eight floats.
QLAB_AVX2 inline float largest_lane(__m256 v) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}

/// The sum of eight floats.
QLAB_AVX2 inline float sum_of_lanes(__m256 v) { return _mm_cvtss_f32(sums_of_lanes(v, v, v, v)); }

/// Turns the dot products of one row, of which it sees the first `visible`, into the weights of V,
/// and returns what the sums so far shrink by.
template <class Code>
QLAB_AVX2 inline float softmax(const Block<Code>& block, int visible, int count, Row& row,
                               float* dots) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  __m256 largest8 = _mm256_set1_ps(row.largest);
  for (int t = 0; t < count; t += 8) {
    const __m256 score =
        _mm256_mul_ps(_mm256_loadu_ps(dots + t), _mm256_loadu_ps(block.k_factor + t));
    const __m256i seen = _mm256_cmpgt_epi32(_mm256_set1_epi32(visible - t), lane);
    const __m256 masked = _mm256_blendv_ps(_mm256_set1_ps(-std::numeric_limits<float>::infinity()),
                                           score, _mm256_castsi256_ps(seen));
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

/// `count` rows of Q that share a KV head, block after block of it.
template <class Kernel, class Code>
void attend_head(const KvView& kv, std::int64_t kv_head, Row* rows, int count) {
  for (int r = 0; r < count; ++r) std::fill_n(rows[r].out, kv.head_dim, 0.0F);
  BlockReader<Code, typename Kernel::Groups> reader(kv, kv_head);
  const std::int64_t tokens = rows[count - 1].visible;  // later queries see more
  for (std::int64_t t0 = 0; t0 < tokens; t0 += kBlock) {
    if (!reader.differs(t0, rows[0].visible)) {
      Kernel::attend_rows(rows, count, reader.read(t0, tokens), t0);
      continue;
    }
    for (int r = 0; r < count;) {  // what lies in the window is another for each query
      int same = r + 1;
      while (same < count && rows[same].visible == rows[r].visible) ++same;
      if (rows[r].visible > t0) {
        Kernel::attend_rows(rows + r, same - r, reader.read(t0, rows[r].visible), t0);
      }
      r = same;
    }
  }
  for (int r = 0; r < count; ++r) {
    for (std::int64_t d = 0; d < kv.head_dim; ++d) rows[r].out[d] /= rows[r].sum;
  }
}

/// Attention of all heads, a KV head a task. Q and out [M · n_heads, head_dim].
template <class Kernel, class Code>
void attend_heads(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out,
                  ThreadPool& threads) {
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
    attend_head<Kernel, Code>(kv, kv_head, rows, count);
  });
}

/// All of Q, by the code that K and V have in common; other formats are read as floats.
template <class Kernel>
void attend_all(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out,
                ThreadPool& threads) {
  if (kv.k.format == kv.v.format) {
    switch (kv.k.format) {
      case KvFormat::kFp16:
        return attend_heads<Kernel, half_t>(Q, kv, out, threads);
      case KvFormat::kFp8E4m3:
        return attend_heads<Kernel, fp8_e4m3_t>(Q, kv, out, threads);
      case KvFormat::kFp8E5m2:
        return attend_heads<Kernel, fp8_e5m2_t>(Q, kv, out, threads);
      case KvFormat::kInt8:
        return attend_heads<Kernel, std::int8_t>(Q, kv, out, threads);
      default:
        break;
    }
  }
  attend_heads<Kernel, float>(Q, kv, out, threads);
}

}  // namespace qlab
#endif
