// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of GPU products Y [M, N] = X [M, K] · W [N, K]ᵀ share: every rung that runs here
/// and takes that many tokens, on every element or on samples.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>

#include "common/random.h"
#include "simt/rung.h"
#include "support/cuda_exercise.h"

namespace qlab::test {

/// What is in X and W.
enum class Operands {
  kRandom,
  kOneHot,  ///< a token has a single 1, the first one at the end of K: its row of Y is a column of W
  kExtreme,  ///< all elements the largest in magnitude
};

/// Where a token of kOneHot has its 1.
inline int hot_column(int m, int K) { return K - 1 - m * 37 % K; }

/// A Product has `M, N, K`, run(rung) on operands that end where their memory ends, `Y`, a
/// DeviceOutput, and expect(got, m, n), which fails the test.
class ProductRungs : public OnDevice {
 public:
  void SetUp() override {
    OnDevice::SetUp();
#if defined(__CUDACC__)
    cudaDeviceProp device{};
    if (!IsSkipped() && cudaGetDeviceProperties(&device, 0) == cudaSuccess) {
      capability_ = 10 * device.major + device.minor;
    }
#endif
  }

  /// Calls visit(rung, product) for every rung of the ladder after it has run, each on an output in
  /// NaN; make(random) makes the product, whose operands they share.
  template <class Rungs, class Make, class Visit>
  void each(const Rungs& rungs, int M, int N, int K, Make&& make, Visit&& visit) {
    Random random(7 + static_cast<std::uint64_t>(M + N + K));
    auto product = make(random);
    for (const auto& rung : rungs) {
      if (!rung.runs_on(capability_) || M > rung.most_tokens) continue;
      SCOPED_TRACE(std::string(rung.name) + ", M=" + std::to_string(M) + " N=" + std::to_string(N) +
                   " K=" + std::to_string(K));
      product.Y = decltype(product.Y)(M, N);
      product.run(rung.run);
#if defined(__CUDACC__)
      simt::check(cudaDeviceSynchronize(), "kernel");
#endif
      visit(rung, product, random);
      if (HasFatalFailure()) return;
    }
  }
  /// All elements, or samples with the corners among them.
  template <class Rungs, class Make>
  void check(const Rungs& rungs, int M, int N, int K, int samples, Make&& make) {
    each(rungs, M, N, K, make, [&](const auto& rung, const auto& product, Random& random) {
      const Matrix<float> y = product.Y.fetch(std::string(rung.name));
      if (samples == 0) {
        for (int m = 0; m < M; ++m) {
          for (int n = 0; n < N; ++n) product.expect(y(m, n), m, n);
        }
        return;
      }
      for (int i = 0; i < samples; ++i) {
        const int m = i == 0 ? 0 : i == 1 ? M - 1 : static_cast<int>(random.below(M));
        const int n = i == 0 ? 0 : i == 1 ? N - 1 : static_cast<int>(random.below(N));
        product.expect(y(m, n), m, n);
      }
    });
  }
  /// Two runs of a rung, on the same operands, give the same bits.
  template <class Rungs, class Make>
  void check_repeats(const Rungs& rungs, int M, int N, int K, Make&& make) {
    each(rungs, M, N, K, make, [&](const auto& rung, auto& product, Random&) {
      const Matrix<float> first = product.Y.fetch(std::string(rung.name));
      product.run(rung.run);
      const Matrix<float> second = product.Y.fetch(std::string(rung.name));
      for (int m = 0; m < M; ++m) {
        for (int n = 0; n < N; ++n) {
          ASSERT_EQ(first(m, n), second(m, n)) << "Y[" << m << ", " << n << "]";
        }
      }
    });
  }

 private:
  int capability_ = kAnyGpu;
};

}  // namespace qlab::test
