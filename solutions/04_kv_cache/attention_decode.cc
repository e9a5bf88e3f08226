// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode: one pass over an INT8 cache; a softmax that is right for the tokens so far, and
/// scales that meet a score and a weight instead of head_dim values.
///
/// Bottleneck   reading K and V once: a byte a value, and two scales a token
/// Bytes moved  read 2·n_kv_heads·length·(head_dim + 2), and Q beside it
/// FLOPs        4·n_heads·head_dim·length
/// Teaches      a new largest score needs no second pass: what was summed shrinks by one factor
/// Leaves out   blocks of tokens, SIMD and threads (attention_decode_v2_avx2); other formats
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
  // BEGIN SOLUTION [attention_decode_score] Score a token
  // Set `score` to the sum of q[d] times codes[d] over all d, then times k_scale and softmax_scale.

  // The scale is the same for all channels of a token, so it leaves the sum: one product a token
  // where dequantizing K first would take head_dim of them.
  for (std::size_t d = 0; d < q.size(); ++d) score += q[d] * static_cast<float>(codes[d]);
  score *= k_scale * softmax_scale;
  // END SOLUTION [attention_decode_score]
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
  // BEGIN SOLUTION [attention_decode_softmax] Keep the softmax running
  // Set running.largest to the largest score so far, this one included; bring running.sum and every
  // out[d] from the old largest to it; set `weight` to e^(score - largest), add it to running.sum.

  // e^(s - old) · e^(old - new) = e^(s - new): what was summed with the old maximum shrinks by one
  // factor. The first time old is -∞ and the factor 0, which is what a sum of nothing needs. No
  // exponent is ever above 0, so nothing overflows, however large scores are.
  const float largest = std::max(running.largest, score);
  const float shrink = std::exp(running.largest - largest);
  weight = std::exp(score - largest);
  running.sum = running.sum * shrink + weight;
  for (float& x : out) x *= shrink;
  running.largest = largest;
  // END SOLUTION [attention_decode_softmax]

  // BEGIN SOLUTION [attention_decode_values] Add the token's value
  // Add weight times v_scale times codes[d] to every out[d].

  // V's scale goes into the weight, once a token. Into this one only: probabilities add up to 1
  // whatever the scale of V is, so running.sum has the weight without it.
  const float scaled = weight * v_scale;
  for (std::size_t d = 0; d < out.size(); ++d) out[d] += scaled * static_cast<float>(codes[d]);
  // END SOLUTION [attention_decode_values]
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
    // BEGIN SOLUTION [attention_decode_heads] Find the KV head
    // n_heads query heads share kv.n_kv_heads KV heads, the same number each, neighbours the same one.
    // Set kv_head to that of query head `head`.

    // Grouped-query attention: with 8 heads on 2, heads 0 … 3 read the first. Not head % n_kv_heads:
    // checkpoints are trained with neighbours together.
    kv_head = head / (n_heads / kv.n_kv_heads);
    // END SOLUTION [attention_decode_heads]
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
