// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of attention_decode_split, a query head at a time: all scores first, in double, over
/// the codes as they are stored. A header, since the bench of nvcc links none of the lab's
/// libraries.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "04_kv_cache/kv_device.h"
#include "common/formats.h"

namespace qlab {

/// K or V of one head of one sequence, on the host.
struct KvHeadTensor {
  const void* codes;          // [length, head_dim]
  const half_t* token_scale;  // [length]  kInt8 only
  float head_scale;           //           kFp8E4m3 only
};
/// One KV head of a cache, as the oracle reads it.
struct KvHead {
  KvDeviceFormat format;
  int length, head_dim;
  KvHeadTensor k, v;
};

/// The number that stands for channel d of token t.
inline double cached_number(const KvHead& kv, const KvHeadTensor& tensor, int t, int d) {
  const std::size_t i = static_cast<std::size_t>(t) * static_cast<std::size_t>(kv.head_dim) +
                        static_cast<std::size_t>(d);
  switch (kv.format) {
    case KvDeviceFormat::kFp16:
      return to_float(static_cast<const half_t*>(tensor.codes)[i]);
    case KvDeviceFormat::kInt8:
      return double{to_float(tensor.token_scale[t])} *
             static_cast<const std::int8_t*>(tensor.codes)[i];
    case KvDeviceFormat::kFp8E4m3:
      return double{tensor.head_scale} * to_float(static_cast<const fp8_e4m3_t*>(tensor.codes)[i]);
  }
  return NAN;
}

/// The output of one head, and how far a kernel may be from it.
struct AttentionHeadRef {
  std::vector<double> value, tolerance;  // [head_dim]
};

/// The tolerance of an output, with u = 2⁻²⁴ and L = length:
///
///     (2·max δ + (2·√L + 4 + 6·(⌈L / 128⌉ + 2))·u) · Σ pₜ·|vₜ|  +  2⁻¹²⁶·Σ|vₜ|
///
/// δₜ is the error of a score: products of a dot product are exact and 2·√head_dim·u covers their
/// sum; three more roundings are those of 1 / √head_dim, of its product with K's scale, and of that
/// with the sum. e^±δ is both in a weight and in the sum of weights, hence 2·δ. 2·√L covers the
/// sums over tokens; four roundings are exp (two), V's scale, the division. A rise of the largest
/// score, at most once in each of a warp's ⌈L / 128⌉ tiles, and each of two merges multiplies by
/// another exp: three roundings, in the numerator and in the denominator. The argument of exp,
/// rounded to u·|score - m|, adds Σ pₜ·|scoreₜ - m|·u ≤ ln L · u, for which 2·√L has room. A weight
/// below FP32's normal numbers may become 0: the last term.
inline AttentionHeadRef attention_head_ref(const half_t* q, const KvHead& kv) {
  const double root = std::sqrt(static_cast<double>(kv.head_dim)), u = 0x1p-24;
  std::vector<double> p;
  double score_tolerance = 0;
  for (int t = 0; t < kv.length; ++t) {
    double dot = 0, abs_dot = 0;
    for (int d = 0; d < kv.head_dim; ++d) {
      const double product = to_float(q[d]) * cached_number(kv, kv.k, t, d);
      dot += product;
      abs_dot += std::fabs(product);
    }
    p.push_back(dot / root);
    score_tolerance = std::max(score_tolerance, (2 * root + 3) * u * abs_dot / root);
  }
  const double largest = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (double& weight : p) sum += weight = std::exp(weight - largest);
  const double tokens = kv.length;
  const double factor =
      2 * score_tolerance + (2 * std::sqrt(tokens) + 4 + 6 * (std::ceil(tokens / 128) + 2)) * u;
  AttentionHeadRef ref;
  for (int d = 0; d < kv.head_dim; ++d) {
    double value = 0, abs_value = 0, abs_v = 0;
    for (int t = 0; t < kv.length; ++t) {
      const double v = cached_number(kv, kv.v, t, d), weight = p[static_cast<std::size_t>(t)] / sum;
      value += weight * v;
      abs_value += weight * std::fabs(v);
      abs_v += std::fabs(v);
    }
    ref.value.push_back(value);
    ref.tolerance.push_back(factor * abs_value + 0x1p-126 * abs_v);
  }
  return ref;
}

}  // namespace qlab
