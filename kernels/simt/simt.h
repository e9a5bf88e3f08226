// SPDX-License-Identifier: Apache-2.0
/// \file
/// The one header that a CUDA kernel of the lab includes. nvcc compiles the source for the GPU; any
/// C++20 compiler compiles the same source for the CPU, a fiber a thread.
///
///   simt::launch(grid, block, shared_bytes, kernel, arguments…)  runs, waits; throws simt::Error
///   simt::Buffer<T>                                              memory that a kernel may use
///   DYNAMIC_SHARED(T, name)                                      the dynamic shared memory
///   simt::for_each_schedule(n, body)                             the same in other thread orders
///   todo("op_part")                                              a part not written yet
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "common/contract.h"

#if defined(__CUDACC__)

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

#define DYNAMIC_SHARED(T, name)                                 \
  extern __shared__ __align__(16) unsigned char simt_dynamic[]; \
  T* name = reinterpret_cast<T*>(simt_dynamic)

namespace qlab::simt {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) {
    throw Error(std::string(what) + ": " + cudaGetErrorString(status));
  }
}

template <class... P, class... A>
void launch(dim3 grid, dim3 block, std::size_t shared_bytes, void (*kernel)(P...),
            A&&... arguments) {
  if (shared_bytes > 48 * 1024) {  // more needs a word of consent
    check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                               cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared_bytes)),
          "launch: shared memory");
  }
  kernel<<<grid, block, shared_bytes>>>(static_cast<P>(std::forward<A>(arguments))...);
  check(cudaGetLastError(), "launch");
  check(cudaDeviceSynchronize(), "kernel");
}

}  // namespace qlab::simt

#else

#include "simt/cpu/half.h"
#include "simt/cpu/intrinsics.h"
#include "simt/cpu/runtime.h"
#include "simt/cpu/warp.h"

#define DYNAMIC_SHARED(T, name) T* name = static_cast<T*>(::qlab::simt::cpu::dynamic_shared())

namespace qlab::simt {

/// Runs every thread of the grid on the CPU, or launches the kernel on a GPU. shared_bytes: dynamic
/// shared memory of a block.
template <class... P, class... A>
void launch(dim3 grid, dim3 block, std::size_t shared_bytes, void (*kernel)(P...),
            A&&... arguments) {
  struct Call {
    void (*kernel)(P...);
    std::tuple<P...> arguments;
  } const call{kernel, std::tuple<P...>(static_cast<P>(std::forward<A>(arguments))...)};
  cpu::launch(grid, block, shared_bytes,
              {[](const void* object) {
                 const Call& c = *static_cast<const Call*>(object);
                 std::apply(c.kernel, c.arguments);
               },
               &call});
}

}  // namespace qlab::simt

#endif

/// Before a loop whose index must be known to the compiler: an array that is indexed by a variable
/// lies in memory, not in registers.
#if defined(__CUDACC__)
#define QLAB_UNROLL _Pragma("unroll")
#else
#define QLAB_UNROLL
#endif

#include "simt/buffer.h"
#include "simt/config.h"
