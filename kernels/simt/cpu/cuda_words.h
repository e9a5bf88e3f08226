// SPDX-License-Identifier: Apache-2.0
/// \file
/// The words of CUDA that a kernel source uses, spelled for a plain C++ compiler.
///
/// Included only when the source is *not* compiled by nvcc (or clang's CUDA mode).
#pragma once

#include <cstdint>

#define __global__
#define __device__
#define __host__
#define __constant__ const
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))

// One block runs on one worker thread at a time, so "one copy a block" is "one copy a worker".
// Compiled with -femulated-tls the copies live in guarded, poisoned memory (shared_memory.cc);
// without the flag the code still runs, but uninitialised reads and overruns go unnoticed.
#define __shared__ static thread_local

struct uint3 {
  unsigned x, y, z;
};

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

// Vector types with CUDA's alignment: a misaligned uint4 access faults on a GPU, and
// -fsanitize=alignment reports it here.
#define SIMT_VECTOR(T, V, ALIGN2, ALIGN4)                 \
  struct alignas(ALIGN2) V##2 {                           \
    T x, y;                                               \
  };                                                      \
  struct alignas(ALIGN4) V##4 {                           \
    T x, y, z, w;                                         \
  };                                                      \
  constexpr V##2 make_##V##2(T x, T y) { return {x, y}; } \
  constexpr V##4 make_##V##4(T x, T y, T z, T w) { return {x, y, z, w}; }

SIMT_VECTOR(signed char, char, 2, 4)
SIMT_VECTOR(unsigned char, uchar, 2, 4)
SIMT_VECTOR(short, short, 4, 8)
SIMT_VECTOR(unsigned short, ushort, 4, 8)
SIMT_VECTOR(int, int, 8, 16)
SIMT_VECTOR(unsigned, uint, 8, 16)
SIMT_VECTOR(float, float, 8, 16)
#undef SIMT_VECTOR

inline constexpr int warpSize = 32;

// CUDA's overloads of min and max at global scope.
constexpr int min(int a, int b) { return b < a ? b : a; }
constexpr int max(int a, int b) { return a < b ? b : a; }
constexpr unsigned min(unsigned a, unsigned b) { return b < a ? b : a; }
constexpr unsigned max(unsigned a, unsigned b) { return a < b ? b : a; }
