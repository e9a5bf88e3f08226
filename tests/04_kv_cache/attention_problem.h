// SPDX-License-Identifier: Apache-2.0
/// \file
/// AttentionProblem: queries and a cache to run a rung of attention_decode on, in every format.
#pragma once

#include <cstring>
#include <ostream>
#include <vector>

#include "04_kv_cache/attention_decode.h"
#include "support/compare.h"
#include "support/fenced.h"
#include "support/guarded.h"
#include "support/problems.h"

namespace qlab::test {

using AttentionRun = decltype(attention_decode_v1_scalar);

inline constexpr KvFormat kKvFormats[] = {KvFormat::kFp32, KvFormat::kFp16, KvFormat::kInt8,
                                          KvFormat::kFp8E4m3};

struct AttentionShape {
  std::int64_t M, n_heads, n_kv_heads, head_dim, length;

  friend std::ostream& operator<<(std::ostream& out, const AttentionShape& s) {
    return out << "M=" << s.M << " heads=" << s.n_heads << "/" << s.n_kv_heads
               << " head_dim=" << s.head_dim << " length=" << s.length;
  }
};

struct AttentionProblem {
  /// The cache is longer than what is written, and the rest is NaN in every format.
  AttentionProblem(KvFormat format, const AttentionShape& s, std::int64_t spare = 5)
      : shape(s),
        q(s.M, s.n_heads * s.head_dim),
        k(s.length, s.n_kv_heads * s.head_dim),
        v(s.length, s.n_kv_heads * s.head_dim),
        cache(format, 1, s.n_kv_heads, s.head_dim, s.length + spare) {}

  void fill_all(Values q_values, Values k_values, Values v_values, Random& random) {
    fill(q.view(), q_values, random);
    fill(k.view(), k_values, random);
    fill(v.view(), v_values, random);
  }
  /// Rounds K and V into the cache.
  void store() {
    cache.clear();
    poison_cache();
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

 private:
  void poison_cache() {
    const KvView view = cache.layer(0);
    const auto rows = static_cast<std::size_t>(view.n_kv_heads * view.capacity);
    const auto row_bytes = static_cast<std::size_t>(kv_row_bytes(view.format, view.head_dim));
    for (const KvTensor& tensor : {view.k, view.v}) {  // the cache owns them and is not const
      const std::size_t scale_bytes = tensor.scale == nullptr ? 0 : sizeof(half_t);
      std::memset(const_cast<void*>(tensor.codes), 0xFF, rows * (row_bytes - scale_bytes));
      if (scale_bytes == 0) continue;
      std::memset(const_cast<half_t*>(tensor.scale), 0xFF, rows * scale_bytes);
    }
  }
};

/// Runs on copies of the cache that end where memory does.
template <class Code>
void run_fenced(AttentionRun* rung, const AttentionProblem& problem) {
  const AttentionShape& s = problem.shape;
  KvView kv = problem.cache.layer(0);
  const std::int64_t rows = s.n_kv_heads * kv.capacity, codes = rows * s.head_dim;
  const Fenced<Code> k({static_cast<const Code*>(kv.k.codes), 1, codes, codes});
  const Fenced<Code> v({static_cast<const Code*>(kv.v.codes), 1, codes, codes});
  const std::vector<half_t> none(static_cast<std::size_t>(rows));
  const bool scaled = kv.k.scale != nullptr;
  const Fenced<half_t> k_scale({scaled ? kv.k.scale : none.data(), 1, rows, rows});
  const Fenced<half_t> v_scale({scaled ? kv.v.scale : none.data(), 1, rows, rows});
  kv.k = {k.data(), scaled ? k_scale.data() : nullptr};
  kv.v = {v.data(), scaled ? v_scale.data() : nullptr};
  const Fenced<float> q(problem.q.view());
  Guarded<float> out(s.M, s.n_heads * s.head_dim);
  ThreadPool threads(1);
  rung(q.view(), kv, out.view(), threads);
  EXPECT_TRUE(out.written_exactly(problem.run(rung, 1, 0x5A))) << s;
}

}  // namespace qlab::test
