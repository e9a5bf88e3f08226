// SPDX-License-Identifier: Apache-2.0
/// \file
/// Loops of wgmma and of mma.sync that read nothing from memory.
///
/// A loop of n steps must leave n times what one step leaves, in every chain of sums: ptxas leaves
/// out those that nobody looks at. Operands are numbers like those of a layer, for zeros would need
/// less power and run faster.
#include "gpu/peak.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#include "gpu/operands.h"
#include "simt/ptx.h"
#include "simt/rung.h"
#include "simt/wgmma.h"
#include "support/cuda_replays.h"

namespace qlab::gpu {
namespace {

constexpr int kThreads = 256;
constexpr int kKept = 8;  // sums that a thread shows

struct Fp16 {
  using Sum = float;
  static constexpr int kMmaK = 16;  // columns of one mma
  __device__ static std::uint32_t word(std::uint32_t random) {
    const auto value = [](std::uint32_t bits) { return static_cast<float>(bits) * 0x1p-15F - 1; };
    const half2 pair = __floats2half2_rn(value(random & 0xFFFF), value(random >> 16));
    return *reinterpret_cast<const std::uint32_t*>(&pair);
  }
  __device__ __forceinline__ static void wgmma(float (&d)[128], std::uint64_t a, std::uint64_t b,
                                               int add) {
    hopper::wgmma_f16(d, a, b, add);
  }
  __device__ __forceinline__ static void mma(float (&d)[4], const std::uint32_t (&a)[4],
                                             const std::uint32_t (&b)[2]) {
    ptx::mma_m16n8k16_f16(d, a, b);
  }
};

struct Int8 {
  using Sum = std::int32_t;
  static constexpr int kMmaK = 32;
  __device__ static std::uint32_t word(std::uint32_t random) { return random; }
  __device__ __forceinline__ static void wgmma(std::int32_t (&d)[128], std::uint64_t a,
                                               std::uint64_t b, int add) {
    hopper::wgmma_s8(d, a, b, add);
  }
  __device__ __forceinline__ static void mma(std::int32_t (&d)[4], const std::uint32_t (&a)[4],
                                             const std::uint32_t (&b)[2]) {
    ptx::mma_m16n8k32_s8(d, a, b);
  }
};

/// Of every chain of sums one: what nobody looks at the compiler leaves out.
template <class Sum>
__device__ void keep(Sum* out, const Sum (&sums)[kKept]) {
  Sum* const mine = out + std::size_t{blockIdx.x * kThreads + threadIdx.x} * kKept;
#pragma unroll
  for (int i = 0; i < kKept; ++i) mine[i] = sums[i];
}

constexpr int kRowBytes = 128;  // of an operand: four wgmmas of 32 bytes
constexpr int kRows = 64;       // of A of a warpgroup; B has 256
constexpr int kTileBytes = (2 * kRows + 256) * kRowBytes;

/// Two warpgroups a block, a block a multiprocessor; each multiplies its own A by one B.
template <class Format>
__global__ void __launch_bounds__(kThreads, 1) wgmma_loop(int steps, typename Format::Sum* out) {
  DYNAMIC_SHARED(unsigned char, memory);
  unsigned char* const tiles = memory + (1024 - ptx::shared_address(memory) % 1024) % 1024;
  for (unsigned i = threadIdx.x; i < kTileBytes / 4; i += kThreads) {
    reinterpret_cast<std::uint32_t*>(tiles)[i] = Format::word(scattered(i, 8));
  }
  hopper::fence_async();
  __syncthreads();  // the tiles are written
  const std::uint64_t a = hopper::wgmma_operand(tiles + threadIdx.x / 128 * kRows * kRowBytes);
  const std::uint64_t b = hopper::wgmma_operand(tiles + 2 * kRows * kRowBytes);
  typename Format::Sum d[128];
#pragma unroll
  for (int i = 0; i < 128; ++i) d[i] = 0;
  for (int step = 0; step < steps; ++step) {
    hopper::wgmma_fence();
#pragma unroll
    for (int i = 0; i < kRowBytes / 32; ++i) Format::wgmma(d, a + 2 * i, b + 2 * i, 1);
    hopper::wgmma_commit();
    hopper::wgmma_wait<1>();
  }
  hopper::wgmma_wait<0>();
  const typename Format::Sum some[] = {d[0], d[17], d[34], d[51], d[68], d[85], d[102], d[127]};
  keep(out, some);
}

constexpr int kChains = kKept;  // mmas of a warp that do not wait for each other

template <class Format>
__global__ void __launch_bounds__(kThreads, 2) mma_loop(int steps, typename Format::Sum* out) {
  std::uint32_t a[4], b[kChains][2];
  for (unsigned i = 0; i < 4; ++i) a[i] = Format::word(scattered(threadIdx.x * 4 + i, 8));
#pragma unroll
  for (unsigned i = 0; i < 2 * kChains; ++i) {
    b[i / 2][i % 2] = Format::word(scattered(threadIdx.x * 2 * kChains + i, 9));
  }
  typename Format::Sum d[kChains][4] = {};
  for (int step = 0; step < steps; ++step) {
#pragma unroll
    for (int i = 0; i < kChains; ++i) Format::mma(d[i], a, b[i]);
  }
  typename Format::Sum some[kKept];
#pragma unroll
  for (int i = 0; i < kChains; ++i) some[i] = d[i][i % 4];
  keep(out, some);
}

/// How a loop is launched, and what a step of it computes.
template <class Format>
struct Loop {
  void (*kernel)(int steps, typename Format::Sum* out);
  int blocks, shared_bytes, steps;
  int columns, mmas;     ///< of K that one step adds to a sum, by so many instructions
  double flops_of_step;  ///< of a block

  void enqueue_in(Stream stream, int count, typename Format::Sum* out) const {
    enqueue(stream, dim3(static_cast<unsigned>(blocks)), kThreads,
            static_cast<std::size_t>(shared_bytes), kernel, count, out);
  }
};

template <class Format>
Loop<Format> loop_here() {
  const int here = multiprocessors();
  if (capability() == kHopper) {
    constexpr int kMmas = kRowBytes / 32;
    return {wgmma_loop<Format>,
            here,
            kTileBytes + 1024,
            2048,
            kMmas * Format::kMmaK,
            kMmas,
            2.0 * kMmas * (2.0 * kRows * 256 * Format::kMmaK)};
  }
  return {mma_loop<Format>,
          2 * here,
          0,
          8192,
          Format::kMmaK,
          1,
          kThreads / 32.0 * kChains * (2.0 * 16 * 8 * Format::kMmaK)};
}

constexpr int kChecked = 256;  // steps

/// FP32: each mma loses up to 18 times 2⁻²³ of the sum so far (fp16_gemm_mma_error() says why),
/// which after i steps is at most i · columns, as no factor is above 1. What one step lost counts n
/// times.
bool is_multiple(float one, float many, const Loop<Fp16>& loop) {
  const double n = kChecked;
  const double allowed = 18 * 0x1p-23 * loop.mmas * loop.columns * (n * (n + 1) / 2 + n);
  return std::fabs(double{many} - n * double{one}) <= allowed;
}
/// Modulo 2³².
bool is_multiple(std::int32_t one, std::int32_t many, const Loop<Int8>&) {
  return static_cast<std::uint32_t>(many) == static_cast<std::uint32_t>(one) * kChecked;
}

/// \throws simt::Error when kChecked steps leave something else than so many times one step
template <class Format>
void check(const Loop<Format>& loop, Stream stream) {
  using Sum = typename Format::Sum;
  const std::size_t count = static_cast<std::size_t>(loop.blocks) * kThreads * kKept;
  simt::Buffer<Sum> one(count), many(count);
  loop.enqueue_in(stream, 1, one.data());
  loop.enqueue_in(stream, kChecked, many.data());
  simt::check(cudaStreamSynchronize(stream), "the loop of the tensor cores' peak");
  const std::vector<Sum> of_one = one.to_host(), of_many = many.to_host();
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_multiple(of_one[i], of_many[i], loop)) {
      throw simt::Error("the loop of the tensor cores' peak left products out");
    }
  }
}

template <class Format>
double flops_per_second(Stream stream) {
  const Loop<Format> loop = loop_here<Format>();
  check(loop, stream);
  simt::Buffer<typename Format::Sum> sums(static_cast<std::size_t>(loop.blocks) * kThreads * kKept);
  test::Replays replays(stream, 1,
                        [&](std::size_t) { loop.enqueue_in(stream, loop.steps, sums.data()); });
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 7; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
    least = std::min(least, replays.measure());
  }
  return loop.blocks * loop.steps * loop.flops_of_step / least;
}

}  // namespace

double fp16_flops_per_second(Stream stream) { return flops_per_second<Fp16>(stream); }
double int8_flops_per_second(Stream stream) { return flops_per_second<Int8>(stream); }

}  // namespace qlab::gpu
