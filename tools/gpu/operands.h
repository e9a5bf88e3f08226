// SPDX-License-Identifier: Apache-2.0
/// \file
/// Operands of what is timed: filled on the device, checked by samples. For nvcc only.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>

#include "common/random.h"
#include "simt/enqueue.h"
#include "simt/simt.h"

namespace qlab::gpu {

/// The compute capability of the GPU, 10 · major + minor.
int capability();

int multiprocessors();

std::string shape_text(int M, int N, int K);

/// A number that looks random, from where it stands: the same in every run and on every device.
__device__ inline std::uint32_t scattered(std::uint64_t i, std::uint32_t seed) {
  std::uint64_t x = (i + 1) * 0x9E3779B97F4A7C15 + seed;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
  x = (x ^ x >> 27) * 0x94D049BB133111EB;
  return static_cast<std::uint32_t>(x >> 32);
}

template <class T>
__global__ void uniform_kernel(T* out, std::size_t count, std::uint32_t seed) {
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    out[i] = T(static_cast<float>(scattered(i, seed)) * 0x1p-31F - 1.0F);
  }
}
/// Elements from -1 to 1.
template <class T>
void fill_uniform(T* out, std::size_t count, std::uint32_t seed) {
  simt::launch(4096, 256, 0, uniform_kernel<T>, out, count, seed);
}

inline constexpr int kReaders = 256, kReads = 8;  // threads of a block, loads of a thread

/// A thread has kReads loads in flight, and is done.
inline __global__ void __launch_bounds__(kReaders)
    read_kernel(const uint4* __restrict__ in, std::size_t count, unsigned* never) {
  const std::size_t first = std::size_t{blockIdx.x} * (kReads * kReaders) + threadIdx.x;
  uint4 v[kReads];
#pragma unroll
  for (int i = 0; i < kReads; ++i) {
    const std::size_t at = first + static_cast<std::size_t>(i) * kReaders;
    v[i] = at < count ? in[at] : uint4{0, 0, 0, 0};
  }
  unsigned seen = 0;
#pragma unroll
  for (int i = 0; i < kReads; ++i) seen |= v[i].x ^ v[i].y ^ v[i].z ^ v[i].w;
  if (seen == 0x1234'5678) *never = seen;  // keeps the loads
}
/// Enqueues a plain read of `count` words of 16 bytes.
inline void stream_read(Stream stream, const uint4* in, std::size_t count, unsigned* never) {
  const std::size_t of_block = kReads * kReaders;
  enqueue(stream, dim3(static_cast<unsigned>((count + of_block - 1) / of_block)), kReaders, 0,
          read_kernel, in, count, never);
}

/// All bits set: NaN in every format of floating point.
template <class T>
void poison_nan(simt::Buffer<T>& buffer, Stream stream) {
  simt::check(cudaMemsetAsync(buffer.data(), 0xFF, buffer.size() * sizeof(T), stream), "poison");
}

/// Whether right(m, n) holds for the corners and 60 elements more.
inline bool samples_right(int M, int N, const std::function<bool(int, int)>& right) {
  Random random(5);
  for (int i = 0; i < 64; ++i) {
    const int m = i < 4 ? (i % 2) * (M - 1) : static_cast<int>(random.below(M));
    const int n = i < 4 ? (i / 2) * (N - 1) : static_cast<int>(random.below(N));
    if (!right(m, n)) return false;
  }
  return true;
}

}  // namespace qlab::gpu
