// SPDX-License-Identifier: Apache-2.0
/// \file
/// Blocks of a cluster read each other's shared memory; where there are no clusters, a block reads its
/// own.
#include "simt/cluster.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "simt/on_device.h"

namespace qlab::test {
namespace {

struct Cluster : OnDevice {};

constexpr int kThreads = 64;

/// out[x, y, thread]: what the threads of that number in all blocks (x, …) left, in the order of y as
/// decimal digits.
__global__ void read_neighbours(int* out) {
  DYNAMIC_SHARED(int, mine);  // [kThreads]
  const int thread = static_cast<int>(threadIdx.x), y = static_cast<int>(blockIdx.y);
  mine[kThreads - 1 - thread] = 1 + y + static_cast<int>(blockIdx.x);
  cluster_sync(static_cast<int>(gridDim.y));  // all blocks' numbers are written, and now read
  int digits = 0;
  for (int rank = 0; rank < static_cast<int>(gridDim.y); ++rank) {
    digits = 10 * digits + *cluster_shared(mine + thread, rank);
  }
  const int block = static_cast<int>(blockIdx.x * gridDim.y) + y;
  out[block * kThreads + thread] = digits;
  cluster_meet(static_cast<int>(gridDim.y));  // nobody leaves while others read its numbers
}

TEST_F(Cluster, LetsBlocksReadEachOthersSharedMemory) {
  const int most = most_cluster_blocks(read_neighbours);
  for (int parts = 1; parts <= most; parts *= 2) {
    SCOPED_TRACE(std::to_string(parts) + " blocks in a cluster");
    constexpr int kClusters = 2;
    const std::size_t blocks = static_cast<std::size_t>(kClusters * parts);
    simt::Buffer<int> out(blocks * kThreads);
    enqueue_clusters({}, dim3(kClusters, static_cast<unsigned>(parts)), kThreads,
                     kThreads * sizeof(int), read_neighbours, out.data());
    const std::vector<int> got = out.to_host();
    for (int x = 0; x < kClusters; ++x) {
      int digits = 0;
      for (int y = 0; y < parts; ++y) digits = 10 * digits + 1 + y + x;
      const auto first = got.begin() + x * parts * kThreads;
      EXPECT_THAT(std::vector<int>(first, first + parts * kThreads), testing::Each(digits));
    }
  }
}

#if !defined(__CUDACC__)
TEST_F(Cluster, IsOneBlockOnTheCpu) {
  EXPECT_EQ(most_cluster_blocks(read_neighbours), 1);
  simt::Buffer<int> out(2 * kThreads);
  EXPECT_THAT(
      [&] {
        enqueue_clusters({}, dim3(1, 2), kThreads, kThreads * sizeof(int), read_neighbours,
                         out.data());
      },
      testing::ThrowsMessage<ContractError>(testing::HasSubstr("clusters of 2 blocks")));
}
#endif

}  // namespace
}  // namespace qlab::test
