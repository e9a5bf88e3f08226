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

#include "04_kv_cache/attention_decode.h"

namespace qlab {
namespace {

float value_of(float code) { return code; }
float value_of(half_t code) { return to_float(code); }
float value_of(std::int8_t code) { return code; }
float value_of(fp8_e4m3_t code) { return to_float(code); }

float scale_of(const half_t* scale, std::int64_t row) {
  return scale == nullptr ? 1.0F : to_float(scale[row]);
}

/// One query of one head over the first `tokens` tokens of KV head `kv_head`.
template <class Code>
void attend(const float* q, const KvView& kv, std::int64_t kv_head, std::int64_t tokens,
            float* out) {
  const std::int64_t D = kv.head_dim;
  const auto score_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(D)));
  float largest = -std::numeric_limits<float>::infinity();  // of the scores so far
  float sum = 0;                                            // of exp(score - largest)
  std::fill_n(out, D, 0.0F);                                // of exp(score - largest) · V
  for (std::int64_t t = 0; t < tokens; ++t) {
    const Code* k = kv.k.row<Code>(kv_head, t, kv.capacity, D);
    const Code* v = kv.v.row<Code>(kv_head, t, kv.capacity, D);
    float dot = 0;
    for (std::int64_t d = 0; d < D; ++d) dot += q[d] * value_of(k[d]);

    // The scale of a token multiplies its score once, and its weight once: not head_dim values.
    const std::int64_t row = kv_head * kv.capacity + t;
    const float score = dot * (score_scale * scale_of(kv.k.scale, row));
    const float larger = std::max(largest, score);
    const float shrink = std::exp(largest - larger);
    const float weight = std::exp(score - larger);
    const float v_weight = weight * scale_of(kv.v.scale, row);
    for (std::int64_t d = 0; d < D; ++d) out[d] = out[d] * shrink + v_weight * value_of(v[d]);
    sum = sum * shrink + weight;
    largest = larger;
  }
  for (std::int64_t d = 0; d < D; ++d) out[d] /= sum;
}

template <class Code>
void run(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out, ThreadPool& threads) {
  const std::int64_t M = Q.rows();
  const std::int64_t n_heads = Q.cols() / kv.head_dim;
  threads.run(M * n_heads, [&](std::int64_t task) {
    const std::int64_t m = task / n_heads;
    const std::int64_t head = task % n_heads;
    const std::int64_t kv_head = head / (n_heads / kv.n_kv_heads);  // neighbours share a KV head
    attend<Code>(Q.row(m) + head * kv.head_dim, kv, kv_head, kv.length - M + 1 + m,
                 out.row(m) + head * kv.head_dim);
  });
}

}  // namespace

void attention_decode_v1_scalar(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out,
                                ThreadPool& threads) {
  switch (kv.format) {
    case KvFormat::kFp32:
      return run<float>(Q, kv, out, threads);
    case KvFormat::kFp16:
      return run<half_t>(Q, kv, out, threads);
    case KvFormat::kInt8:
      return run<std::int8_t>(Q, kv, out, threads);
    case KvFormat::kFp8E4m3:
      return run<fp8_e4m3_t>(Q, kv, out, threads);
  }
}

}  // namespace qlab
