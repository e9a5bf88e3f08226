// SPDX-License-Identifier: Apache-2.0
/// \file
/// kv_int8: every token and head brings a scale of its own, so nothing that was written is touched again.
///
/// Bottleneck   none here: a token is written once and read by every token after it
/// Bytes moved  4·head_dim read, head_dim + 2 written, for each token and head, K or V
/// FLOPs        about 4 for each value
/// Teaches      codes are made with the scale as it is stored, and belong to one token and head
/// Leaves out   attention over what was written (attention_decode); fewer bits (kivi)
#include "04_kv_cache/kv_int8.h"

#include <algorithm>
#include <cmath>

namespace qlab::exercise {
namespace {

constexpr half_t kLeastScale{1};  // 2⁻²⁴

/// The scale of one token of one head, as it is stored.
half_t scale_for(std::span<const float> x) {
  half_t scale{};
  // BEGIN SOLUTION [kv_int8_scale] Choose the scale of a token
  // Set `scale` to the largest magnitude in x, divided by 127, in FP16: from_float<half_t>(…). To 1 if
  // all of x is 0, and to kLeastScale where FP16 would round it to 0.

  // A scale of 0 would divide 0 by 0 now, and turn the token into NaN.
  float largest = 0;
  for (const float value : x) largest = std::max(largest, std::fabs(value));
  scale = from_float<half_t>(largest == 0 ? 1.0F : largest / 127);
  if (scale.bits == 0) scale = kLeastScale;
  // END SOLUTION [kv_int8_scale]
  return scale;
}

/// Codes of one token of one head.
/// \param codes  [x.size()]
void quantize(std::span<const float> x, half_t scale, std::int8_t* codes) {
  // BEGIN SOLUTION [kv_int8_codes] Round with the scale as stored
  // Set each codes[d] to x[d] divided by the scale, to the nearest integer, ties to even, and not
  // beyond -127 … 127. std::nearbyint() rounds so.

  // FP16 keeps 11 bits of the scale. Whoever reads multiplies by those, so they must divide too. They
  // may be less than a 127th of the largest value, and then that one would get 128: a code is
  // brought into range before it becomes an int8.
  for (std::size_t d = 0; d < x.size(); ++d) {
    const float code = std::nearbyint(x[d] / to_float(scale));
    codes[d] = static_cast<std::int8_t>(std::clamp(code, -127.0F, 127.0F));
  }
  // END SOLUTION [kv_int8_codes]
}

}  // namespace

void append_int8(MatrixView<const float> x, std::int64_t length, const Int8Kv& cache) {
  check_append_int8("append_int8", x, length, cache);
  const std::int64_t D = cache.head_dim();
  // BEGIN SOLUTION [kv_int8_append] Write every token and head
  // For each token i of x and each head: x.row(i, head * D, D) is its row. Take scale_for() it, put
  // that to cache.scale, and quantize() the row to its place in cache.codes. Token i of x is token
  // length + i of the cache.

  // Not one scale for the whole row of x: a head with large values would take the others' codes.
  // Not one for all tokens at hand either: a token must not depend on which others came with it.
  for (std::int64_t i = 0; i < x.rows(); ++i) {
    for (std::int64_t head = 0; head < cache.n_kv_heads(); ++head) {
      const std::span<const float> row = x.row(i, head * D, D);
      const std::int64_t t = length + i;
      cache.scale(head, t) = scale_for(row);
      quantize(row, cache.scale(head, t), &cache.codes(head, t * D));
    }
  }
  // END SOLUTION [kv_int8_append]
}

void read_int8(const Int8Kv& cache, std::int64_t head, std::int64_t t, std::span<float> out) {
  check_read_int8("read_int8", cache, head, t, out);
  // BEGIN SOLUTION [kv_int8_read] Read a token back
  // Set out[d] to the scale of token t times the code of its channel d.

  const std::int64_t D = cache.head_dim();
  const float scale = to_float(cache.scale(head, t));
  for (std::int64_t d = 0; d < D; ++d) {
    out[static_cast<std::size_t>(d)] = scale * static_cast<float>(cache.codes(head, t * D + d));
  }
  // END SOLUTION [kv_int8_read]
}

}  // namespace qlab::exercise
