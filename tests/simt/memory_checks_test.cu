// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the CPU says of wrong memory accesses that a GPU would let pass: out of bounds, unwritten,
/// copied but not awaited.
#include <gmock/gmock.h>

#include <cmath>
#include <utility>

#include "simt/on_device.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;

#if !defined(SIMT_UNDER_ASAN) && !defined(SIMT_UNDER_TSAN)
__global__ void write_at(float* p, int i) {
  if (threadIdx.x == 3) p[i] = 1;
}
__global__ void write_shared_at(int i) {
  DYNAMIC_SHARED(float, values);
  values[i] = 1;
}
__global__ void divide(int* p, int by) { *p = 7 / by; }
__global__ void runs_out_of_stack(int* out, int i) {
  volatile int large[64 * 1024];
  large[i] = i;
  *out = large[i];
}

TEST(Memory, NamesTheBufferTheThreadAndTheDistanceOfAnIndexTooLarge) {
  simt::Buffer<float> x(100, "x");
  EXPECT_THAT(
      error_of([&] { simt::launch(dim3(1, 2), 32, 0, write_at, x.data(), 100); }),
      HasSubstr("thread (3,0,0): out-of-bounds access: just past the end of 'x' (400 bytes)"));
  EXPECT_THAT(error_of([&] { simt::launch(1, 32, 0, write_at, x.data(), 110); }),
              HasSubstr("40 bytes past the end of 'x'"));
}

TEST(Memory, NoticesAWriteBeforeABufferWhenItIsReadBack) {
  simt::Buffer<float> x(100, "x");
  simt::launch(1, 32, 0, write_at, x.data(), -1);
  EXPECT_THAT(error_of([&] { x.to_host(); }), HasSubstr("just outside 'x'"));
}

TEST(Memory, NoticesAWriteToEitherSideOfDynamicSharedMemory) {
  EXPECT_THAT(error_of([&] { simt::launch(1, 1, 64, write_shared_at, 16); }),
              HasSubstr("just past the end of 'dynamic shared memory' (64 bytes)"));
  EXPECT_THAT(error_of([&] { simt::launch(1, 1, 64, write_shared_at, -1); }),
              HasSubstr("just outside dynamic shared memory"));
}

TEST(Memory, SaysThatANullPointerBelongsToNoBuffer) {
  float* const nowhere = nullptr;
  EXPECT_THAT(error_of([&] { simt::launch(1, 32, 0, write_at, nowhere, 0); }),
              HasSubstr("belongs to no Buffer"));
}

#if defined(__x86_64__)
TEST(Memory, ReportsADivisionByZeroToo) {
  simt::Buffer<int> y(1);
  EXPECT_THAT(error_of([&] { simt::launch(1, 1, 0, divide, y.data(), 0); }),
              HasSubstr("division by zero"));
}
#endif

TEST(Memory, ReportsLocalArraysThatOverflowTheStack) {
  simt::Buffer<int> y(1);
  EXPECT_THAT(error_of([&] { simt::launch(1, 1, 0, runs_out_of_stack, y.data(), 7); }),
              HasSubstr("stack overflow"));
}
#endif

__global__ void reads_unwritten(float* out) {
  DYNAMIC_SHARED(float, dynamic);
  __shared__ float fixed[8];
  if (threadIdx.x < 4) dynamic[threadIdx.x] = fixed[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = dynamic[threadIdx.x];
  out[8 + threadIdx.x] = fixed[threadIdx.x];
}

TEST(Memory, ReadsAsNanWhereNobodyWrote) {
  for (int repeat = 0; repeat < 2; ++repeat) {  // also what an earlier block left must not be seen
    simt::Buffer<float> out(17);
    simt::launch(1, 8, 8 * sizeof(float), reads_unwritten, out.data());
    const auto got = out.to_host();
    EXPECT_EQ(got[3], 1.0f);
    EXPECT_TRUE(std::isnan(got[4]));
#if defined(SIMT_KNOWN_SHARED)
    EXPECT_TRUE(std::isnan(got[12]));
#endif
    EXPECT_TRUE(std::isnan(got[16]));
  }
}

__global__ void copies_without_wait(const float* in, float* out, int commit, int wait) {
  DYNAMIC_SHARED(float, stage);
  ptx::cp_async_16(stage + 4 * threadIdx.x, in + 4 * threadIdx.x);
  if (commit) ptx::cp_async_commit();
  if (wait) ptx::cp_async_wait<0>();
  __syncthreads();
  for (unsigned j = 0; j < 4; ++j) out[4 * threadIdx.x + j] = stage[4 * threadIdx.x + j];
}

TEST(Memory, HoldsNanUntilACopyIsCommittedAndAwaited) {
  simt::Buffer<float> in(std::vector<float>(128, 2.0f)), out(128);
  for (const auto& [commit, wait] : {std::pair{1, 0}, {0, 1}, {1, 1}}) {
    simt::launch(1, 32, 512, copies_without_wait, in.data(), out.data(), commit, wait);
    for (float f : out.to_host()) ASSERT_EQ(f == 2.0f, commit && wait);
  }
  EXPECT_THAT(error_of([&] {
                simt::launch(1, 32, 512, copies_without_wait, in.data() + 1, out.data(), 1, 1);
              }),
              HasSubstr("multiples of 16"));
}

}  // namespace
}  // namespace qlab::test
