// SPDX-License-Identifier: Apache-2.0
/// \file
/// AttentionProblem: queries and a cache to run a rung of attention_decode on, in every format.
#pragma once

#include <algorithm>
#include <list>
#include <ostream>

#include "04_kv_cache/attention_decode.h"
#include "04_kv_cache/kv_rows.h"
#include "support/compare.h"
#include "support/fenced.h"
#include "support/guarded.h"
#include "support/problems.h"

namespace qlab::test {

using AttentionRun = decltype(attention_decode_v1_scalar);

struct AttentionShape {
  std::int64_t M, n_heads, n_kv_heads, head_dim, length;

  friend std::ostream& operator<<(std::ostream& out, const AttentionShape& s) {
    return out << "M=" << s.M << " heads=" << s.n_heads << "/" << s.n_kv_heads
               << " head_dim=" << s.head_dim << " length=" << s.length;
  }
};

/// The shape with sides that the format takes: head_dim, and M within a window.
inline AttentionShape fitting(KvFormats formats, AttentionShape shape) {
  shape.head_dim = fitting_dim(formats, shape.head_dim);
  if (formats.window()) shape.M = std::min(shape.M, kKvWindow);
  return shape;
}

struct AttentionProblem {
  /// The cache is longer than what is written, and the rest is NaN in every format.
  AttentionProblem(KvFormats formats, const AttentionShape& s, std::int64_t spare = 5,
                   const KvLayout& layout = {}, const KvHeadScales& scales = {})
      : shape(s),
        q(s.M, s.n_heads * s.head_dim),
        k(s.length, s.n_kv_heads * s.head_dim),
        v(s.length, s.n_kv_heads * s.head_dim),
        cache(formats, 1, s.n_kv_heads, s.head_dim, s.length + spare, layout, scales) {}

  void fill_all(Values q_values, Values k_values, Values v_values, Random& random) {
    fill(q.view(), q_values, random);
    fill(k.view(), k_values, random);
    fill(v.view(), v_values, random);
  }
  /// Rounds K and V into the cache.
  void store() {
    cache.clear();
    poison(cache, 0);
    cache.append(0, k.view(), v.view());
  }
  Guarded<float> run(AttentionRun* rung, int threads = 1, unsigned char poison = 0xFF) const {
    Guarded<float> out(shape.M, shape.n_heads * shape.head_dim, poison);
    ThreadPool pool(threads);
    rung(q.view(), cache.layer(0), out.view(), pool);
    return out;
  }
  testing::AssertionResult matches_oracle(AttentionRun* rung) const {
    Matrix<double> value(shape.M, shape.n_heads * shape.head_dim);
    Matrix<double> tolerance(value.rows(), value.cols());
    attention_decode_ref(q.view(), cache.layer(0), value.view(), tolerance.view());
    return matches(run(rung).view(), value.view(),
                   [&](std::int64_t r, std::int64_t c) { return tolerance(r, c); });
  }

  AttentionShape shape;
  Operand<float> q, k, v;
  KvCache cache;
};

/// Runs on copies of the cache that end where memory does.
inline void run_fenced(AttentionRun* rung, const AttentionProblem& problem) {
  const AttentionShape& s = problem.shape;
  KvView kv = problem.cache.layer(0);
  const std::int64_t rows = s.n_kv_heads * kv.pool_blocks;
  std::list<Fenced<std::uint8_t>> bytes;
  std::list<Fenced<half_t>> halves;
  const auto fence = [](auto& copies, auto*& from, std::int64_t count) {
    if (from == nullptr) return;
    copies.emplace_back(MatrixView{from, 1, count, count});
    from = copies.back().data();
  };
  for (KvTensor* tensor : {&kv.k, &kv.v}) {
    fence(bytes, tensor->codes, rows * kv.block_tokens * kv_code_bytes(tensor->format, s.head_dim));
    fence(halves, tensor->scale, rows * tensor->scales_per_block);
    fence(halves, tensor->minimum, rows * tensor->scales_per_block);
    fence(halves, tensor->window, s.n_kv_heads * 2 * kKvWindow * s.head_dim);
  }
  const Fenced<float> q(problem.q.view());
  Guarded<float> out(s.M, s.n_heads * s.head_dim);
  ThreadPool threads(1);
  rung(q.view(), kv, out.view(), threads);
  EXPECT_TRUE(out.written_exactly(problem.run(rung, 1, 0x5A))) << s;
}

}  // namespace qlab::test
