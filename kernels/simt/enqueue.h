// SPDX-License-Identifier: Apache-2.0
/// \file
/// enqueue: a kernel behind others in a stream, without waiting for it, so that several launches
/// can become one CUDA graph. On the CPU there are no streams: the kernel has run when enqueue
/// returns. And how many multiprocessors there are to share the work.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "simt/simt.h"

namespace qlab {

#if defined(__CUDACC__)

using Stream = cudaStream_t;

/// A launch that was not tried, since this GPU cannot run it.
struct WrongGpu : simt::Error {
  using simt::Error::Error;
};

/// An attribute of the GPU at hand.
inline int of_this_gpu(cudaDeviceAttr attribute) {
  int device = 0, value = 0;
  simt::check(cudaGetDevice(&device), "device");
  simt::check(cudaDeviceGetAttribute(&value, attribute, device), "device");
  return value;
}

/// Lets each block of the kernel have that much dynamic shared memory.
/// \throws WrongGpu where a block cannot have it
template <class... P>
void share_memory(void (*kernel)(P...), std::size_t shared_bytes) {
  const auto set = [kernel](cudaFuncAttribute attribute, int value) {
    simt::check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), attribute, value),
                "enqueue: shared memory");
  };
  const int most = of_this_gpu(cudaDevAttrMaxSharedMemoryPerBlockOptin);
  if (shared_bytes > static_cast<std::size_t>(most)) {
    throw WrongGpu("this kernel needs " + std::to_string(shared_bytes / 1024) +
                   " KB of shared memory for a block, and this GPU gives it " +
                   std::to_string(most / 1024) + " KB; take another rung");
  }
  // Blocks of one kernel share the multiprocessor's memory: let all of it be shared memory, or the
  // cache would take the room of the second and third block.
  if (shared_bytes > 0) set(cudaFuncAttributePreferredSharedMemoryCarveout, 100);
  if (shared_bytes > 48 * 1024) {
    set(cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
  }
}

template <class... P, class... A>
void enqueue(Stream stream, dim3 grid, dim3 block, std::size_t shared_bytes, void (*kernel)(P...),
             A&&... arguments) {
  share_memory(kernel, shared_bytes);
  kernel<<<grid, block, shared_bytes, stream>>>(static_cast<P>(std::forward<A>(arguments))...);
  simt::check(cudaGetLastError(), "enqueue");
}

#else

struct Stream {};

/// Runs the kernel at once: on the CPU there is no stream to wait in.
template <class... P, class... A>
void enqueue(Stream, dim3 grid, dim3 block, std::size_t shared_bytes, void (*kernel)(P...),
             A&&... arguments) {
  simt::launch(grid, block, shared_bytes, kernel, std::forward<A>(arguments)...);
}

#endif

/// Multiprocessors of the GPU at hand; on the CPU as many as a small one has.
inline int multiprocessors() {
#if defined(__CUDACC__)
  return of_this_gpu(cudaDevAttrMultiProcessorCount);
#else
  return 8;
#endif
}

}  // namespace qlab
