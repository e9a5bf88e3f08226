// SPDX-License-Identifier: Apache-2.0
/// \file
/// One thin function an instruction of Hopper (compute capability 9.0): barriers in shared memory, the
/// copy engine (TMA) and products of a whole warpgroup (wgmma). For nvcc only; there is no CPU model.
///
///   barrier_*            an mbarrier: counts arrivals, and bytes that a copy brings
///   tma_load, tma_store  a box of a matrix, by the one thread that asks; what lies outside reads as 0
///                        and is not written
///   wgmma_*              D[64, N] += A[64, 32 bytes] · B[N, 32 bytes]ᵀ, both in shared memory; asynchronous
///   registers_*          how many registers the threads of a warpgroup keep
///
/// The words are those of the PTX ISA, chapters "mbarrier", "cp.async.bulk.tensor" and "wgmma".
#pragma once

#if defined(__CUDACC__)

#include <cuda.h>  // CUtensorMap

#include <cstdint>

#include "simt/ptx.h"

namespace qlab::hopper {

using Barrier = std::uint64_t;  // in shared memory

// Where the compiler makes code for another GPU as well, the instructions are left out there; tensor_map()
// refuses such a GPU before a launch.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || !defined(__CUDA_ARCH__)
#define QLAB_SM90A(...) asm volatile(__VA_ARGS__)
#else
#define QLAB_SM90A(...) __trap()
#endif

__device__ __forceinline__ void barrier_init(Barrier* barrier, int arrivals) {
  QLAB_SM90A("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(ptx::shared_address(barrier)),
             "r"(arrivals)
             : "memory");
}
/// What barrier_init wrote becomes visible to the copy engine and to other threads.
__device__ __forceinline__ void barrier_init_done() {
  QLAB_SM90A("fence.mbarrier_init.release.cluster;\nfence.proxy.async.shared::cta;" ::: "memory");
}
/// Arrives, and lets the phase wait for `bytes` that copies will bring.
__device__ __forceinline__ void barrier_expect(Barrier* barrier, int bytes) {
  QLAB_SM90A(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(ptx::shared_address(barrier)),
      "r"(bytes)
      : "memory");
}
__device__ __forceinline__ void barrier_arrive(Barrier* barrier) {
  QLAB_SM90A("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(ptx::shared_address(barrier))
             : "memory");
}
/// Until the phase of that parity is over. A new barrier is in phase 0; "phase 1" before it is over.
__device__ __forceinline__ void barrier_wait(Barrier* barrier, int parity) {
  QLAB_SM90A(
      "{\n"
      ".reg .pred done;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again;\n"
      "}" ::"r"(ptx::shared_address(barrier)),
      "r"(parity)
      : "memory");
}

/// Asks for the box of `map` whose first element is in row `row`, column `column`; its bytes arrive at
/// the barrier.
__device__ __forceinline__ void tma_load(void* to, const CUtensorMap* map, Barrier* barrier,
                                         int column, int row) {
  QLAB_SM90A(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %4}], [%2];" ::"r"(ptx::shared_address(to)),
      "l"(map), "r"(ptx::shared_address(barrier)), "r"(column), "r"(row)
      : "memory");
}
/// The other way; tma_store_wait_read() tells when the shared memory may be written again.
__device__ __forceinline__ void tma_store(const CUtensorMap* map, const void* from, int column,
                                          int row) {
  QLAB_SM90A(
      "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];" ::"l"(map),
      "r"(ptx::shared_address(from)), "r"(column), "r"(row)
      : "memory");
}
__device__ __forceinline__ void tma_store_commit() {
  QLAB_SM90A("cp.async.bulk.commit_group;" ::: "memory");
}
__device__ __forceinline__ void tma_store_wait_read() {
  QLAB_SM90A("cp.async.bulk.wait_group.read 0;" ::: "memory");
}
/// What threads wrote to shared memory becomes visible to the copy engine and to wgmma.
__device__ __forceinline__ void fence_async() {
  QLAB_SM90A("fence.proxy.async.shared::cta;" ::: "memory");
}
/// A barrier of `threads` threads of a block, of number 1 … 15.
__device__ __forceinline__ void named_barrier(int number, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(number), "r"(threads) : "memory");
}

template <int kRegisters>
__device__ __forceinline__ void registers_give() {
  QLAB_SM90A("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ __forceinline__ void registers_take() {
  QLAB_SM90A("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

/// Four 8 × 8 matrices of 16-bit elements to shared memory; row: the 16 bytes that this lane points at.
__device__ __forceinline__ void stmatrix_x4(void* row, std::uint32_t a, std::uint32_t b,
                                            std::uint32_t c, std::uint32_t d) {
  QLAB_SM90A("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(
                 ptx::shared_address(row)),
             "r"(a), "r"(b), "r"(c), "r"(d)
             : "memory");
}

/// The same, each matrix transposed.
__device__ __forceinline__ void stmatrix_x4_trans(void* row, std::uint32_t a, std::uint32_t b,
                                                  std::uint32_t c, std::uint32_t d) {
  QLAB_SM90A("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(
                 ptx::shared_address(row)),
             "r"(a), "r"(b), "r"(c), "r"(d)
             : "memory");
}

/// Rows of 128 bytes in shared memory, as tma_load with 128-byte swizzle leaves them: groups of eight
/// rows follow each other by 1024 bytes. 32 bytes further along a row are 2 more in the descriptor.
__device__ __forceinline__ std::uint64_t wgmma_operand(const void* tile) {
  const std::uint64_t address = (ptx::shared_address(tile) & 0x3FFFF) >> 4;
  return address | std::uint64_t{1} << 16 | std::uint64_t{1024 >> 4} << 32 | std::uint64_t{1} << 62;
}
__device__ __forceinline__ void wgmma_fence() {
  QLAB_SM90A("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void wgmma_commit() {
  QLAB_SM90A("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/// Until at most kInFlight committed groups are under way.
template <int kInFlight>
__device__ __forceinline__ void wgmma_wait() {
  QLAB_SM90A("wgmma.wait_group.sync.aligned %0;" ::"n"(kInFlight) : "memory");
}

}  // namespace qlab::hopper

#endif
