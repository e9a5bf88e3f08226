// SPDX-License-Identifier: Apache-2.0
/// \file
/// How long kernels take on the CPU: what an exercise's tests and mutants have to pay.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "simt/fp16_gemm_mma.h"
#include "simt/w4a16_gemv.h"

namespace qlab::test {
namespace {

void fp16_gemm_on_tensor_cores(benchmark::State& state) {
  const int n = static_cast<int>(state.range(0));
  const std::vector<half> ones(static_cast<std::size_t>(n) * static_cast<std::size_t>(n),
                               __float2half_rn(1.0f));
  simt::Buffer<half> a(ones), b(ones);
  simt::Buffer<float> c(ones.size());
  for (auto _ : state) launch_fp16_gemm_mma(a.data(), b.data(), c.data(), n, n, n);
}
BENCHMARK(fp16_gemm_on_tensor_cores)
    ->ArgName("MNK")
    ->Arg(64)
    ->Arg(256)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void w4a16_gemv_a_warp_a_row(benchmark::State& state) {
  constexpr int kN = 1024, kK = 4096;
  simt::Buffer<std::uint32_t> q(std::vector<std::uint32_t>(kN * kK / 8, 0x12345678u));
  simt::Buffer<half> scale(std::vector<half>(kN * kK / kGroupSize, __float2half_rn(0.01f)));
  simt::Buffer<half> x(std::vector<half>(kK, __float2half_rn(1.0f)));
  simt::Buffer<float> y(kN);
  for (auto _ : state) {
    launch_w4a16_gemv(256, 128, q.data(), scale.data(), x.data(), y.data(), kN, kK);
  }
}
BENCHMARK(w4a16_gemv_a_warp_a_row)->UseRealTime()->Unit(benchmark::kMillisecond);

__global__ void only_barriers(int times) {
  for (int i = 0; i < times; ++i) __syncthreads();
}

void barriers_of_1024_threads(benchmark::State& state) {
  const int times = static_cast<int>(state.range(0));
  for (auto _ : state) simt::launch(1, 1024, 0, only_barriers, times);
}
BENCHMARK(barriers_of_1024_threads)
    ->ArgName("times")
    ->Arg(1000)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void empty_launch(benchmark::State& state) {
  const auto blocks = static_cast<unsigned>(state.range(0));
  for (auto _ : state) simt::launch(blocks, 256, 0, only_barriers, 0);
}
BENCHMARK(empty_launch)
    ->ArgName("blocks")
    ->Arg(1)
    ->Arg(1000)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace qlab::test

BENCHMARK_MAIN();
