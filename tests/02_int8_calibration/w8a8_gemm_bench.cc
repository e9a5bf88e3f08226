// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of w8a8_gemm on projections of a 7B model, one thread, as a share of this run's ceilings.
#include <benchmark/benchmark.h>

#include <chrono>
#include <string>
#include <vector>

#include "02_int8_calibration/w8a8_gemm.h"
#include "common/matrix.h"
#include "common/random.h"
#include "support/roofline.h"

namespace qlab::test {
namespace {

constexpr std::int64_t kFewRows = 16;  // up to here the weights come from memory, as in decode

Matrix<std::int8_t> random_codes(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  Matrix<std::int8_t> codes(rows, cols);
  Random random(seed);
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    codes.data()[i] = static_cast<std::int8_t>(random.below(255) - 127);
  }
  return codes;
}

void bm_w8a8_gemm(benchmark::State& state, const Rung<decltype(w8a8_gemm_v1_scalar)>& rung) {
  if (rung.needs > best_isa()) {
    state.SkipWithError("this processor lacks the instructions of the rung");
    return;
  }
  const std::int64_t M = state.range(0), N = state.range(1), K = state.range(2);
  ThreadPool threads(1);
  static const double read_bandwidth = read_bytes_per_second(threads);
  static const double fma_peak = fma_flops_per_second(threads);
  const Matrix<std::int8_t> x = random_codes(M, K, 1), w = random_codes(N, K, 2);
  const std::vector<float> x_scale(static_cast<std::size_t>(M), 0.01F);
  const std::vector<float> w_scale(static_cast<std::size_t>(N), 0.01F);
  Matrix<float> y(M, N);

  double seconds = 0;
  for (auto _ : state) {
    if (M <= kFewRows) flush_caches();
    const auto start = std::chrono::steady_clock::now();
    rung.run({x.view(), x_scale.data()}, {w.view(), w_scale.data()}, y.view(), threads);
    benchmark::ClobberMemory();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(elapsed.count());
    seconds += elapsed.count();
  }
  const Cost cost = w8a8_gemm_cost(M, N, K);
  const double calls_per_second = static_cast<double>(state.iterations()) / seconds;
  state.SetBytesProcessed(cost.bytes * state.iterations());
  state.SetItemsProcessed(cost.flops * state.iterations());
  state.counters["of_read_bandwidth"] =
      calls_per_second * static_cast<double>(cost.bytes) / read_bandwidth;
  state.counters["of_fma_peak"] = calls_per_second * static_cast<double>(cost.flops) / fma_peak;
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  for (const auto& rung : qlab::kW8A8GemmRungs) {
    benchmark::RegisterBenchmark(("w8a8_gemm/" + std::string(rung.name)).c_str(),
                                 qlab::test::bm_w8a8_gemm, rung)
        ->ArgNames({"M", "N", "K"})
        ->ArgsProduct({{1, 4, 16, 256}, {4096}, {4096}})
        ->Args({1, 4096, 11008})
        ->Args({256, 4096, 11008})
        ->Unit(benchmark::kMillisecond)
        ->UseManualTime();
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
