// SPDX-License-Identifier: Apache-2.0
/// \file
/// One thin function an instruction: PTX when nvcc compiles it, a CPU model otherwise.
///
///   ldmatrix_x1/_x2/_x4 (+ _trans)   8×8 matrices of 16-bit elements from shared memory
///   mma_m16n8k16_f16/_bf16           d[16×8] += a[16×16] · b[16×8], float sums
///   mma_m16n8k32_s8                  the same with int8, int32 sums
///   mma_m16n8k32_e4m3 (sm_89+)       the same with FP8, float sums
///   mma_m16n8k8_tf32                 the same with TF32
///   cp_async_16/_4, _commit, _wait   global to shared memory, asynchronously
///   `lop3<table>`                    any logical function of three words
///   prmt                             four bytes out of eight, or their sign bits replicated
///   load_once                        16 bytes from global memory, past the L1
///
/// wgmma and the bulk copy engine (TMA) are GPU-only and not here.
#pragma once

#include <cstdint>

#include "simt/simt.h"

#if !defined(__CUDACC__)
#include "simt/cpu/tensor_core.h"
#endif

namespace qlab::ptx {

#if defined(__CUDACC__)

__device__ __forceinline__ std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

#define QLAB_LDMATRIX(SUFFIX, MODIFIER)                                                        \
  __device__ __forceinline__ void ldmatrix_x1##SUFFIX(std::uint32_t(&r)[1], const void* row) { \
    asm volatile("ldmatrix.sync.aligned.m8n8.x1" MODIFIER ".shared.b16 {%0}, [%1];"            \
                 : "=r"(r[0])                                                                  \
                 : "r"(shared_address(row))                                                    \
                 : "memory");                                                                  \
  }                                                                                            \
  __device__ __forceinline__ void ldmatrix_x2##SUFFIX(std::uint32_t(&r)[2], const void* row) { \
    asm volatile("ldmatrix.sync.aligned.m8n8.x2" MODIFIER ".shared.b16 {%0,%1}, [%2];"         \
                 : "=r"(r[0]), "=r"(r[1])                                                      \
                 : "r"(shared_address(row))                                                    \
                 : "memory");                                                                  \
  }                                                                                            \
  __device__ __forceinline__ void ldmatrix_x4##SUFFIX(std::uint32_t(&r)[4], const void* row) { \
    asm volatile("ldmatrix.sync.aligned.m8n8.x4" MODIFIER ".shared.b16 {%0,%1,%2,%3}, [%4];"   \
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])                              \
                 : "r"(shared_address(row))                                                    \
                 : "memory");                                                                  \
  }
QLAB_LDMATRIX(, "")
QLAB_LDMATRIX(_trans, ".trans")
#undef QLAB_LDMATRIX

#define QLAB_MMA(NAME, D, CONSTRAINT, INSTRUCTION)                                               \
  __device__ __forceinline__ void NAME(D(&d)[4], const std::uint32_t(&a)[4],                     \
                                       const std::uint32_t(&b)[2]) {                             \
    asm volatile(                                                                                \
        "mma.sync.aligned." INSTRUCTION " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" \
        : "+" CONSTRAINT(d[0]), "+" CONSTRAINT(d[1]), "+" CONSTRAINT(d[2]), "+" CONSTRAINT(d[3]) \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                     \
  }
QLAB_MMA(mma_m16n8k16_f16, float, "f", "m16n8k16.row.col.f32.f16.f16.f32")
QLAB_MMA(mma_m16n8k16_bf16, float, "f", "m16n8k16.row.col.f32.bf16.bf16.f32")
QLAB_MMA(mma_m16n8k8_tf32, float, "f", "m16n8k8.row.col.f32.tf32.tf32.f32")
QLAB_MMA(mma_m16n8k32_s8, std::int32_t, "r", "m16n8k32.row.col.s32.s8.s8.s32")
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 890
QLAB_MMA(mma_m16n8k32_e4m3, float, "f", "m16n8k32.row.col.f32.e4m3.e4m3.f32")
#endif
#undef QLAB_MMA

__device__ __forceinline__ void cp_async_16(void* shared, const void* global) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(shared)),
               "l"(global)
               : "memory");
}
/// Copies if `valid`, else writes 16 bytes of zeros without reading.
__device__ __forceinline__ void cp_async_16_zfill(void* shared, const void* global, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
               "l"(global), "r"(valid ? 16 : 0)
               : "memory");
}
__device__ __forceinline__ void cp_async_4(void* shared, const void* global) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(shared_address(shared)), "l"(global)
               : "memory");
}
__device__ __forceinline__ void cp_async_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
/// Waits until at most `kInFlight` of this thread's committed groups are still under way.
template <int kInFlight>
__device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kInFlight) : "memory");
}

/// Bit i of the result is bit (a_i·4 + b_i·2 + c_i) of `kTable`. The table of an expression is the
/// expression itself applied to a = 0xF0, b = 0xCC, c = 0xAA.
template <int kTable>
__device__ __forceinline__ std::uint32_t lop3(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  std::uint32_t d;
  asm("lop3.b32 %0, %1, %2, %3, %4;" : "=r"(d) : "r"(a), "r"(b), "r"(c), "n"(kTable));
  return d;
}

/// Byte i of the result is byte (s >> 4i & 7) of b:a; where bit 3 of that selector is set, 0x00 or
/// 0xFF by the byte's sign bit.
__device__ __forceinline__ std::uint32_t prmt(std::uint32_t a, std::uint32_t b, std::uint32_t s) {
  std::uint32_t d;
  asm("prmt.b32 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(s));
  return d;
}

/// 16 bytes that no kernel of this launch writes, past the L1: each is read once, and would only
/// push out what is read again.
__device__ __forceinline__ uint4 load_once(const uint4* address) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(address));
  return v;
}

#else  // the CPU models

using Word = std::uint32_t;
/// A lane's register of one 8 × 8 matrix of 16-bit elements. row: 16 bytes of shared memory that
/// this lane points at.
inline void ldmatrix_x1(Word (&r)[1], const void* row, SIMT_HERE) {
  simt::cpu::ldmatrix<1, false>(r, row, at);
}
/// A lane's registers of two 8 × 8 matrices of 16-bit elements. row: 16 bytes of shared memory that
/// this lane points at.
inline void ldmatrix_x2(Word (&r)[2], const void* row, SIMT_HERE) {
  simt::cpu::ldmatrix<2, false>(r, row, at);
}
/// A lane's registers of four 8 × 8 matrices of 16-bit elements. row: 16 bytes of shared memory
/// that this lane points at.
inline void ldmatrix_x4(Word (&r)[4], const void* row, SIMT_HERE) {
  simt::cpu::ldmatrix<4, false>(r, row, at);
}
/// A lane's register of one 8 × 8 matrix of 16-bit elements, transposed. row: 16 bytes of shared
/// memory that this lane points at.
inline void ldmatrix_x1_trans(Word (&r)[1], const void* row, SIMT_HERE) {
  simt::cpu::ldmatrix<1, true>(r, row, at);
}
/// A lane's registers of two 8 × 8 matrices of 16-bit elements, transposed. row: 16 bytes of shared
/// memory that this lane points at.
inline void ldmatrix_x2_trans(Word (&r)[2], const void* row, SIMT_HERE) {
  simt::cpu::ldmatrix<2, true>(r, row, at);
}
/// A lane's registers of four 8 × 8 matrices of 16-bit elements, transposed. row: 16 bytes of
/// shared memory that this lane points at.
inline void ldmatrix_x4_trans(Word (&r)[4], const void* row, SIMT_HERE) {
  simt::cpu::ldmatrix<4, true>(r, row, at);
}

#define QLAB_MMA(NAME, D, READ)                                                 \
  inline void NAME(D(&d)[4], const Word(&a)[4], const Word(&b)[2], SIMT_HERE) { \
    simt::cpu::mma<simt::cpu::READ>(#NAME, d, a, b, at);                        \
  }
QLAB_MMA(mma_m16n8k16_f16, float, ReadF16)
QLAB_MMA(mma_m16n8k16_bf16, float, ReadBf16)
QLAB_MMA(mma_m16n8k8_tf32, float, ReadTf32)
QLAB_MMA(mma_m16n8k32_s8, std::int32_t, ReadS8)
QLAB_MMA(mma_m16n8k32_e4m3, float, ReadE4M3)
#undef QLAB_MMA

/// Copies 16 bytes from global to shared memory, behind the thread's back; both aligned to 16.
inline void cp_async_16(void* shared, const void* global, SIMT_HERE) {
  simt::cpu::async_copy(shared, global, 16, 16, at);
}
/// The same; zeros where it is not valid, and nothing is read.
inline void cp_async_16_zfill(void* shared, const void* global, bool valid, SIMT_HERE) {
  simt::cpu::async_copy(shared, global, 16, valid ? 16 : 0, at);
}
/// Copies 4 bytes; both aligned to 4.
inline void cp_async_4(void* shared, const void* global, SIMT_HERE) {
  simt::cpu::async_copy(shared, global, 4, 4, at);
}
/// Closes a group of copies.
inline void cp_async_commit() { simt::cpu::async_commit(); }
/// Waits until at most `kInFlight` groups are under way.
template <int kInFlight>
void cp_async_wait() {
  simt::cpu::async_wait(kInFlight);
}

/// Any function of three bits, bit by bit; kTable has its eight results.
template <int kTable>
constexpr Word lop3(Word a, Word b, Word c) {
  Word d = 0;
  for (int row = 0; row < 8; ++row) {
    if ((kTable >> row & 1) != 0) {
      d |= (row & 4 ? a : ~a) & (row & 2 ? b : ~b) & (row & 1 ? c : ~c);
    }
  }
  return d;
}

/// Picks four bytes of a and b: a nibble of s names each.
inline Word prmt(Word a, Word b, Word s) {
  Word d = __byte_perm(a, b, s);
  for (int i = 0; i < 4; ++i) {
    if ((s >> (4 * i) & 8) == 0) continue;
    const Word byte = Word{0xFF} << (8 * i), sign = Word{0x80} << (8 * i);
    d = (d & sign) != 0 ? d | byte : d & ~byte;
  }
  return d;
}

/// 16 bytes that no kernel of this launch writes.
inline uint4 load_once(const uint4* address) { return *address; }

#endif

}  // namespace qlab::ptx
