// SPDX-License-Identifier: Apache-2.0
/// \file
/// Kernels that never end: each must end with a sentence. CPU only: a GPU hangs.
#include <gmock/gmock.h>

#include <chrono>
#include <string>

#include "simt/on_device.h"
#include "simt/traced.h"

namespace qlab::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Watchdog : public testing::Test {
 protected:
  void SetUp() override {
#if defined(SIMT_UNDER_TSAN)
    GTEST_SKIP() << "ThreadSanitizer holds signals back from a loop that makes no system call";
#elif !defined(__linux__)
    GTEST_SKIP() << "the watchdog needs Linux's timers of a thread's processor time";
#endif
    simt::config().time_limit = std::chrono::milliseconds(40);
  }
  void TearDown() override { simt::config().time_limit = before_; }

 private:
  std::chrono::milliseconds before_ = simt::config().time_limit;
};

__global__ void one_thread_never_ends(volatile int* out) {
  __syncthreads();
  while (threadIdx.x == 3) out[0] = out[0] + 1;
}

TEST_F(Watchdog, NamesTheThreadThatNeverEnds) {
  simt::Buffer<int> out(std::vector<int>(1));
  const auto launch = [&] { simt::launch(1, 32, 0, one_thread_never_ends, out.data()); };
  EXPECT_THAT(error_of(launch),
              AllOf(HasSubstr("block (0,0,0), thread (3,0,0): does not end: it has run for 0.04 s "
                              "without reaching a barrier or its end"),
                    HasSubstr("the last that it reached is __syncthreads at watchdog_test.cu:")));
}

TEST_F(Watchdog, EndsEveryBlockThatNeverEnds) {
  simt::Buffer<int> out(std::vector<int>(1));
  const auto launch = [&] { simt::launch(8, 32, 0, one_thread_never_ends, out.data()); };
  EXPECT_THAT(error_of(launch), HasSubstr("thread (3,0,0): does not end"));
}

__global__ void doubles(int* x) { x[threadIdx.x] *= 2; }

TEST_F(Watchdog, LeavesTheNextLaunchUnharmed) {
  simt::Buffer<int> out(std::vector<int>(64, 21));
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(error_of([&] { simt::launch(2, 64, 0, one_thread_never_ends, out.data()); }), "");
  }
  simt::Buffer<int> x(std::vector<int>(64, 21));
  simt::launch(1, 64, 0, doubles, x.data());
  EXPECT_EQ(x.to_host(), std::vector<int>(64, 42));
}

// What the thread is interrupted in matters: these loops spend their time in the runtime, under its
// lock, and in the C library, under malloc's.
__global__ void reads_forever(simt::traced<const int> x) {
  while (x[0] == 0) {
  }
}

[[maybe_unused]] __global__ void allocates_forever(int* out) {
  for (std::size_t n = 0;; ++n) out[0] = static_cast<int>(std::string(n % 4096, 'x').size());
}

TEST_F(Watchdog, LeavesNoLockBehind) {
  simt::Buffer<int> x(std::vector<int>(1), "x");
  {
    const simt::Tracing tracing;
    const auto launch = [&] {
      simt::launch(1, 1, 0, reads_forever, simt::trace<const int>("x", x.data()));
    };
    EXPECT_THAT(error_of(launch), HasSubstr("does not end"));
    EXPECT_EQ(tracing.counts().size(), 1u);
  }
#if !defined(SIMT_UNDER_ASAN)  // what a thread that was left had allocated leaks, and is reported
  const auto launch = [&] { simt::launch(4, 1, 0, allocates_forever, x.data()); };
  EXPECT_THAT(error_of(launch), HasSubstr("does not end"));
  EXPECT_EQ(std::vector<int>(100'000, 1).back(), 1);
#endif
}

// The loop's step is missing.
__global__ void forgets_to_count(int* out, int K) {
  for (int k = 0; k < K;) {
    __syncthreads();
    out[threadIdx.x] = k;
  }
}

TEST_F(Watchdog, EndsABlockThatGoesFromBarrierToBarrierForever) {
  simt::Buffer<int> out(32);
  simt::config().time_limit = std::chrono::milliseconds(8);
  const auto launch = [&] { simt::launch(1, 32, 0, forgets_to_count, out.data(), 8); };
  EXPECT_THAT(error_of(launch),
              AllOf(HasSubstr("block (0,0,0), the block does not end: it has run for 0.096 s, from "
                              "barrier to barrier:"),
                    HasSubstr("__syncthreads at watchdog_test.cu:")));
}

__global__ void takes_a_while(float* out, int steps) {
  float sum = 0;
  for (int i = 0; i < steps; ++i) sum = __fmaf_rn(sum, 0.5f, 1.0f);
  out[threadIdx.x] = sum;
}

TEST_F(Watchdog, HasNoLimitAtZero) {
  simt::config().time_limit = std::chrono::milliseconds(0);
  simt::Buffer<float> out(2);
  simt::launch(1, 2, 0, takes_a_while, out.data(), 10'000'000);
  EXPECT_EQ(out.to_host(), std::vector<float>(2, 2.0f));
}

}  // namespace
}  // namespace qlab::test
