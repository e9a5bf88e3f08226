// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the CPU catches and a GPU does not tell. Each kernel here has one mistake.
/// CPU only: on a GPU these kernels hang, or quietly give wrong numbers.

#include <gmock/gmock.h>

#include "simt/on_device.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;

#if !defined(SIMT_UNDER_TSAN)
__global__ void neighbour_without_barrier(int* out) {
  __shared__ int values[64];
  const unsigned i = threadIdx.x;
  values[i] = static_cast<int>(i) + 1;
  // missing: __syncthreads();
  out[i] = values[(i + 1) % 64];
}

TEST(Checks, ShowAMissingBarrierUnderSomeSchedule) {
  int wrong = 0;
  simt::for_each_schedule(4, [&] {
    simt::Buffer<int> out(64);
    simt::launch(1, 64, 0, neighbour_without_barrier, out.data());
    const auto got = out.to_host();
    for (int i = 0; i < 64; ++i) wrong += got[static_cast<std::size_t>(i)] != (i + 1) % 64 + 1;
  });
  EXPECT_GT(wrong, 0);
}

__global__ void warp_exchange_without_syncwarp(int* out) {
  DYNAMIC_SHARED(int, values);
  const unsigned i = threadIdx.x;
  values[i] = static_cast<int>(i) + 1;
  // missing: __syncwarp();
  out[i] = values[i ^ 1];
}

TEST(Checks, ShowAMissingSyncwarpUnderEverySchedule) {
  simt::for_each_schedule(4, [&] {
    simt::Buffer<int> out(32);
    simt::launch(1, 32, 32 * sizeof(int), warp_exchange_without_syncwarp, out.data());
    int wrong = 0;
    const auto got = out.to_host();
    for (int i = 0; i < 32; ++i) wrong += got[static_cast<std::size_t>(i)] != (i ^ 1) + 1;
    EXPECT_GT(wrong, 0);
  });
}
#endif

__global__ void exits_before_barrier(int n) {
  if (static_cast<int>(threadIdx.x) >= n) return;
  __syncthreads();
}

TEST(Checks, NameTheThreadsThatNeverReachABarrier) {
  const std::string text = error_of([] { simt::launch(2, 64, 0, exits_before_barrier, 40); });
  EXPECT_THAT(text, HasSubstr("block ("));
  EXPECT_THAT(text, HasSubstr("a barrier that not every thread reaches"));
  EXPECT_THAT(text, HasSubstr("threads 0-39 wait in __syncthreads at checks_test.cu:"));
  EXPECT_THAT(text, HasSubstr("threads 40-63 have exited"));
  simt::config().exited_threads_may_skip_barriers = true;
  simt::launch(2, 64, 0, exits_before_barrier, 40);
  simt::config().exited_threads_may_skip_barriers = false;
}

__global__ void two_barriers() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

TEST(Checks, RefuseTwoBarriersAtOnce) {
  const std::string text = error_of([] { simt::launch(1, 64, 0, two_barriers); });
  EXPECT_THAT(text, HasSubstr("threads wait at different barriers"));
}

__global__ void shuffle_against_barrier() {
  if (threadIdx.x < 16) {
    __shfl_sync(0xffffffffu, 1, 0);
  } else {
    __syncthreads();
  }
}

TEST(Checks, ReportADivergentWarpAsADeadlock) {
  const std::string text = error_of([] { simt::launch(1, 32, 0, shuffle_against_barrier); });
  EXPECT_THAT(text, HasSubstr("deadlock"));
  EXPECT_THAT(text, HasSubstr("threads 0-15 wait in __shfl_sync at checks_test.cu:"));
  EXPECT_THAT(text, HasSubstr("threads 16-31 wait in __syncthreads"));
}

__global__ void lane_outside_of_its_mask() { __ballot_sync(0x0000ffffu, 1); }
__global__ void shuffle_from_outside_of_the_mask() {
  if (threadIdx.x < 16) __shfl_sync(0x0000ffffu, 1, 20);
}

TEST(Checks, RefuseAWrongMask) {
  EXPECT_THAT(error_of([] { simt::launch(1, 32, 0, lane_outside_of_its_mask); }),
              HasSubstr("lane 16 calls it but is not in its mask"));
  EXPECT_THAT(error_of([] { simt::launch(1, 32, 0, shuffle_from_outside_of_the_mask); }),
              HasSubstr("reads lane 20"));
}

__global__ void partial_warp_mma() {
  float d[4] = {};
  const std::uint32_t a[4] = {}, b[2] = {};
  if (threadIdx.x != 9) ptx::mma_m16n8k16_f16(d, a, b);
}

TEST(Checks, RefuseAnMmaOfAPartOfAWarp) {
  const std::string text = error_of([] { simt::launch(1, 32, 0, partial_warp_mma); });
  EXPECT_THAT(text, HasSubstr("threads 0-8, 10-31 wait in mma_m16n8k16_f16"));
  EXPECT_THAT(text, HasSubstr("threads 9 have exited"));
}

TEST(Checks, RefuseImpossibleLaunches) {
  EXPECT_THAT(error_of([] { simt::launch(1, 1025, 0, partial_warp_mma); }), HasSubstr("1 to 1024"));
  EXPECT_THAT(error_of([] { simt::launch(0, 32, 0, partial_warp_mma); }), HasSubstr("at least 1"));
  EXPECT_THAT(error_of([] { simt::launch(1, 32, 300000, partial_warp_mma); }),
              HasSubstr("at most 232448"));
}

}  // namespace
}  // namespace qlab::test
