// SPDX-License-Identifier: Apache-2.0
/// \file
/// Coalescing and bank conflicts, counted.
#include "simt/traced.h"

#include <gmock/gmock.h>

#include "simt/on_device.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;

__global__ void copy_with_stride(simt::traced<const float> x, simt::traced<float> y, int stride) {
  y[threadIdx.x] = x[threadIdx.x * stride];
}

TEST(Traced, CountsTheSectorsOfEachStride) {
  simt::Buffer<float> x(std::vector<float>(64 * 33)), y(64);
  for (const auto& [stride, sectors] : {std::pair{1, 4}, {2, 8}, {8, 32}, {33, 32}, {0, 1}}) {
    const simt::Tracing tracing;
    simt::launch(1, 64, 0, copy_with_stride, simt::trace<const float>("x", x.data()),
                 simt::trace("y", y.data()), stride);
    const auto counts = tracing.counts();
    ASSERT_EQ(counts.size(), 2u);
    EXPECT_EQ(counts[0].array, "x");
    EXPECT_FALSE(counts[0].store);
    EXPECT_EQ(counts[0].requests, 2u);
    EXPECT_EQ(counts[0].lanes, 64u);
    EXPECT_EQ(counts[0].units, 2u * static_cast<unsigned>(sectors)) << stride;
    EXPECT_EQ(counts[0].ideal, stride == 0 ? 2u : 8u);
    EXPECT_TRUE(counts[1].store);
    EXPECT_EQ(counts[1].units, 8u);
  }
}

TEST(Traced, ReportsASentence) {
  simt::Buffer<float> x(std::vector<float>(64 * 33)), y(64);
  const simt::Tracing tracing;
  simt::launch(1, 32, 0, copy_with_stride, simt::trace<const float>("x", x.data()),
               simt::trace("y", y.data()), 8);
  EXPECT_THAT(tracing.report(), HasSubstr("load: 32 lanes took 32 sectors a request; 4 would do"));
}

__global__ void transpose(simt::traced<float> out, int padding) {
  DYNAMIC_SHARED(float, memory);
  auto tile = simt::trace_shared("tile", memory);
  for (unsigned row = threadIdx.y; row < 32; row += blockDim.y)
    tile[row * (32 + padding) + threadIdx.x] = 1.0f;
  __syncthreads();
  for (unsigned row = threadIdx.y; row < 32; row += blockDim.y)
    out[row * 32 + threadIdx.x] = tile[threadIdx.x * (32 + padding) + row];
}

TEST(Traced, CountsBankConflictsAndTheirPadding) {
  simt::Buffer<float> out(1024);
  for (const auto& [padding, passes] : {std::pair{0, 32u}, {1, 1u}, {2, 2u}}) {
    const simt::Tracing tracing;
    simt::launch(1, dim3(32, 4), 32 * 34 * sizeof(float), transpose, simt::trace("out", out.data()),
                 padding);
    for (const simt::AccessCounts& c : tracing.counts()) {
      if (!c.shared) continue;
      EXPECT_EQ(c.requests, 32u);
      EXPECT_EQ(c.units, c.store ? 32u : 32u * passes) << padding;
      EXPECT_EQ(c.ideal, 32u);
    }
  }
}

__global__ void wide_rows(simt::traced<const uint4> unused, int stride) {
  DYNAMIC_SHARED(uint4, memory);
  auto rows = simt::trace_shared("rows", memory);
  rows[threadIdx.x * stride] = uint4{};
  (void)unused;
}

TEST(Traced, TakesSixteenByteAccessesInPhasesOfEightLanes) {
  simt::for_each_schedule(4, [] {  // neighbours share a phase in whatever order the lanes come
    for (const auto& [stride, passes] : {std::pair{1, 4u}, {8, 32u}, {9, 4u}}) {
      const simt::Tracing tracing;
      simt::launch(1, 32, 32 * 9 * 16, wide_rows, simt::trace<const uint4>("unused", nullptr),
                   stride);
      ASSERT_EQ(tracing.counts().size(), 1u);
      EXPECT_EQ(tracing.counts()[0].units, passes) << stride;
      EXPECT_EQ(tracing.counts()[0].ideal, 4u);
    }
  });
}

}  // namespace
}  // namespace qlab::test
