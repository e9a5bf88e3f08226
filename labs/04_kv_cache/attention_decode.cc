// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode: your turn. Replace each todo() with your code, then run `./lab check attention_decode`.
#include "04_kv_cache/attention_decode.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace qlab::exercise {
namespace {

/// The scale of token t, of K or of V.
float scale_of(const KvView& kv, const KvTensor& tensor, std::int64_t kv_head, std::int64_t t) {
  return to_float(tensor.scale[kv.scale_index(tensor, kv_head, t)]);
}

/// The score of a token: softmax_scale · Σ q[d] · k_scale · codes[d].
/// \param codes  [q.size()]
float score_of(std::span<const float> q, const std::int8_t* codes, float k_scale,
               float softmax_scale) {
  float score = 0;
  // TODO [attention_decode_score] Score a token
  // Set `score` to the sum of q[d] times codes[d] over all d, then times k_scale and softmax_scale.
  todo("attention_decode_score");
  return score;
}

/// A softmax over the tokens so far: out[d] / sum is their attention.
struct Running {
  float largest = -std::numeric_limits<float>::infinity();  // score
  float sum = 0;                                            // Σ e^(score - largest)
  std::span<float> out;                                     // Σ e^(score - largest) · V
};

/// Takes one more token into the softmax.
/// \param codes  [running.out.size()] of its V
void take_token(Running& running, float score, const std::int8_t* codes, float v_scale) {
  std::span<float> out = running.out;
  float weight = 0;
  // TODO [attention_decode_softmax] Keep the softmax running
  // Set running.largest to the largest score so far, this one included; bring running.sum and every
  // out[d] from the old largest to it; set `weight` to e^(score - largest), add it to running.sum.
  todo("attention_decode_softmax");

  // TODO [attention_decode_values] Add the token's value
  // Add weight times v_scale times codes[d] to every out[d].
  todo("attention_decode_values");
}

}  // namespace

void attention_decode(MatrixView<const float> Q, const KvView& kv, MatrixView<float> out) {
  check_attention_decode(Q, kv, out);
  QLAB_CHECK(Q.rows() == 1, "attention_decode: ", Q.rows(), " queries; give the newest token's");
  QLAB_CHECK(kv.k.format == KvFormat::kInt8 && kv.v.format == KvFormat::kInt8,
             "attention_decode: the cache holds ", kv_format_name(kv.k.format), " and ",
             kv_format_name(kv.v.format), "; this exercise reads int8");
  const std::int64_t n_heads = Q.cols() / kv.head_dim;
  const auto softmax_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(kv.head_dim)));
  for (std::int64_t head = 0; head < n_heads; ++head) {
    std::int64_t kv_head = 0;
    // TODO [attention_decode_heads] Find the KV head
    // n_heads query heads share kv.n_kv_heads KV heads, the same number each, neighbours the same one.
    // Set kv_head to that of query head `head`.
    todo("attention_decode_heads");
    Running running{.out = out.row(0, head * kv.head_dim, kv.head_dim)};
    std::ranges::fill(running.out, 0.0F);
    for (std::int64_t t = 0; t < kv.length; ++t) {
      const float score =
          score_of(Q.row(0, head * kv.head_dim, kv.head_dim), kv.row<std::int8_t>(kv.k, kv_head, t),
                   scale_of(kv, kv.k, kv_head, t), softmax_scale);
      take_token(running, score, kv.row<std::int8_t>(kv.v, kv_head, t),
                 scale_of(kv, kv.v, kv_head, t));
    }
    for (float& x : running.out) x /= running.sum;
  }
}

}  // namespace qlab::exercise
