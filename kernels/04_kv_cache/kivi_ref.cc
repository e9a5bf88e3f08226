// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of kivi: a whole sequence at once, no clamp and no rounding function.
#include <cmath>
#include <vector>

#include "01_fp16_baseline/half_formats.h"
#include "04_kv_cache/kivi.h"

namespace qlab {
namespace {

half_t half_of(float x) { return {half_code_ref(x)}; }

/// Whether token `other` shares a group with token t, for the keys; whether channels do, for
/// values.
using SameGroup = bool (*)(const KiviShape& s, std::int64_t t, std::int64_t d, std::int64_t other_t,
                           std::int64_t other_d);

bool same_key_group(const KiviShape& s, std::int64_t t, std::int64_t d, std::int64_t other_t,
                    std::int64_t other_d) {
  return d == other_d && t / s.group == other_t / s.group;
}

bool same_value_group(const KiviShape& s, std::int64_t t, std::int64_t d, std::int64_t other_t,
                      std::int64_t other_d) {
  return t == other_t && d / s.group == other_d / s.group;
}

struct Coded {
  KiviGroup group;
  std::uint8_t code;
};

/// The group of element (t, d), and its code in it.
Coded code_of(const KiviShape& s, MatrixView<const float> x, std::int64_t t, std::int64_t d,
              SameGroup same) {
  std::vector<half_t> values;
  std::size_t own = 0;
  for (std::int64_t other_t = 0; other_t < x.rows(); ++other_t) {
    for (std::int64_t other_d = 0; other_d < x.cols(); ++other_d) {
      if (!same(s, t, d, other_t, other_d)) continue;
      if (other_t == t && other_d == d) own = values.size();
      values.push_back(half_of(x(other_t, other_d)));
    }
  }
  std::vector<std::uint8_t> codes(values.size());
  const KiviGroup group = kivi_quantize_group_ref(values, s.bits, codes);
  return {group, codes[own]};
}

KiviReading reading(const KiviTensor& x, int bits, std::int64_t t, std::int64_t d, std::int64_t row,
                    std::int64_t col) {
  const int code = kivi_code(x.codes.view().row(t), bits, d);
  return {code * half_value_ref(x.scale(row, col).bits), half_value_ref(x.min(row, col).bits)};
}

}  // namespace

KiviGroup kivi_quantize_group_ref(std::span<const half_t> x, int bits,
                                  std::span<std::uint8_t> codes) {
  const int last = (1 << bits) - 1;
  double low = half_value_ref(x[0].bits), high = low;
  for (const half_t value : x) {
    low = std::fmin(low, half_value_ref(value.bits));
    high = std::fmax(high, half_value_ref(value.bits));
  }
  // The contract's roundings to FP32, one after the other. Rounding twice is harmless: a double has
  // more than twice a float's bits, and two.
  const double range = static_cast<float>(high - low);
  half_t stored = half_of(static_cast<float>(range / last));
  if (half_value_ref(stored.bits) == 0) stored = half_of(1);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double above = static_cast<float>(half_value_ref(x[i].bits) - low);
    const double steps = static_cast<float>(above / half_value_ref(stored.bits));
    int best = 0;
    for (int code = 1; code <= last; ++code) {  // of two equally near, the even one
      const double error = std::fabs(steps - code), best_error = std::fabs(steps - best);
      if (error < best_error || (error == best_error && code % 2 == 0)) best = code;
    }
    codes[i] = static_cast<std::uint8_t>(best);
  }
  return {stored, half_of(static_cast<float>(low))};
}

void kivi_cache_ref(MatrixView<const float> K, MatrixView<const float> V, KiviCache& cache) {
  const KiviShape& s = cache.shape;
  const std::int64_t T = K.rows();
  cache.length = T;
  for (std::int64_t t = 0; t < T; ++t) {
    for (std::int64_t d = 0; d < s.head_dim; ++d) {
      if (t / s.window < T / s.window) {  // its window was filled
        const Coded key = code_of(s, K, t, d, same_key_group);
        cache.k.scale(t / s.group, d) = key.group.scale;
        cache.k.min(t / s.group, d) = key.group.min;
        kivi_set_code(cache.k.codes.view().row(t), s.bits, d, key.code);
      } else {
        cache.k.window(t % s.window, d) = half_of(K(t, d));
      }
      if (T - t > s.window) {  // R or more came after it
        const Coded value = code_of(s, V, t, d, same_value_group);
        cache.v.scale(t, d / s.group) = value.group.scale;
        cache.v.min(t, d / s.group) = value.group.min;
        kivi_set_code(cache.v.codes.view().row(t), s.bits, d, value.code);
      } else {
        cache.v.window(t % s.window, d) = half_of(V(t, d));
      }
    }
  }
}

KiviReading kivi_key_ref(const KiviCache& cache, std::int64_t t, std::int64_t d) {
  const KiviShape& s = cache.shape;
  if (t / s.window == cache.length / s.window) {
    return {0, half_value_ref(cache.k.window(t % s.window, d).bits)};
  }
  return reading(cache.k, s.bits, t, d, t / s.group, d);
}

KiviReading kivi_value_ref(const KiviCache& cache, std::int64_t t, std::int64_t d) {
  const KiviShape& s = cache.shape;
  if (cache.length - t <= s.window) {
    return {0, half_value_ref(cache.v.window(t % s.window, d).bits)};
  }
  return reading(cache.v, s.bits, t, d, t, d / s.group);
}

}  // namespace qlab
