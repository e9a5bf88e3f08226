// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of the rungs of w4a8_gemm on projections of a 7B model, from decode to a prompt.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <vector>

#include "03_int4_weight_only/w4a8_gemm.h"
#include "common/matrix.h"
#include "common/random.h"
#include "support/bench.h"
#include "support/problems.h"

#if QLAB_X86
#include <immintrin.h>
#endif

namespace qlab::test {
namespace {

#if QLAB_X86
/// Keeps vpdpbusd busy: twelve sums hide its latency. \returns a sum, or the loop would be dropped.
QLAB_AVX512_VNNI std::int32_t multiply_bytes(std::int64_t steps) {
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i sums[12] = {};
  for (std::int64_t i = 0; i < steps; ++i) {
    // Unrolled, or the sums live in an array in memory.
#pragma GCC unroll 12
    for (int j = 0; j < 12; ++j) sums[j] = _mm512_dpbusd_epi32(sums[j], ones, ones);
  }
  for (int j = 1; j < 12; ++j) sums[0] = _mm512_add_epi32(sums[0], sums[j]);
  std::int32_t lanes[16];
  _mm512_storeu_si512(lanes, sums[0]);
  return lanes[0];
}

/// Integer operations a second of all threads together, a multiply-add counted as two.
double vnni_ops_per_second(ThreadPool& threads) {
  constexpr std::int64_t kSteps = 2'000'000;
  static const double peak = [&] {
    const auto start = std::chrono::steady_clock::now();
    threads.run(threads.size(),
                [](std::int64_t) { benchmark::DoNotOptimize(multiply_bytes(kSteps)); });
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    return static_cast<double>(threads.size() * kSteps * 12 * 128) / elapsed.count();
  }();
  return peak;
}
#endif

template <std::int64_t kGroupSize>
void bench_rung(benchmark::State& state, const Rung<decltype(w4a8_gemm_v1_scalar)>& rung) {
  const std::int64_t M = state.range(0), N = state.range(1), K = state.range(2);
  static ThreadPool threads(available_threads());
  Random random(1);
  Matrix<float> weight(N, K), Y(M, N);
  Matrix<std::int8_t> X(M, K);
  fill(weight.view(), Values::kNormal, random);
  for (std::int64_t i = 0; i < M * K; ++i) {
    X.data()[i] = static_cast<std::int8_t>(random.below(255) - 127);
  }
  const std::vector<float> x_scale(static_cast<std::size_t>(M), 0.01F);
  const Int4PanelMatrix W = pack_panels(quantize_int4_rtn(weight.view(), kGroupSize).view());
  bench_call(state, rung.needs, gemm_cache(M), w4a8_gemm_cost(M, N, K, kGroupSize), threads, [&] {
    rung.run({X.view(), x_scale.data()}, W.view(), Y.view(), threads);
  });
#if QLAB_X86
  if (best_isa() >= Isa::kAvx512Vnni) {
    state.counters["of_vnni_peak"] = state.counters["of_fma_peak"] *
                                     ceilings(threads).fma_flops_per_second /
                                     vnni_ops_per_second(threads);
  }
#endif
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  qlab::test::register_gemm("w4a8_gemm_g128", qlab::kW4A8GemmRungs, qlab::test::bench_rung<128>);
  qlab::test::register_gemm("w4a8_gemm_g32", qlab::kW4A8GemmRungs, qlab::test::bench_rung<32>);
  return qlab::test::run_benches(argc, argv);
}
