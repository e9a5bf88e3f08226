// SPDX-License-Identifier: Apache-2.0
/// \file
/// gemm_cuda: every rung in both formats, on ragged shapes; on a GPU also on whole layers, where samples
/// are compared. The same source tests the CPU's execution of those that need no Hopper.
#include "01_fp16_baseline/gemm_cuda.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "support/cuda_products.h"

namespace qlab::test {
namespace {

template <class T>
std::vector<T> elements(int rows, int cols, Random& random) {
  std::vector<T> all(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
  for (T& element : all) element = T(static_cast<float>(random.uniform(-1, 1)));
  return all;
}
template <class T>
std::vector<T> tokens(int M, int K, Operands operands, Random& random) {
  if (operands != Operands::kOneHot) return elements<T>(M, K, random);
  std::vector<T> all(static_cast<std::size_t>(M) * static_cast<std::size_t>(K), T(0.0F));
  for (int m = 0; m < M; ++m) all[static_cast<std::size_t>(m) * K + hot_column(m, K)] = T(1.0F);
  return all;
}

/// Rounding the sum to an element: half a step of it.
template <class T>
constexpr double kRounding = std::is_same_v<T, half> ? 0x1p-11 : 0x1p-8;

/// Operands that end where their memory ends, and an output in NaN.
template <class T>
struct Product {
  int M, N, K;
  Operands operands;
  std::vector<T> x, w;
  simt::Buffer<T> X, W;
  DeviceOutput<T> Y;

  Product(int m, int n, int k, Operands what, Random& random)
      : M(m),
        N(n),
        K(k),
        operands(what),
        x(tokens<T>(m, k, what, random)),
        w(elements<T>(n, k, random)),
        X(x),
        W(w),
        Y(m, n) {}

  void run(GemmCuda<T>* rung) { rung(X.data(), W.data(), Y.data(), M, N, K, {}); }

  /// Sums round as gemm_cuda_error says; then the element. One product and zeros round nothing.
  void expect(float got, int m, int n) const {
    double sum = 0, magnitude = 0;
    for (int k = 0; k < K; ++k) {
      const double product = double{static_cast<float>(x[static_cast<std::size_t>(m) * K + k])} *
                             double{static_cast<float>(w[static_cast<std::size_t>(n) * K + k])};
      sum += product;
      magnitude += std::abs(product);
    }
    if (operands == Operands::kOneHot) {
      ASSERT_EQ(got, sum) << "Y[" << m << ", " << n << "], column " << hot_column(m, K) << " of W";
      return;
    }
    const double allowed = gemm_cuda_error(K) * magnitude;
    ASSERT_LE(std::abs(got - sum), allowed + kRounding<T> * (std::abs(sum) + allowed) + 0x1p-25)
        << "Y[" << m << ", " << n << "] is " << got << ", expected " << sum;
  }
};

template <class T>
class GemmCudaRungs : public ProductRungs {
 public:
  static auto product(int M, int N, int K, Operands operands) {
    return [=](Random& random) { return Product<T>(M, N, K, operands, random); };
  }
  void run(int M, int N, int K, int samples = 0) {
    check(kGemmCudaRungs<T>, M, N, K, samples, product(M, N, K, Operands::kRandom));
  }
  void run_one_hot(int M, int N, int K) {
    check(kGemmCudaRungs<T>, M, N, K, 0, product(M, N, K, Operands::kOneHot));
  }
};

using Formats = testing::Types<half, __nv_bfloat16>;
TYPED_TEST_SUITE(GemmCudaRungs, Formats);

TYPED_TEST(GemmCudaRungs, TakeOneRowAndOnePiece) { this->run(1, 8, 8); }
TYPED_TEST(GemmCudaRungs, StopWithinATile) {
  this->run(17, 24, 40);
  this->run(61, 136, 56);
}
TYPED_TEST(GemmCudaRungs, GoOnBehindATile) { this->run(130, 136, 72); }
TYPED_TEST(GemmCudaRungs, GoRoundTheirStages) { this->run(33, 8, 328); }

// What v6_skinny does differently for so many tokens; K is longer than all its stages.
TYPED_TEST(GemmCudaRungs, TakeUpToEightTokens) { this->run(3, 24, 1816); }
TYPED_TEST(GemmCudaRungs, TakeUpToSixteenTokens) { this->run(13, 40, 1304); }
TYPED_TEST(GemmCudaRungs, TakeUpToThirtyTwoTokens) { this->run(27, 136, 424); }
TYPED_TEST(GemmCudaRungs, TakeUpToSixtyFourTokens) { this->run(61, 136, 424); }
TYPED_TEST(GemmCudaRungs, FindEveryColumnOfW) {
  this->run_one_hot(8, 40, 1816);
  this->run_one_hot(16, 24, 536);
  this->run_one_hot(32, 136, 72);
  this->run_one_hot(64, 136, 392);
}
TYPED_TEST(GemmCudaRungs, WorkInAnyOrderOfThreads) {
  simt::for_each_schedule(3, [this] {
    this->run(1, 8, 520);
    this->run(40, 24, 456);
  });
}

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

TYPED_TEST(GemmCudaRungs, RefuseMoreTokensThanTheyTake) {
  int limited = 0;
  for (const auto& rung : kGemmCudaRungs<TypeParam>) {
    if (rung.name != "v6_skinny") continue;
    ++limited;
    ASSERT_EQ(rung.most_tokens, 64);
    EXPECT_THAT([&] { rung.run(nullptr, nullptr, nullptr, 65, 8, 8, {}); },
                testing::ThrowsMessage<ContractError>(
                    testing::AllOf(testing::HasSubstr("M=65"), testing::HasSubstr("up to 64"))));
  }
  EXPECT_EQ(limited, 1);
}

TYPED_TEST(GemmCudaRungs, AreChosenByTokensAndGpu) {
  static_assert(gemm_cuda_for<TypeParam>(1, 4096, 80) == gemm_cuda_v6_skinny<TypeParam>);
  static_assert(gemm_cuda_for<TypeParam>(64, 28672, 80) == gemm_cuda_v6_skinny<TypeParam>);
  static_assert(gemm_cuda_for<TypeParam>(65, 4096, 80) == gemm_cuda_v3_mma<TypeParam>);
  static_assert(gemm_cuda_for<TypeParam>(65, 4096, 100) == gemm_cuda_v3_mma<TypeParam>);
  static_assert(gemm_cuda_for<TypeParam>(16, 4096, kHopper) == gemm_cuda_v6_skinny<TypeParam>);
#if defined(__CUDACC__)
  static_assert(gemm_cuda_for<TypeParam>(17, 4096, kHopper) == gemm_cuda_v7_split<TypeParam>);
  static_assert(gemm_cuda_for<TypeParam>(1, 11008, kHopper) == gemm_cuda_v7_split<TypeParam>);
  static_assert(gemm_cuda_for<TypeParam>(64, 28672, kHopper) == gemm_cuda_v7_split<TypeParam>);
  static_assert(gemm_cuda_for<TypeParam>(65, 4096, kHopper) == gemm_cuda_v5_persistent<TypeParam>);
#endif
}

#if defined(__CUDACC__)
TYPED_TEST(GemmCudaRungs, StopWithinTheSecondTile) { this->run(257, 520, 264); }
TYPED_TEST(GemmCudaRungs, MultiplyALayer) { this->run(512, 4096, 4096, 2000); }
TYPED_TEST(GemmCudaRungs, MultiplyARaggedLayer) { this->run(1000, 11008, 4104, 2000); }
TYPED_TEST(GemmCudaRungs, StayForManyTiles) { this->run(4096, 4096, 256, 4000); }
TYPED_TEST(GemmCudaRungs, MultiplyAFewTokens) {
  for (const int M : {1, 2, 8, 9, 16, 17, 32, 33, 64}) {
    this->run(M, 4096, 4096, 2000);
    this->run(M, 1032, 2056, 2000);  // few rows: clusters of eight share K
    this->run(M, 11008, 4104, 2000);
    this->run_one_hot(M, 2056, 1032);
  }
}
TYPED_TEST(GemmCudaRungs, GiveTheSameBitsTwice) {
  for (const int M : {1, 16, 32, 64}) {
    this->check_repeats(kGemmCudaRungs<TypeParam>, M, 4096, 4096,
                        this->product(M, 4096, 4096, Operands::kRandom));
  }
}
#endif

}  // namespace
}  // namespace qlab::test
