// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the rungs of w4a16_gemm_cuda, on the CPU with small shapes and on a GPU with real ones.
#include "03_int4_weight_only/w4a16_gemm_cuda.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "03_int4_weight_only/w4a16_cuda_cases.h"
#include "support/cuda_exercise.h"

namespace qlab::test {
namespace {

struct W4A16GemmCuda : CudaExercise, testing::WithParamInterface<CudaRung<W4A16Cuda>> {
  void SetUp() override {
    CudaExercise::SetUp();
#if defined(__CUDACC__)
    if (IsSkipped()) return;
    cudaDeviceProp device{};
    simt::check(cudaGetDeviceProperties(&device, 0), "device");
    if (!GetParam().runs_on(10 * device.major + device.minor)) {
      GTEST_SKIP() << GetParam().name << " needs another GPU than " << device.name;
    }
    if (GetParam().run == w4a16_gemm_cuda_v6_skinny &&
        device.sharedMemPerBlockOptin < std::size_t{160} * 1024) {
      GTEST_SKIP() << GetParam().name << " needs more shared memory than " << device.name << " has";
    }
#endif
  }

  int most_tokens() const { return GetParam().most_tokens; }
  bool one_token() const { return most_tokens() == 1; }
  bool prefill() const { return most_tokens() > kW4A16MaxTokens; }
  Rounds rounds() const { return {GetParam().run == w4a16_gemm_cuda_v3_bits, prefill()}; }
  /// Rows of W that the rung takes: as many, or some more.
  int rows(int N) const { return prefill() ? (N + 7) / 8 * 8 : N; }
  std::vector<int> tokens() const {
    if (prefill()) return {1, 64, 65, 129, 300};
    std::vector<int> some{1, 2, 3, 7, 8, 9, 16, 17, 33, 64};
    std::erase_if(some, [this](int M) { return M > most_tokens(); });
    return some;
  }

  /// Runs the case twice, with other NaN around the output, and judges both.
  void check(const W4A16CudaCase& c, int blocks = 3, int samples = 0) {
    const int M = c.shape.M, N = c.shape.N, K = c.shape.K;
    const W4A16DeviceWeights w(c.w, W4A16PackedWeights(c.w));
    W4A16Scratch scratch(N, blocks);
    const simt::Buffer<half> x(c.x, "X");
    const auto run = [&] {
      DeviceOutput<half> y(M, N);
      GetParam().run(w.with(scratch), x.data(), y.data(), M, N, K, Stream{});
#if defined(__CUDACC__)
      simt::check(cudaDeviceSynchronize(), "kernel");
#endif
      return y.fetch(c.name);
    };
    const Matrix<float> first = run(), second = run();
    if (samples == 0) {
      judge_all(c, first);
    } else {
      judge_samples(c, first, samples);
    }
    EXPECT_EQ(std::memcmp(first.data(), second.data(), first.bytes()), 0)
        << c.name << ": the second call gives other bits";
    const std::vector<unsigned> arrived = scratch.arrived.to_host();
    EXPECT_EQ(std::count(arrived.begin(), arrived.end(), 0U), std::ssize(arrived))
        << c.name << ": a counter is not 0 after the call";
  }

 private:
  void judge_all(const W4A16CudaCase& c, const Matrix<float>& got) const {
    Matrix<double> value(c.shape.M, c.shape.N), error(c.shape.M, c.shape.N);
    for (int m = 0; m < c.shape.M; ++m) {
      for (int n = 0; n < c.shape.N; ++n) {
        const Oracle o = oracle(c, m, n);
        value(m, n) = o.value;
        error(m, n) = allowed(c, o, rounds());
      }
    }
    judge({.name = c.name}, got.view(), value.view(),
          [&](std::int64_t m, std::int64_t n) { return error(m, n); });
  }
  void judge_samples(const W4A16CudaCase& c, const Matrix<float>& got, int samples) const {
    Random random(5);
    for (int i = 0; i < samples && !HasFailure(); ++i) {
      const int m = i == 0 ? c.shape.M - 1 : static_cast<int>(random.below(c.shape.M));
      const int n = i == 0 ? c.shape.N - 1 : static_cast<int>(random.below(c.shape.N));
      const Oracle o = oracle(c, m, n);
      EXPECT_NEAR(double{got(m, n)}, o.value, allowed(c, o, rounds()))
          << c.name << " at [" << m << ", " << n << "]";
    }
    const float* const end = got.data() + std::ptrdiff_t{c.shape.M} * c.shape.N;
    EXPECT_TRUE(std::all_of(got.data(), end, [](float v) { return std::isfinite(v); }))
        << c.name << ": an element was not written";
  }
};

std::string name_of(const testing::TestParamInfo<CudaRung<W4A16Cuda>>& rung) {
  return std::string(rung.param.name);
}
INSTANTIATE_TEST_SUITE_P(, W4A16GemmCuda, testing::ValuesIn(kW4A16CudaRungs), name_of);

TEST_P(W4A16GemmCuda, PutsEveryCodeInItsPlace) {
  // X[m, k] is 1 where k = m + 9 i, so Y[m, n] is one code.
  const int M = std::min(most_tokens(), 64);
  for (int first = 0; first < 64; first += M == 1 ? 9 : 64) {
    W4A16CudaCase c({M, rows(33), 64, 64});
    c.exact = true;
    c.name += " first=" + std::to_string(first);
    std::fill(c.w.scale.begin(), c.w.scale.end(), __float2half(1));
    for (std::size_t i = 0; i < c.w.qweight.size(); ++i) {
      c.w.qweight[i] = static_cast<std::uint8_t>(37 * i + i / 32 * 11 + i / 7);
    }
    for (int m = 0; m < M; ++m) {
      c.x[static_cast<std::size_t>(m) * 64 + static_cast<std::size_t>(first + m)] = __float2half(1);
    }
    check(c);
    if (HasFailure()) return;
  }
}

TEST_P(W4A16GemmCuda, SubtractsEveryZeroPointFromEveryCode) {
  for (const int group_size : {32, 64, 128}) {
    // Row n has the zero points n, n + 1, … of its groups; x is 0, 1 or -2, a scale 1/4 or 1/2.
    W4A16CudaCase c({1, 32, 3 * group_size, group_size});
    c.exact = true;
    for (std::size_t i = 0; i < c.x.size(); i += 17) c.x[i] = __float2half(i % 2 ? -2.0F : 1.0F);
    for (std::size_t i = 0; i < c.w.scale.size(); ++i) {
      c.w.zero_point[i] = static_cast<std::uint8_t>((i / 3 + i % 3) % 16);
      c.w.scale[i] = __float2half(i % 2 == 0 ? 0.25F : 0.5F);
    }
    for (std::size_t i = 0; i < c.w.qweight.size(); ++i) {
      c.w.qweight[i] = static_cast<std::uint8_t>(i % 8 * 0x22 + 0x10 + i / 48 % 2 * 0x01);
    }
    check(c);
    if (HasFailure()) return;
  }
}

TEST_P(W4A16GemmCuda, MatchesTheOracle) {
  simt::for_each_schedule(3, [&] {
    for (const int M : tokens()) {
      for (const auto& [N, K, group_size] :
           {std::array{1, 32, 32}, {17, 96, 32}, {37, 320, 64}, {130, 384, 128}}) {
        if (HasFailure()) return;  // one is enough to read
        check(W4A16CudaCase::random({M, rows(N), K, group_size}, 7));
      }
    }
  });
}

TEST_P(W4A16GemmCuda, GoesOverLongRows) {
  for (const int group_size : {32, 64, 128}) {  // more than 16 warps of v4 take at a time
    check(W4A16CudaCase::random({1, rows(19), 4096 + 3 * 128, group_size}, 8));
    if (HasFailure()) return;
  }
}

TEST_P(W4A16GemmCuda, GoesOverManyRowsInAnyOrderOfWarps) {
  // On the CPU more rows than its multiprocessors take at a time, of a K that fills all stages.
  simt::for_each_schedule(3, [&] {
    for (const int M : {3, 9}) {
      if (HasFailure()) return;
      check(W4A16CudaCase::random({one_token() ? 1 : M, rows(517), 1600, 64}, 11));
    }
    check(W4A16CudaCase::random({one_token() ? 1 : 16, rows(35), 4160, 32}, 12));
  });
}

TEST_P(W4A16GemmCuda, TakesAsManyRowsInABlockAsGoRoundTheMultiprocessors) {
  // So many strips for each multiprocessor: v6_skinny has blocks for each of these, the last for more
  // than eight tokens alone.
  const bool skinny = GetParam().run == w4a16_gemm_cuda_v6_skinny;
  const std::vector<int> strips = skinny ? std::vector{2, 3, 4, 6, 7, 14} : std::vector{3};
  for (std::size_t i = 0; i < strips.size(); ++i) {
    const int group_size = std::array{32, 64, 128}[i % 3];
    const int N = strips[i] * kInt4StripRows * multiprocessors() - 5;
    for (const int M : one_token() ? std::vector{1} : std::vector{7, 15}) {
      if (skinny) {
        const int expected = M <= 8 ? std::min(strips[i], 7) : strips[i];
        ASSERT_EQ(w4a16_skinny_rows(M, N, group_size), expected * kInt4StripRows) << "N=" << N;
      }
      check(W4A16CudaCase::random({M, rows(N), 2688, group_size}, 13), 3, 300);
      if (HasFailure()) return;
    }
  }
}

struct W4A16SkinnyRows : OnDevice {};
TEST_F(W4A16SkinnyRows, AreThoseThatFitWithSmallGroups) {
  EXPECT_EQ(w4a16_skinny_rows(16, 14 * kInt4StripRows * multiprocessors(), 32), 7 * 16);
}

TEST_P(W4A16GemmCuda, SharesTheWorkAmongAnyNumberOfBlocks) {
  for (const int blocks : {1, 2, 5, 8, 64}) {  // of no meaning where blocks follow from the shape
    check(W4A16CudaCase::random({one_token() ? 1 : 9, rows(300), 640, 128}, 9), blocks);
    if (HasFailure()) return;
  }
}

TEST_P(W4A16GemmCuda, RefusesWhatItCannotDo) {
  alignas(16) static const unsigned char memory[64] = {};
  const auto call = [&](int M, int N, int K, int group_size, int offset) {
    W4A16CudaWeights w{};
    w.rows = {.qweight = memory,
              .scale = reinterpret_cast<const half*>(memory),
              .zero_point = memory,
              .group_size = group_size};
    w.fragments = reinterpret_cast<const uint4*>(memory);
    w.groups = reinterpret_cast<const uint2*>(memory);
    w.blocks = 1;
    GetParam().run(w, reinterpret_cast<const half*>(memory + offset), nullptr, M, N, K, Stream{});
  };
  EXPECT_THROW(call(0, 1, 32, 32, 0), ContractError) << "no token";
  if (prefill()) {
    EXPECT_THROW(call(1, 12, 32, 32, 0), ContractError) << "a part of 16 bytes";
  } else {
    EXPECT_THROW(call(most_tokens() + 1, 1, 32, 32, 0), ContractError) << "too many tokens";
  }
  EXPECT_THROW(call(1, 0, 32, 32, 0), ContractError) << "no row";
  EXPECT_THROW(call(1, 1, 0, 32, 0), ContractError) << "no column";
  EXPECT_THROW(call(1, 1, 96, 64, 0), ContractError) << "a part of a group";
  EXPECT_THROW(call(1, 1, 96, 96, 0), ContractError) << "groups of 96";
  EXPECT_THROW(call(1, 1, 32, 32, 2), ContractError) << "X that starts at its second value";
  if (GetParam().run == w4a16_gemm_cuda_v5_mma || GetParam().run == w4a16_gemm_cuda_v6_skinny) {
    EXPECT_THAT([&] { call(1, 1 << 28, 8192, 32, 0); },
                testing::ThrowsMessage<ContractError>(testing::HasSubstr("31 bits")));
  }
}

TEST(W4A16GemmCudaRungs, AreChosenByTokensAndGpu) {
  static_assert(w4a16_gemm_cuda_for(1, 86).run == w4a16_gemm_cuda_v4_in_flight);
  static_assert(w4a16_gemm_cuda_for(2, 80).run == w4a16_gemm_cuda_v6_skinny);
  static_assert(w4a16_gemm_cuda_for(16, kHopper).run == w4a16_gemm_cuda_v6_skinny);
  static_assert(w4a16_gemm_cuda_for(16, 89).run == w4a16_gemm_cuda_v5_mma);
  static_assert(w4a16_gemm_cuda_for(16, 120).run == w4a16_gemm_cuda_v5_mma);
  static_assert(w4a16_gemm_cuda_for(17, kHopper).run == w4a16_gemm_cuda_v5_mma);
  static_assert(w4a16_gemm_cuda_for(65, 80).run == w4a16_gemm_cuda_v5_mma);
#if defined(__CUDACC__)
  static_assert(w4a16_gemm_cuda_for(65, kHopper).run == w4a16_gemm_cuda_v7_wgmma);
  static_assert(w4a16_gemm_cuda_for(65, 100).run == w4a16_gemm_cuda_v5_mma);
#endif
}

#if defined(__CUDACC__)
TEST_P(W4A16GemmCuda, MatchesTheOracleAtFullSize) {
  int multiprocessors = 0;
  simt::check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0),
              "multiprocessors");
  std::vector<int> of_a_batch = tokens();
  if (prefill()) of_a_batch.push_back(1024);
  for (const int M : of_a_batch) {
    for (const auto& [N, K] : {std::pair{4096, 4096}, {11008, 4096}, {4001, 11008}}) {
      check(W4A16CudaCase::random({M, rows(N), K, 128}, 10), 2 * multiprocessors, 200);
      if (HasFailure()) return;
    }
  }
}
#endif

}  // namespace
}  // namespace qlab::test
