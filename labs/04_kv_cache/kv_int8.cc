// SPDX-License-Identifier: Apache-2.0
/// \file
/// kv_int8: your turn. Replace each todo() with your code, then run `./lab check kv_int8`.
#include "04_kv_cache/kv_int8.h"

#include <algorithm>
#include <cmath>

namespace qlab::exercise {
namespace {

constexpr half_t kLeastScale{1};  // 2⁻²⁴

/// The scale of one token of one head, as it is stored.
half_t scale_for(std::span<const float> x) {
  half_t scale{};
  // TODO [kv_int8_scale] Choose the scale of a token
  // Set `scale` to the largest magnitude in x, divided by 127, in FP16: from_float<half_t>(…). To 1 if
  // all of x is 0, and to kLeastScale where FP16 would round it to 0.
  todo("kv_int8_scale");
  return scale;
}

/// Codes of one token of one head.
/// \param codes  [x.size()]
void quantize(std::span<const float> x, half_t scale, std::int8_t* codes) {
  // TODO [kv_int8_codes] Round with the scale as stored
  // Set each codes[d] to x[d] divided by the scale, to the nearest integer, ties to even, and not
  // beyond -127 … 127. std::nearbyint() rounds so.
  todo("kv_int8_codes");
}

}  // namespace

void append_int8(MatrixView<const float> x, std::int64_t length, const Int8Kv& cache) {
  check_append_int8("append_int8", x, length, cache);
  const std::int64_t D = cache.head_dim();
  // TODO [kv_int8_append] Write every token and head
  // For each token i of x and each head: x.row(i, head * D, D) is its row. Take scale_for() it, put
  // that to cache.scale, and quantize() the row to its place in cache.codes. Token i of x is token
  // length + i of the cache.
  todo("kv_int8_append");
}

void read_int8(const Int8Kv& cache, std::int64_t head, std::int64_t t, std::span<float> out) {
  check_read_int8("read_int8", cache, head, t, out);
  // TODO [kv_int8_read] Read a token back
  // Set out[d] to the scale of token t times the code of its channel d.
  todo("kv_int8_read");
}

}  // namespace qlab::exercise
