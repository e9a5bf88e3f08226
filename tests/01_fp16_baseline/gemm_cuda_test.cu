// SPDX-License-Identifier: Apache-2.0
/// \file
/// gemm_cuda: every rung in both formats, on ragged shapes; on a GPU also on whole layers, where samples
/// are compared. The same source tests the CPU's execution of rungs 1 to 3.
#include "01_fp16_baseline/gemm_cuda.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "01_fp16_baseline/fp16_gemm_mma.h"
#include "common/random.h"
#include "support/cuda_exercise.h"

namespace qlab::test {
namespace {

template <class T>
std::vector<T> elements(int rows, int cols, Random& random) {
  std::vector<T> all(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
  for (T& element : all) element = T(static_cast<float>(random.uniform(-1, 1)));
  return all;
}

/// Rounding the sum to an element: half a step of it.
template <class T>
constexpr double kRounding = std::is_same_v<T, half> ? 0x1p-11 : 0x1p-8;

/// Operands that end where their memory ends, and an output in NaN.
template <class T>
struct Product {
  int M, N, K;
  std::vector<T> x, w;
  simt::Buffer<T> X, W;
  DeviceOutput<T> Y;

  Product(int m, int n, int k, Random& random)
      : M(m),
        N(n),
        K(k),
        x(elements<T>(m, k, random)),
        w(elements<T>(n, k, random)),
        X(x),
        W(w),
        Y(m, n) {}

  /// Sums round as fp16_gemm_mma_error says, whose terms every rung has or fewer; then the element.
  void expect(float got, int m, int n) const {
    double sum = 0, magnitude = 0;
    for (int k = 0; k < K; ++k) {
      const double product = double{static_cast<float>(x[static_cast<std::size_t>(m) * K + k])} *
                             double{static_cast<float>(w[static_cast<std::size_t>(n) * K + k])};
      sum += product;
      magnitude += std::abs(product);
    }
    const double allowed = fp16_gemm_mma_error(K) * magnitude;
    ASSERT_LE(std::abs(got - sum), allowed + kRounding<T> * (std::abs(sum) + allowed) + 0x1p-25)
        << "Y[" << m << ", " << n << "] is " << got << ", expected " << sum;
  }
};

template <class T>
class GemmCudaRungs : public OnDevice {
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
  void run(int M, int N, int K, int samples = 0) {
    Random random(7 + static_cast<std::uint64_t>(M + N + K));
    for (const auto& rung : kGemmCudaRungs<T>) {
      if (!rung.runs_on(capability_)) continue;
      SCOPED_TRACE(std::string(rung.name) + ", M=" + std::to_string(M) + " N=" + std::to_string(N) +
                   " K=" + std::to_string(K));
      Product<T> p(M, N, K, random);
      rung.run(p.X.data(), p.W.data(), p.Y.data(), M, N, K, {});
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

using Formats = testing::Types<half, __nv_bfloat16>;
TYPED_TEST_SUITE(GemmCudaRungs, Formats);

TYPED_TEST(GemmCudaRungs, TakeOneRowAndOnePiece) { this->run(1, 8, 8); }
TYPED_TEST(GemmCudaRungs, StopWithinATile) { this->run(17, 24, 40); }
TYPED_TEST(GemmCudaRungs, GoOnBehindATile) { this->run(130, 136, 72); }
TYPED_TEST(GemmCudaRungs, GoRoundTheirStages) { this->run(33, 8, 328); }

TYPED_TEST(GemmCudaRungs, RefuseWhatTheyCannotMove) {
  for (const auto& rung : kGemmCudaRungs<TypeParam>) {
    const auto run = [&](int M, int N, int K) {
      return [&rung, M, N, K] { rung.run(nullptr, nullptr, nullptr, M, N, K, {}); };
    };
    EXPECT_THAT(run(0, 8, 8), testing::ThrowsMessage<ContractError>(testing::HasSubstr("M=0")));
    EXPECT_THAT(run(1, 8, 12),
                testing::ThrowsMessage<ContractError>(testing::HasSubstr("multiples of 8")));
    EXPECT_THAT(run(1, 12, 8),
                testing::ThrowsMessage<ContractError>(testing::HasSubstr("multiples of 8")));
  }
}

#if defined(__CUDACC__)
TYPED_TEST(GemmCudaRungs, StopWithinTheSecondTile) { this->run(257, 520, 264); }
TYPED_TEST(GemmCudaRungs, MultiplyALayer) { this->run(512, 4096, 4096, 2000); }
TYPED_TEST(GemmCudaRungs, MultiplyARaggedLayer) { this->run(1000, 11008, 4104, 2000); }
TYPED_TEST(GemmCudaRungs, StayForManyTiles) { this->run(4096, 4096, 256, 4000); }
#endif

}  // namespace
}  // namespace qlab::test
