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
#include "simt/ptx.h"
#include "simt/simt.h"

namespace qlab::gpu {

/// The compute capability of the GPU, 10 · major + minor.
int capability();

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

/// All bits set: NaN in every format of floating point.
template <class T>
void poison_nan(simt::Buffer<T>& buffer, Stream stream) {
  simt::check(cudaMemsetAsync(buffer.data(), 0xFF, buffer.size() * sizeof(T), stream), "poison");
}

/// Reads `count` words of 16 bytes: eight loads a thread, which do not wait for each other.
inline constexpr int kReadThreads = 256, kReadLoads = 8;
inline __global__ void __launch_bounds__(kReadThreads)
    read_kernel(const uint4* __restrict__ words, std::size_t count, unsigned* never) {
  const std::size_t first =
      std::size_t{blockIdx.x} * (kReadThreads * kReadLoads) + std::size_t{threadIdx.x};
  uint4 v[kReadLoads];
#pragma unroll
  for (int i = 0; i < kReadLoads; ++i) {
    const std::size_t at = first + static_cast<std::size_t>(i) * kReadThreads;
    v[i] = at < count ? ptx::load_once(words + at) : make_uint4(0, 0, 0, 0);
  }
  unsigned all = 0;
#pragma unroll
  for (int i = 0; i < kReadLoads; ++i) all |= v[i].x | v[i].y | v[i].z | v[i].w;
  if (all == 0x12345678) *never = all;  // hardly ever; but the compiler cannot know
}

/// The contender "read": what only reading as many bytes takes. Few tokens cannot be faster.
class PlainRead {
 public:
  void enqueue_read(const void* bytes, std::size_t size, Stream stream) {
    const std::size_t count = size / 16, of_block = kReadThreads * kReadLoads;
    enqueue(stream, static_cast<unsigned>((count + of_block - 1) / of_block), kReadThreads, 0,
            read_kernel, static_cast<const uint4*>(bytes), count, never_.data());
  }

 private:
  simt::Buffer<unsigned> never_{1};
};
/// Up to so many tokens a product is held against a plain read.
inline constexpr int kReadTokens = 64;

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
