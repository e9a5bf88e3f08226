// SPDX-License-Identifier: Apache-2.0
/// \file
/// Random 4-bit weights with groups of 128, and samples of their product with FP16 tokens that know
/// how far each rung may be off. For nvcc only.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "03_int4_weight_only/w4a16_cuda_operands.h"
#include "03_int4_weight_only/w4a16_gemm_cuda.h"
#include "common/random.h"

namespace qlab::gpu {

inline constexpr int kGroupSize = 128;

inline test::W4A16HostWeights random_int4_weights(int N, int K) {
  Random random(2);
  const std::size_t groups = static_cast<std::size_t>(N) * (K / kGroupSize);
  test::W4A16HostWeights w{N,
                           K,
                           kGroupSize,
                           std::vector<std::uint8_t>(static_cast<std::size_t>(N) * (K / 2)),
                           std::vector<half>(groups),
                           std::vector<std::uint8_t>(groups)};
  for (std::uint8_t& b : w.qweight) b = static_cast<std::uint8_t>(random.below(256));
  for (std::uint8_t& z : w.zero_point) z = static_cast<std::uint8_t>(random.below(16));
  for (half& s : w.scale) s = __float2half(static_cast<float>(random.uniform(0.001, 0.01)));
  return w;
}

/// What is rounded to FP16 before Y is.
enum class W4A16Rounds { kNothing, kSums, kWeights };

inline W4A16Rounds rounds_of(const CudaRung<W4A16Cuda>& rung) {
  return rung.run == w4a16_gemm_cuda_v3_bits  ? W4A16Rounds::kSums
         : rung.most_tokens > kW4A16MaxTokens ? W4A16Rounds::kWeights
                                              : W4A16Rounds::kNothing;
}

/// Some elements of Y [M, N]: the first, the last, then any.
class W4A16Samples {
 public:
  W4A16Samples(const std::vector<half>& x, const test::W4A16HostWeights& w, int M, int samples)
      : K_(w.K) {
    Random random(3);
    for (int i = 0; i < samples; ++i) {
      const int m = i == 0 ? 0 : i == 1 ? M - 1 : static_cast<int>(random.below(M));
      const int n = i == 0 ? 0 : i == 1 ? w.N - 1 : static_cast<int>(random.below(w.N));
      Sample s{.at = static_cast<std::size_t>(m) * w.N + n,
               .value = 0,
               .magnitude = 0,
               .scales = 0,
               .tokens = 0};
      for (int k = 0; k < K_; ++k) {
        const half value = x[static_cast<std::size_t>(m) * K_ + k];
        const double product = double{__half2float(value)} * w.weight(n, k);
        s.value += product;
        s.magnitude += std::fabs(product);
        s.scales += w.scale_of(n, k);
        s.tokens += std::fabs(double{__half2float(value)});
      }
      samples_.push_back(s);
    }
  }

  /// y [M, N] within the bounds of w4a16_gemm_cuda.h, and all of it finite.
  bool right(const std::vector<half>& y, W4A16Rounds rounds) const {
    for (const Sample& s : samples_) {
      double allowed = w4a16_gemm_cuda_error(K_, kGroupSize) * s.magnitude;
      if (rounds == W4A16Rounds::kSums) {
        allowed += kW4A16Fp16Error * s.magnitude + s.scales * 0x1p-25;
      }
      if (rounds == W4A16Rounds::kWeights) {
        const double weights = kW4A16RoundedWeight * s.magnitude + kW4A16SubnormalWeight * s.tokens;
        allowed = weights + w4a16_gemm_cuda_prefill_error(K_) * (s.magnitude + weights);
      }
      allowed += 0x1p-11 * (std::fabs(s.value) + allowed) + 0x1p-25;
      if (!(std::fabs(double{__half2float(y[s.at])} - s.value) <= allowed)) return false;
    }
    for (const half v : y) {
      if (!std::isfinite(__half2float(v))) return false;
    }
    return true;
  }

 private:
  struct Sample {
    std::size_t at;           // in Y
    double value, magnitude;  // Σ x·w and Σ |x||w|
    double scales, tokens;    // Σ scale and Σ |x| over k
  };
  int K_;
  std::vector<Sample> samples_;
};

}  // namespace qlab::gpu
