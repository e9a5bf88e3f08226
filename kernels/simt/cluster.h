// SPDX-License-Identifier: Apache-2.0
/// \file
/// Clusters: neighbouring blocks that run at the same time and read each other's shared memory
/// (Hopper and later). Elsewhere, and on the CPU, a cluster is one block.
///
/// The words are those of the PTX ISA, "barrier.cluster" and "mapa".
#pragma once

#include "simt/enqueue.h"

namespace qlab {

/// Blocks that a cluster may have on every GPU that knows clusters.
inline constexpr int kMostClusterBlocks = 8;

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define QLAB_CLUSTERS
#endif

/// All threads of this cluster of so many blocks have arrived, and see what they wrote to shared memory.
__device__ inline void cluster_sync([[maybe_unused]] int blocks) {
#if defined(QLAB_CLUSTERS)
  if (blocks == 1) return __syncthreads();  // which is done sooner
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::
                   : "memory");
#else
  __syncthreads();  // whatever the caller's two accesses are
#endif
}

/// All threads of this cluster have arrived, no more: what they wrote need not be seen yet. Before the
/// end of a kernel it keeps a block's shared memory until others have used what they read there.
__device__ inline void cluster_meet([[maybe_unused]] int blocks) {
#if defined(QLAB_CLUSTERS)
  if (blocks == 1) return;
  asm volatile("barrier.cluster.arrive.relaxed.aligned;\nbarrier.cluster.wait.aligned;" ::
                   : "memory");
#endif
}

/// The same place in the shared memory of block `rank` of this cluster.
template <class T>
__device__ const T* cluster_shared(const T* mine, [[maybe_unused]] int rank) {
#if defined(QLAB_CLUSTERS)
  const T* theirs;
  asm("mapa.u64 %0, %1, %2;" : "=l"(theirs) : "l"(mine), "r"(rank));
  return theirs;
#else
  return mine;
#endif
}
#undef QLAB_CLUSTERS

/// How many blocks a cluster of this kernel may have: 1 where the GPU, or what nvcc was asked for,
/// has no clusters.
template <class... P>
int most_cluster_blocks([[maybe_unused]] void (*kernel)(P...)) {
#if defined(__CUDACC__)
  cudaFuncAttributes attributes{};
  simt::check(cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(kernel)),
              "cluster: kernel");
  // The code that runs was made from this PTX: of an older one it has no instruction of clusters.
  return attributes.ptxVersion >= 90 ? kMostClusterBlocks : 1;
#else
  return 1;
#endif
}

/// enqueue() with clusters of all blocks that differ in y: at most most_cluster_blocks().
template <class... P, class... A>
void enqueue_clusters(Stream stream, dim3 grid, dim3 block, std::size_t shared_bytes,
                      void (*kernel)(P...), A&&... arguments) {
#if defined(__CUDACC__)
  if (grid.y > 1) {
    share_memory(kernel, shared_bytes);
    cudaLaunchAttribute cluster{};
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim = {1, grid.y, 1};
    cudaLaunchConfig_t config{};
    config.gridDim = grid, config.blockDim = block, config.dynamicSmemBytes = shared_bytes;
    config.stream = stream, config.attrs = &cluster, config.numAttrs = 1;
    simt::check(cudaLaunchKernelEx(&config, kernel, static_cast<P>(std::forward<A>(arguments))...),
                "enqueue of clusters");
    return;
  }
#else
  QLAB_CHECK(grid.y == 1, "enqueue_clusters: clusters of ", grid.y,
             " blocks; the CPU runs a block at a time, ask most_cluster_blocks()");
#endif
  enqueue(stream, grid, block, shared_bytes, kernel, std::forward<A>(arguments)...);
}

}  // namespace qlab
