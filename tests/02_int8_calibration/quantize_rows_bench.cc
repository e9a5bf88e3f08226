// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of quantize_rows on the activations of a prompt and on a weight of a 7B model.
#include <benchmark/benchmark.h>

#include <chrono>
#include <string>
#include <vector>

#include "02_int8_calibration/quantize_rows.h"
#include "common/matrix.h"
#include "common/random.h"
#include "support/roofline.h"

namespace qlab::test {
namespace {

void bm_quantize_rows(benchmark::State& state,
                      const Rung<decltype(quantize_rows_v1_scalar)>& rung) {
  if (rung.needs > best_isa()) {
    state.SkipWithError("this processor lacks the instructions of the rung");
    return;
  }
  const std::int64_t rows = state.range(0), K = state.range(1);
  const auto granularity = static_cast<Granularity>(state.range(2));
  ThreadPool threads(1);
  static const double read_bandwidth = read_bytes_per_second(threads);
  Matrix<float> x(rows, K);
  Random random(1);
  for (std::int64_t i = 0; i < rows * K; ++i) x.data()[i] = static_cast<float>(random.normal());
  Matrix<std::int8_t> codes(rows, K);
  std::vector<float> scale(static_cast<std::size_t>(rows));

  double seconds = 0;
  for (auto _ : state) {
    flush_caches();
    const auto start = std::chrono::steady_clock::now();
    rung.run(x.view(), granularity, codes.view(), scale.data(), threads);
    benchmark::ClobberMemory();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(elapsed.count());
    seconds += elapsed.count();
  }
  const std::int64_t bytes = quantize_rows_cost(rows, K).bytes * state.iterations();
  state.SetBytesProcessed(bytes);
  state.counters["of_read_bandwidth"] = static_cast<double>(bytes) / seconds / read_bandwidth;
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  using qlab::Granularity;
  for (const auto& rung : qlab::kQuantizeRowsRungs) {
    benchmark::RegisterBenchmark(("quantize_rows/" + std::string(rung.name)).c_str(),
                                 qlab::test::bm_quantize_rows, rung)
        ->ArgNames({"rows", "K", "per_tensor"})
        ->ArgsProduct(
            {{256, 4096},
             {4096},
             {static_cast<int>(Granularity::kPerRow), static_cast<int>(Granularity::kPerTensor)}})
        ->Unit(benchmark::kMillisecond)
        ->UseManualTime();
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
