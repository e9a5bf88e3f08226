// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of attention_decode_cuda, a query head at a time: all scores first, in double, over
/// the codes as they are stored. A header, since the bench of nvcc links none of the libraries.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "04_kv_cache/attention_decode_cuda.h"
#include "common/formats.h"

namespace qlab {

/// K or V of one head of one sequence, on the host.
struct DecodeHeadTensor {
  const std::uint8_t* codes;     // [length, head_dim · bits / 8]
  const std::uint16_t* scale;    // [length], `stride` apart  bits of FP16; kInt8 and kInt4 only
  const std::uint16_t* minimum;  // [length], `stride` apart  bits of FP16; kInt4 only
  int stride;                    //
  float head_scale;              // kFp8E4m3 only
};
/// One KV head of a cache, as the oracle reads it.
struct DecodeHeadCache {
  DecodeFormat format;
  int length, head_dim;
  DecodeHeadTensor k, v;
};

/// An element is scale · code + minimum.
struct DecodeElement {
  double code, scale, minimum;
  /// What the element stands for.
  double value() const { return scale * code + minimum; }
  /// Its parts without their signs: what errors are measured by.
  double size() const { return std::fabs(scale * code) + std::fabs(minimum); }
};

/// Channel d of token t.
inline DecodeElement decode_element(const DecodeHeadCache& kv, const DecodeHeadTensor& tensor,
                                    int t, int d) {
  const auto from_bits = [](std::uint16_t bits) { return double{to_float(half_t{bits})}; };
  const std::uint8_t* const codes =
      tensor.codes + static_cast<std::ptrdiff_t>(t) * kv.head_dim * decode_bits(kv.format) / 8;
  switch (kv.format) {
    case DecodeFormat::kFp16:
      return {from_bits(static_cast<std::uint16_t>(codes[2 * d] | codes[2 * d + 1] << 8)), 1, 0};
    case DecodeFormat::kInt8:
      return {static_cast<double>(static_cast<std::int8_t>(codes[d])),
              from_bits(tensor.scale[t * tensor.stride]), 0};
    case DecodeFormat::kFp8E4m3:
      return {to_float(fp8_e4m3_t{codes[d]}), tensor.head_scale, 0};
    case DecodeFormat::kInt4:
      return {static_cast<double>(codes[d / 2] >> (d % 2 * 4) & 15),
              from_bits(tensor.scale[t * tensor.stride]),
              from_bits(tensor.minimum[t * tensor.stride])};
  }
  return {};
}

/// The output of one head, and how far a rung may be from it.
struct DecodeHead {
  std::vector<double> value, tolerance;  // [head_dim]
};

/// With u = 2⁻²⁴, L the length and A_t = (Σ |q|·(scale·|code| + |minimum|)) / √head_dim:
///
///     |out|·2⁻¹¹ + 2⁻²⁵                         the output is rounded to FP16
///   + (e^(2·δ) - 1) · Σ p·|v|                   δ is the error of a score
///   + (2⁻¹¹ + (17·⌈L/64⌉ + 6·⌈L/16⌉ + 64)·u) · Σ p·|v|
///   + 2⁻²⁴ · U · Σ |code| / Σ e^(score - largest)    U: the largest scale of V
///
/// δ: an mma adds 16 products and a sum, each cut at 2⁻²³ of the largest; head_dim / 16 of them
/// follow each other, so 17·head_dim/16·2⁻²³ of A covers it, and FMA in any order. Eight more
/// roundings are those of scales, of the constant, and of score - largest, at most 2·A. Weights are
/// FP16 in v4: 2⁻¹¹ of each, or, below FP16's normal numbers, 2⁻²⁵ of a unit of at most 2·U. A warp
/// takes at most L/64 mma of 16 tokens, each cut 17 times; on CUDA cores at most L/4 FMA, fewer
/// roundings. A rise of the largest score, at most once in each of a warp's L/16 tiles, multiplies
/// by an exp2: six roundings, in the sum and in the sum of weights. Merges, divisions and exp2 are
/// among the 64.
/// \param q  [head_dim] bits of FP16
inline DecodeHead decode_head_ref(const std::uint16_t* q, const DecodeHeadCache& kv) {
  constexpr double u = 0x1p-24;
  const int D = kv.head_dim;
  const double root = std::sqrt(static_cast<double>(D)), tokens = kv.length;
  std::vector<double> p;
  double delta = 0, largest = -INFINITY, sum = 0, unit = 0;
  for (int t = 0; t < kv.length; ++t) {
    double dot = 0, size = 0;
    for (int d = 0; d < D; ++d) {
      const DecodeElement k = decode_element(kv, kv.k, t, d);
      const double x = to_float(half_t{q[d]});
      dot += x * k.value();
      size += std::fabs(x) * k.size();
    }
    p.push_back(dot / root);
    largest = std::max(largest, dot / root);
    delta = std::max(delta, (17.0 * D / 16 * 2 + 8 * 2) * u * size / root);
    unit = std::max(unit, std::fabs(decode_element(kv, kv.v, t, 0).scale));
  }
  for (double& weight : p) sum += weight = std::exp(weight - largest);
  const double factor = std::expm1(2 * delta) + 0x1p-11 +
                        (17 * std::ceil(tokens / 64) + 6 * std::ceil(tokens / 16) + 64) * u;
  DecodeHead ref;
  for (int d = 0; d < D; ++d) {
    double value = 0, size = 0, codes = 0;
    for (int t = 0; t < kv.length; ++t) {
      const DecodeElement v = decode_element(kv, kv.v, t, d);
      const double weight = p[static_cast<std::size_t>(t)] / sum;
      value += weight * v.value();
      size += weight * v.size();
      codes += std::fabs(v.code);
    }
    ref.value.push_back(value);
    ref.tolerance.push_back(std::fabs(value) * 0x1p-11 + 0x1p-25 + factor * size +
                            0x1p-24 * unit * codes / sum);
  }
  return ref;
}

}  // namespace qlab
