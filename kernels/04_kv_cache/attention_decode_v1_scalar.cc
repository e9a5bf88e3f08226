// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode, rung 1: the online softmax, one token after the other.
///
/// Idea    one pass over the cache: a score larger than all before it rescales the sums so far
/// Before  nothing
/// Needs   nothing
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "04_kv_cache/attention_decode.h"
#include "04_kv_cache/kv_unpack.h"

namespace qlab {
namespace {

/// One query of one head over the first `tokens` tokens of KV head `kv_head`. `row` holds head_dim.
void attend(const float* q, const KvView& kv, std::int64_t kv_head, std::int64_t tokens, float* row,
            float* out) {
  const std::int64_t D = kv.head_dim;
  const auto score_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(D)));
  const std::int64_t k_window = k_window_start(kv.k.format, tokens);
  const std::int64_t v_window = v_window_start(kv.v.format, tokens);
  float largest = -std::numeric_limits<float>::infinity();  // of the scores so far
  float sum = 0;                                            // of exp(score - largest)
  std::fill_n(out, D, 0.0F);                                // of exp(score - largest) · V
  for (std::int64_t t = 0; t < tokens; ++t) {
    const float k_factor = unpack_row(kv, kv.k, k_window, kv_head, t, row);
    float dot = 0;
    for (std::int64_t d = 0; d < D; ++d) dot += q[d] * row[d];
    const float score = dot * (k_factor * score_scale);

    // The first time around largest is -∞ and exp(-∞) = 0 forgets sums that are 0 anyway.
    if (score > largest) {
      const float shrink = std::exp(largest - score);
      sum *= shrink;
      for (std::int64_t d = 0; d < D; ++d) out[d] *= shrink;
      largest = score;
    }
    const float weight = std::exp(score - largest);
    sum += weight;
    const float v_weight = weight * unpack_row(kv, kv.v, v_window, kv_head, t, row);
    for (std::int64_t d = 0; d < D; ++d) out[d] += v_weight * row[d];
  }
  for (std::int64_t d = 0; d < D; ++d) out[d] /= sum;
}

}  // namespace

void attention_decode_v1_scalar(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out,
                                ThreadPool& threads) {
  const std::int64_t M = Q.rows();
  const std::int64_t n_heads = Q.cols() / kv.head_dim;
  threads.run(M * n_heads, [&](std::int64_t task) {
    const std::int64_t m = task / n_heads;
    const std::int64_t head = task % n_heads;
    const std::int64_t kv_head = head / (n_heads / kv.n_kv_heads);  // neighbours share a KV head
    std::vector<float> row(static_cast<std::size_t>(kv.head_dim));
    attend(Q.row(m) + head * kv.head_dim, kv, kv_head, kv.length - M + 1 + m, row.data(),
           out.row(m) + head * kv.head_dim);
  });
}

}  // namespace qlab
