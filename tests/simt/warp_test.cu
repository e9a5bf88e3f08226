// SPDX-License-Identifier: Apache-2.0
/// \file
/// Barriers, shuffles, votes, reductions, shared memory, atomics: the same on CPU and GPU.
#include "simt/on_device.h"

namespace qlab::test {
namespace {

struct Barrier : OnDevice {};
struct Shuffle : OnDevice {};
struct Warp : OnDevice {};
struct Atomics : OnDevice {};

__global__ void reverse_in_shared(int* out) {
  __shared__ int values[256];
  const int i = static_cast<int>(threadIdx.x);
  values[i] = 10 * i;
  __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
}

TEST_F(Barrier, OrdersStaticSharedMemoryUnderEverySchedule) {
  simt::for_each_schedule(6, [] {
    simt::Buffer<int> out(3 * 256);
    simt::launch(3, 256, 0, reverse_in_shared, out.data());
    const std::vector<int> got = out.to_host();
    for (int i = 0; i < 3 * 256; ++i) ASSERT_EQ(got[i], 10 * (255 - i % 256)) << i;
  });
}

__global__ void prefix_sum_in_dynamic_shared(int* out, int n) {
  DYNAMIC_SHARED(int, values);
  const int i = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
  values[i] = i;
  for (int distance = 1; distance < n; distance *= 2) {
    __syncthreads();
    const int add = i >= distance ? values[i - distance] : 0;
    __syncthreads();
    values[i] += add;
  }
  out[i] = values[i];
}

TEST_F(Barrier, OrdersDynamicSharedMemoryOfATwoDimensionalBlock) {
  simt::for_each_schedule(6, [] {
    simt::Buffer<int> out(96);
    simt::launch(1, dim3(16, 6), 96 * sizeof(int), prefix_sum_in_dynamic_shared, out.data(), 96);
    const std::vector<int> got = out.to_host();
    for (int i = 0; i < 96; ++i) ASSERT_EQ(got[i], i * (i + 1) / 2) << i;
  });
}

__global__ void count_block_predicates(int* out) {
  const int i = static_cast<int>(threadIdx.x);
  const int count = __syncthreads_count(i % 3 == 0);
  const int any = __syncthreads_or(i == 77);
  const int all = __syncthreads_and(i != 77);
  out[i] = count * 100 + any * 10 + all;
}

TEST_F(Barrier, CountsPredicates) {
  simt::Buffer<int> out(100);
  simt::launch(1, 100, 0, count_block_predicates, out.data());
  for (int v : out.to_host()) ASSERT_EQ(v, 34 * 100 + 10);
}

// out[((kind * 6 + width) * 33 + operand) * 32 + lane]
__global__ void all_shuffles(int* out) {
  const int lane = static_cast<int>(threadIdx.x), value = 1000 + lane;
  for (int w = 0; w < 6; ++w) {
    for (int b = 0; b < 32; ++b) {
      int* at = out + (w * 32 + b) * 4 * 32 + lane;
      at[0] = __shfl_sync(0xffffffffu, value, b, 1 << w);
      at[32] = __shfl_up_sync(0xffffffffu, value, static_cast<unsigned>(b), 1 << w);
      at[64] = __shfl_down_sync(0xffffffffu, value, static_cast<unsigned>(b), 1 << w);
      at[96] = __shfl_xor_sync(0xffffffffu, value, b, 1 << w);
    }
  }
}

TEST_F(Shuffle, TakesTheSourceLaneOfEveryWidthAndOperand) {
  simt::for_each_schedule(3, [] {
    simt::Buffer<int> out(6 * 32 * 4 * 32);
    simt::launch(1, 32, 0, all_shuffles, out.data());
    const std::vector<int> got = out.to_host();
    for (int w = 0; w < 6; ++w) {
      const int width = 1 << w;
      for (int b = 0; b < 32; ++b) {
        for (int lane = 0; lane < 32; ++lane) {
          const int* at = got.data() + (w * 32 + b) * 4 * 32 + lane;
          const int first = lane / width * width, in = lane - first;
          ASSERT_EQ(at[0], 1000 + first + b % width);
          ASSERT_EQ(at[32], 1000 + (in >= b ? lane - b : lane));
          ASSERT_EQ(at[64], 1000 + (in + b < width ? lane + b : lane));
          // Of a later segment's lane nothing is taken; of an earlier one's it is.
          const int other = lane ^ b;
          ASSERT_EQ(at[96], 1000 + (other < first + width ? other : lane))
              << width << ' ' << b << ' ' << lane;
        }
      }
    }
  });
}

__global__ void shuffles_of_other_types(float* f, long long* l, half* h) {
  const int lane = static_cast<int>(threadIdx.x);
  f[lane] = __shfl_xor_sync(0xffffffffu, 0.5f * static_cast<float>(lane), 1);
  l[lane] = __shfl_xor_sync(0xffffffffu, (1ll << 40) + lane, 2);
  h[lane] = __shfl_xor_sync(0xffffffffu, __float2half_rn(static_cast<float>(lane)), 4);
}

TEST_F(Shuffle, CarriesOtherTypes) {
  simt::Buffer<float> f(32);
  simt::Buffer<long long> l(32);
  simt::Buffer<half> h(32);
  simt::launch(1, 32, 0, shuffles_of_other_types, f.data(), l.data(), h.data());
  const auto ff = f.to_host();
  const auto ll = l.to_host();
  const auto hh = h.to_host();
  for (int i = 0; i < 32; ++i) {
    ASSERT_EQ(ff[i], 0.5f * static_cast<float>(i ^ 1));
    ASSERT_EQ(ll[i], (1ll << 40) + (i ^ 2));
    ASSERT_EQ(__half2float(hh[i]), static_cast<float>(i ^ 4));
  }
}

// Two halves of a warp, each in its own collectives; and a last warp of eight lanes.
__global__ void votes_and_reductions(unsigned* out) {
  const unsigned lane = threadIdx.x % 32;
  unsigned* at = out + threadIdx.x * 6;
  if (threadIdx.x >= 32) {
    at[0] = __ballot_sync(0xffu, lane % 2 == 1);
    at[1] = __reduce_add_sync(0xffu, lane);
    at[2] = at[3] = at[4] = at[5] = 0;
    return;
  }
  const unsigned mask = lane < 16 ? 0x0000ffffu : 0xffff0000u;
  if (lane < 16) {
    at[0] = __ballot_sync(mask, lane % 3 == 0);
    at[1] = static_cast<unsigned>(__reduce_min_sync(mask, static_cast<int>(lane) - 5));
  } else {
    at[0] = static_cast<unsigned>(__any_sync(mask, lane == 20)) +
            2 * static_cast<unsigned>(__all_sync(mask, lane >= 16));
    at[1] = static_cast<unsigned>(__reduce_max_sync(mask, -static_cast<int>(lane)));
  }
  __syncwarp();
  at[2] = __reduce_add_sync(0xffffffffu, lane);
  at[3] = __reduce_and_sync(0xffffffffu, lane | 0xf0u);
  at[4] = __reduce_or_sync(0xffffffffu, 1u << lane);
  at[5] = __reduce_xor_sync(0xffffffffu, lane * lane);
}

TEST_F(Warp, VotesAndReducesInParts) {
  unsigned xors = 0;
  for (unsigned i = 0; i < 32; ++i) xors ^= i * i;
  simt::for_each_schedule(6, [&] {
    simt::Buffer<unsigned> out(40 * 6);
    simt::launch(1, 40, 0, votes_and_reductions, out.data());
    const std::vector<unsigned> got = out.to_host();
    for (unsigned i = 0; i < 40; ++i) {
      const unsigned* at = got.data() + i * 6;
      const std::vector<unsigned> row(at, at + 6);
      if (i >= 32) {
        ASSERT_EQ(row, (std::vector<unsigned>{0xaa, 28, 0, 0, 0, 0}));
      } else if (i < 16) {
        ASSERT_EQ(row,
                  (std::vector<unsigned>{0x9249, static_cast<unsigned>(-5), 496, 0xf0, ~0u, xors}));
      } else {
        ASSERT_EQ(row,
                  (std::vector<unsigned>{3, static_cast<unsigned>(-16), 496, 0xf0, ~0u, xors}));
      }
    }
  });
}

__global__ void histogram(const unsigned* values, int n, int* bins, float* sum, int* largest) {
  for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < n;
       i += static_cast<int>(gridDim.x * blockDim.x)) {
    atomicAdd(&bins[values[i] % 16], 1);
    atomicAdd(sum, 1.0f);
    atomicMax(largest, static_cast<int>(values[i] % 1000));
  }
}

TEST_F(Atomics, AddUpAcrossBlocks) {
  const std::vector<unsigned> values = random_words(5000, 1);
  std::vector<int> expected(16);
  int largest = 0;
  for (unsigned v : values) {
    ++expected[v % 16];
    largest = std::max(largest, static_cast<int>(v % 1000));
  }
  simt::Buffer<unsigned> in(values);
  simt::Buffer<int> bins(std::vector<int>(16)), top(std::vector<int>(1));
  simt::Buffer<float> sum(std::vector<float>(1));
  simt::launch(8, 64, 0, histogram, in.data(), 5000, bins.data(), sum.data(), top.data());
  EXPECT_EQ(bins.to_host(), expected);
  EXPECT_EQ(sum.to_host()[0], 5000.0f);
  EXPECT_EQ(top.to_host()[0], largest);
}

}  // namespace
}  // namespace qlab::test
