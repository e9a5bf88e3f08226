// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm_cuda: every rung gives the bits of the definition, on ragged shapes; on a GPU also on whole
/// layers, by samples. The same source tests the CPU's execution of those that need no Hopper.
#include "02_int8_calibration/w8a8_gemm_cuda.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/cuda_products.h"

namespace qlab::test {
namespace {

std::vector<std::int8_t> codes(int rows, int cols, Operands operands, Random& random) {
  std::vector<std::int8_t> all(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols),
                               -128);
  if (operands == Operands::kExtreme) return all;
  for (std::int8_t& code : all) code = static_cast<std::int8_t>(random.below(256) - 128);
  return all;
}
std::vector<std::int8_t> tokens(int M, int K, Operands operands, Random& random) {
  if (operands != Operands::kOneHot) return codes(M, K, operands, random);
  std::vector<std::int8_t> all(static_cast<std::size_t>(M) * static_cast<std::size_t>(K), 0);
  for (int m = 0; m < M; ++m) all[static_cast<std::size_t>(m) * K + hot_column(m, K)] = 1;
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

  Product(int m, int n, int k, Operands operands, Random& random)
      : M(m),
        N(n),
        K(k),
        x(tokens(m, k, operands, random)),
        w(codes(n, k, operands, random)),
        x_scale(scales(m, random)),
        w_scale(scales(n, random)),
        X(x),
        W(w),
        X_scale(x_scale),
        W_scale(w_scale),
        Y(m, n) {}

  void run(W8A8GemmCuda* rung) {
    rung({X.data(), X_scale.data(), W.data(), W_scale.data(), Y.data(), M, N, K}, {});
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

class W8A8GemmCudaRungs : public ProductRungs {
 public:
  static auto product(int M, int N, int K, Operands operands) {
    return [=](Random& random) { return Product(M, N, K, operands, random); };
  }
  void run(int M, int N, int K, int samples = 0, Operands operands = Operands::kRandom) {
    check(kW8A8GemmCudaRungs, M, N, K, samples, product(M, N, K, operands));
  }
};

TEST_F(W8A8GemmCudaRungs, TakeOneRowAndOnePiece) { run(1, 8, 16); }
TEST_F(W8A8GemmCudaRungs, StopWithinATile) {
  run(17, 24, 80);
  run(61, 136, 112);
}
TEST_F(W8A8GemmCudaRungs, GoOnBehindATile) { run(130, 136, 144); }
TEST_F(W8A8GemmCudaRungs, GoRoundTheirStages) { run(33, 8, 656); }
TEST_F(W8A8GemmCudaRungs, MultiplyTheMostNegativeCodes) { run(2, 8, 1024, 0, Operands::kExtreme); }

// What v4_skinny does differently for so many tokens; K is longer than all its stages.
TEST_F(W8A8GemmCudaRungs, TakeUpToEightTokens) { run(3, 24, 3632); }
TEST_F(W8A8GemmCudaRungs, TakeUpToSixteenTokens) { run(13, 40, 2608); }
TEST_F(W8A8GemmCudaRungs, TakeUpToThirtyTwoTokens) { run(27, 136, 848); }
TEST_F(W8A8GemmCudaRungs, TakeUpToSixtyFourTokens) { run(61, 136, 848); }
TEST_F(W8A8GemmCudaRungs, FindEveryColumnOfW) {
  run(8, 40, 3632, 0, Operands::kOneHot);
  run(16, 24, 1072, 0, Operands::kOneHot);
  run(32, 136, 144, 0, Operands::kOneHot);
  run(64, 136, 784, 0, Operands::kOneHot);
}
TEST_F(W8A8GemmCudaRungs, WorkInAnyOrderOfThreads) {
  simt::for_each_schedule(3, [this] {
    run(1, 8, 1040);
    run(40, 24, 912);
  });
}

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

TEST_F(W8A8GemmCudaRungs, RefuseMoreTokensThanTheyTake) {
  int limited = 0;
  for (const auto& rung : kW8A8GemmCudaRungs) {
    if (rung.name != "v4_skinny") continue;
    ++limited;
    ASSERT_EQ(rung.most_tokens, 64);
    const W8A8Cuda product{nullptr, nullptr, nullptr, nullptr, nullptr, 65, 8, 16};
    EXPECT_THAT([&] { rung.run(product, {}); },
                testing::ThrowsMessage<ContractError>(
                    testing::AllOf(testing::HasSubstr("M=65"), testing::HasSubstr("up to 64"))));
  }
  EXPECT_EQ(limited, 1);
}

TEST_F(W8A8GemmCudaRungs, AreChosenByTokensAndGpu) {
  static_assert(w8a8_gemm_cuda_for(1, 4096, 80) == w8a8_gemm_cuda_v4_skinny);
  static_assert(w8a8_gemm_cuda_for(64, 28672, 80) == w8a8_gemm_cuda_v4_skinny);
  static_assert(w8a8_gemm_cuda_for(65, 4096, 80) == w8a8_gemm_cuda_v2_mma);
  static_assert(w8a8_gemm_cuda_for(65, 4096, 100) == w8a8_gemm_cuda_v2_mma);
  static_assert(w8a8_gemm_cuda_for(16, 4096, kHopper) == w8a8_gemm_cuda_v4_skinny);
#if defined(__CUDACC__)
  static_assert(w8a8_gemm_cuda_for(17, 4096, kHopper) == w8a8_gemm_cuda_v5_split);
  static_assert(w8a8_gemm_cuda_for(1, 11008, kHopper) == w8a8_gemm_cuda_v5_split);
  static_assert(w8a8_gemm_cuda_for(64, 28672, kHopper) == w8a8_gemm_cuda_v5_split);
  static_assert(w8a8_gemm_cuda_for(65, 4096, kHopper) == w8a8_gemm_cuda_v3_persistent);
#endif
}

#if defined(__CUDACC__)
TEST_F(W8A8GemmCudaRungs, StopWithinTheSecondTile) { run(257, 520, 272); }
TEST_F(W8A8GemmCudaRungs, MultiplyALayer) { run(512, 4096, 4096, 2000); }
TEST_F(W8A8GemmCudaRungs, MultiplyARaggedLayer) { run(1000, 11008, 4112, 2000); }
TEST_F(W8A8GemmCudaRungs, StayForManyTiles) { run(4096, 4096, 256, 4000); }
TEST_F(W8A8GemmCudaRungs, MultiplyAFewTokens) {
  for (const int M : {1, 2, 8, 9, 16, 17, 32, 33, 64}) {
    run(M, 4096, 4096, 2000);
    run(M, 1032, 2064, 2000);  // few rows: clusters of eight share K
    run(M, 11008, 4112, 2000);
    run(M, 2056, 1040, 0, Operands::kOneHot);
  }
}
#endif

}  // namespace
}  // namespace qlab::test
