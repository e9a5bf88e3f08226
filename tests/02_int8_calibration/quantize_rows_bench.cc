// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of quantize_rows on the activations of a prompt and on a weight of a 7B model.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "02_int8_calibration/quantize_rows.h"
#include "common/matrix.h"
#include "common/random.h"
#include "support/bench.h"

namespace qlab::test {
namespace {

void bench_rung(benchmark::State& state, const Rung<decltype(quantize_rows_v1_scalar)>& rung) {
  const std::int64_t rows = state.range(0), K = state.range(1);
  const auto granularity = static_cast<Granularity>(state.range(2));
  static ThreadPool threads(available_threads());
  Matrix<float> x(rows, K);
  Random random(1);
  for (std::int64_t i = 0; i < rows * K; ++i) x.data()[i] = static_cast<float>(random.normal());
  Matrix<std::int8_t> codes(rows, K);
  std::vector<float> scale(static_cast<std::size_t>(rows));
  bench_call(state, rung.needs, Cache::kCold, quantize_rows_cost(rows, K), threads,
             [&] { rung.run(x.view(), granularity, codes.view(), scale.data(), threads); });
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  using qlab::Granularity;
  for (const auto& rung : qlab::kQuantizeRowsRungs) {
    benchmark::RegisterBenchmark(("quantize_rows/" + std::string(rung.name)).c_str(),
                                 qlab::test::bench_rung, rung)
        ->ArgNames({"rows", "K", "per_tensor"})
        ->ArgsProduct(
            {{256, 4096},
             {4096},
             {static_cast<int>(Granularity::kPerRow), static_cast<int>(Granularity::kPerTensor)}})
        ->Unit(benchmark::kMillisecond)
        ->UseManualTime();
  }
  return qlab::test::run_benches(argc, argv);
}
