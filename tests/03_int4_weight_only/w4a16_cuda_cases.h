// SPDX-License-Identifier: Apache-2.0
/// \file
/// Products for the tests of w4a16_gemm_cuda, what they give in double, and the error that a rung may
/// make.
#pragma once

#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "03_int4_weight_only/w4a16_cuda_operands.h"
#include "03_int4_weight_only/w4a16_gemm_cuda.h"
#include "common/random.h"

namespace qlab::test {

struct Shape {
  int M, N, K, group_size;
};

/// One product: X and W on the host.
struct W4A16CudaCase {
  explicit W4A16CudaCase(const Shape& s)
      : shape(s),
        x(static_cast<std::size_t>(s.M) * s.K),
        w{s.N, s.K, s.group_size, bytes(s.K / 2), halves(), bytes(s.K / s.group_size)} {
    std::ostringstream text;
    text << "M=" << s.M << " N=" << s.N << " K=" << s.K << " group_size=" << s.group_size;
    name = text.str();
  }
  /// Everything random: |x| ≤ 1, scales 0.001 … 0.01.
  static W4A16CudaCase random(const Shape& s, std::uint64_t seed) {
    W4A16CudaCase c(s);
    Random random(seed);
    for (half& x : c.x) x = __float2half(static_cast<float>(random.uniform(-1, 1)));
    for (half& v : c.w.scale) v = __float2half(static_cast<float>(random.uniform(0.001, 0.01)));
    for (std::uint8_t& b : c.w.qweight) b = static_cast<std::uint8_t>(random.below(256));
    for (std::uint8_t& z : c.w.zero_point) z = static_cast<std::uint8_t>(random.below(16));
    return c;
  }

  Shape shape;
  std::vector<half> x;
  W4A16HostWeights w;
  bool exact = false;  ///< every sum is exact in any order, and fits FP16
  std::string name;

 private:
  std::vector<std::uint8_t> bytes(int a_row) const {
    return std::vector<std::uint8_t>(static_cast<std::size_t>(shape.N) * a_row);
  }
  std::vector<half> halves() const {
    return std::vector<half>(static_cast<std::size_t>(shape.N) * (shape.K / shape.group_size));
  }
};

struct Oracle {
  double value = 0, magnitude = 0, scales = 0, tokens = 0;  // Σ x·w, Σ |x||w|, Σ scale, Σ |x|
};
inline Oracle oracle(const W4A16CudaCase& c, int m, int n) {
  Oracle o;
  for (int k = 0; k < c.shape.K; ++k) {
    const half x = c.x[static_cast<std::size_t>(m) * c.shape.K + k];
    const double product = double{__half2float(x)} * c.w.weight(n, k);
    o.value += product;
    o.magnitude += std::fabs(product);
    o.scales += c.w.scale_of(n, k);
    o.tokens += std::fabs(double{__half2float(x)});
  }
  return o;
}

/// What a rung rounds to FP16 beside Y.
struct Rounds {
  bool sums, weights;
};

/// The error that a rung may make: that of its sums, then Y is rounded to FP16, by 2⁻¹¹ of it or by
/// 2⁻²⁵ where it is subnormal.
inline double allowed(const W4A16CudaCase& c, const Oracle& o, const Rounds& rounds) {
  if (c.exact) return 0;
  double error = w4a16_gemm_cuda_error(c.shape.K, c.shape.group_size) * o.magnitude;
  if (rounds.sums) error += kW4A16Fp16Error * o.magnitude + o.scales * 0x1p-25;
  if (rounds.weights) {
    const double weights = kW4A16RoundedWeight * o.magnitude + kW4A16SubnormalWeight * o.tokens;
    error = weights + w4a16_gemm_cuda_prefill_error(c.shape.K) * (o.magnitude + weights);
  }
  return error + 0x1p-11 * (std::fabs(o.value) + error) + 0x1p-25;
}

}  // namespace qlab::test
