// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of kv_int8, and the checks of its operands.
#include <cmath>

#include "04_kv_cache/kv_int8.h"

namespace qlab {

void check_append_int8(const char* who, MatrixView<const float> x, std::int64_t length,
                       const Int8Kv& cache) {
  QLAB_CHECK(cache.n_kv_heads() > 0 && cache.capacity() > 0, who, ": a cache of ",
             cache.n_kv_heads(), " heads and ", cache.capacity(),
             " tokens; give at least one each");
  const std::int64_t D = cache.head_dim();
  QLAB_CHECK(D > 0 && cache.codes.cols() == cache.capacity() * D, who, ": rows of ",
             cache.codes.cols(), " codes for ", cache.capacity(),
             " tokens; give capacity · head_dim");
  check_shape(who, "codes", cache.codes, cache.n_kv_heads(), cache.capacity() * D);
  check_shape(who, "x", x, x.rows(), cache.n_kv_heads() * D);
  QLAB_CHECK(length >= 0 && length <= cache.capacity(), who, ": length ", length,
             " is not within a cache of ", cache.capacity(), " tokens");
  QLAB_CHECK(x.rows() <= cache.capacity() - length, who, ": ", x.rows(), " tokens after ", length,
             " pass the capacity ", cache.capacity(), "; make the cache larger");
  for (std::int64_t t = 0; t < x.rows(); ++t) {
    for (std::int64_t c = 0; c < x.cols(); ++c) {
      QLAB_CHECK(std::fabs(x(t, c)) < kKvInt8TooLarge, who, ": x is ", x(t, c), " at token ",
                 length + t, ", head ", c / D, ", channel ", c % D, "; finite values under ",
                 kKvInt8TooLarge, " have a scale that FP16 holds");
    }
  }
}

void check_read_int8(const char* who, const Int8Kv& cache, std::int64_t head, std::int64_t t,
                     std::span<float> out) {
  QLAB_CHECK(head >= 0 && head < cache.n_kv_heads() && t >= 0 && t < cache.capacity(), who,
             ": token ", t, " of head ", head, " is outside ", cache.n_kv_heads(), " heads of ",
             cache.capacity(), " tokens");
  QLAB_CHECK(std::ssize(out) == cache.head_dim(), who, ": out has ", out.size(),
             " elements; head_dim is ", cache.head_dim());
}

half_t quantize_kv_int8_ref(std::span<const float> x, std::span<std::int8_t> codes) {
  double absmax = 0;
  for (const float value : x) absmax = std::fmax(absmax, std::fabs(value));
  half_t scale = from_float<half_t>(static_cast<float>(absmax) / 127);
  if (scale.bits == 0) scale.bits = absmax == 0 ? 0x3C00 : 1;  // 1 for zeros, else FP16's least
  for (std::size_t d = 0; d < x.size(); ++d) {
    const double exact = x[d] / to_float(scale);  // FP32: the quotient is rounded there
    int best = -127;
    for (int code = -126; code <= 127; ++code) {
      const double gain = std::fabs(best - exact) - std::fabs(code - exact);
      if (gain > 0 || (gain == 0 && code % 2 == 0)) best = code;
    }
    codes[d] = static_cast<std::int8_t>(best);
  }
  return scale;
}

}  // namespace qlab
