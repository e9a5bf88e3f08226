// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm_cuda: every rung gives the bits of the definition, on ragged shapes; on a GPU also on whole
/// layers, by samples. The same source tests the CPU's execution of rungs 1 and 2.
#include "02_int8_calibration/w8a8_gemm_cuda.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/random.h"
#include "support/cuda_exercise.h"

namespace qlab::test {
namespace {

/// All `only`, or any where it is 0.
std::vector<std::int8_t> codes(int rows, int cols, std::int8_t only, Random& random) {
  std::vector<std::int8_t> all(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols),
                               only);
  if (only != 0) return all;
  for (std::int8_t& code : all) code = static_cast<std::int8_t>(random.below(256) - 128);
  return all;
}
std::vector<float> scales(int count, Random& random) {
  std::vector<float> all(static_cast<std::size_t>(count));
  for (float& scale : all) scale = static_cast<float>(random.uniform(0.001, 0.1));
  return all;
}

/// Operands that end where their memory ends, and an output in NaN.
struct Product {
  int M, N, K;
  std::vector<std::int8_t> x, w;
  std::vector<float> x_scale, w_scale;
  simt::Buffer<std::int8_t> X, W;
  simt::Buffer<float> X_scale, W_scale;
  DeviceOutput<__nv_bfloat16> Y;

  Product(int m, int n, int k, std::int8_t only, Random& random)
      : M(m),
        N(n),
        K(k),
        x(codes(m, k, only, random)),
        w(codes(n, k, only, random)),
        x_scale(scales(m, random)),
        w_scale(scales(n, random)),
        X(x),
        W(w),
        X_scale(x_scale),
        W_scale(w_scale),
        Y(m, n) {}

  W8A8Cuda view() {
    return {X.data(), X_scale.data(), W.data(), W_scale.data(), Y.data(), M, N, K};
  }
  void expect(float got, int m, int n) const {
    std::int64_t sum = 0;
    for (int k = 0; k < K; ++k) {
      sum += x[static_cast<std::size_t>(m) * K + k] * w[static_cast<std::size_t>(n) * K + k];
    }
    const float scale = x_scale[static_cast<std::size_t>(m)] * w_scale[static_cast<std::size_t>(n)];
    const float value = scale * static_cast<float>(sum);
    ASSERT_EQ(got, static_cast<float>(__nv_bfloat16(value))) << "Y[" << m << ", " << n << "]";
  }
};

class W8A8GemmCudaRungs : public OnDevice {
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
  /// All elements, or samples with the corners among them.
  void run(int M, int N, int K, int samples = 0, std::int8_t only = 0) {
    Random random(11 + static_cast<std::uint64_t>(M + N + K));
    for (const auto& rung : kW8A8GemmCudaRungs) {
      if (!rung.runs_on(capability_)) continue;
      SCOPED_TRACE(std::string(rung.name) + ", M=" + std::to_string(M) + " N=" + std::to_string(N) +
                   " K=" + std::to_string(K));
      Product p(M, N, K, only, random);
      rung.run(p.view(), {});
#if defined(__CUDACC__)
      simt::check(cudaDeviceSynchronize(), "kernel");
#endif
      const Matrix<float> y = p.Y.fetch(std::string(rung.name));
      if (samples == 0) {
        for (int m = 0; m < M; ++m) {
          for (int n = 0; n < N; ++n) p.expect(y(m, n), m, n);
        }
        continue;
      }
      for (int i = 0; i < samples; ++i) {
        const int m = i == 0 ? 0 : i == 1 ? M - 1 : static_cast<int>(random.below(M));
        const int n = i == 0 ? 0 : i == 1 ? N - 1 : static_cast<int>(random.below(N));
        p.expect(y(m, n), m, n);
      }
    }
  }

 private:
  int capability_ = kAnyGpu;
};

TEST_F(W8A8GemmCudaRungs, TakeOneRowAndOnePiece) { run(1, 8, 16); }
TEST_F(W8A8GemmCudaRungs, StopWithinATile) { run(17, 24, 80); }
TEST_F(W8A8GemmCudaRungs, GoOnBehindATile) { run(130, 136, 144); }
TEST_F(W8A8GemmCudaRungs, GoRoundTheirStages) { run(33, 8, 656); }
TEST_F(W8A8GemmCudaRungs, MultiplyTheMostNegativeCodes) { run(2, 8, 1024, 0, -128); }

TEST_F(W8A8GemmCudaRungs, RefuseWhatTheyCannotMoveOrAdd) {
  for (const auto& rung : kW8A8GemmCudaRungs) {
    const auto refusal = [&](int M, int N, int K, const char* words) {
      const W8A8Cuda product{nullptr, nullptr, nullptr, nullptr, nullptr, M, N, K};
      EXPECT_THAT([&] { rung.run(product, {}); },
                  testing::ThrowsMessage<ContractError>(testing::HasSubstr(words)));
    };
    refusal(0, 8, 16, "M=0");
    refusal(1, 8, 24, "K is a multiple of 16");
    refusal(1, 12, 16, "N of 8");
    refusal(1, 8, 131'072, "may not fit 32 bits");
  }
}

#if defined(__CUDACC__)
TEST_F(W8A8GemmCudaRungs, StopWithinTheSecondTile) { run(257, 520, 272); }
TEST_F(W8A8GemmCudaRungs, MultiplyALayer) { run(512, 4096, 4096, 2000); }
TEST_F(W8A8GemmCudaRungs, MultiplyARaggedLayer) { run(1000, 11008, 4112, 2000); }
TEST_F(W8A8GemmCudaRungs, StayForManyTiles) { run(4096, 4096, 256, 4000); }
#endif

}  // namespace
}  // namespace qlab::test
