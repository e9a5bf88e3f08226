// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of quantize_static on the activations of a prompt; beside quantize_rows it shows what the
/// search for the largest value costs.
#include <benchmark/benchmark.h>

#include <string>

#include "02_int8_calibration/quantize_static.h"
#include "common/matrix.h"
#include "common/random.h"
#include "support/bench.h"

namespace qlab::test {
namespace {

void bench_rung(benchmark::State& state, const Rung<decltype(quantize_static_v1_scalar)>& rung) {
  const std::int64_t rows = state.range(0), K = state.range(1);
  static ThreadPool threads(available_threads());
  Matrix<float> x(rows, K);
  Random random(1);
  for (std::int64_t i = 0; i < rows * K; ++i) x.data()[i] = static_cast<float>(random.normal());
  Matrix<std::int8_t> codes(rows, K);
  // A threshold of 4 deviations: about one value in 16,000 is clipped.
  bench_call(state, rung.needs, Cache::kCold, quantize_static_cost(rows, K), threads,
             [&] { rung.run(x.view(), 4.0F / 127, codes.view(), threads); });
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  for (const auto& rung : qlab::kQuantizeStaticRungs) {
    benchmark::RegisterBenchmark(("quantize_static/" + std::string(rung.name)).c_str(),
                                 qlab::test::bench_rung, rung)
        ->ArgNames({"rows", "K"})
        ->ArgsProduct({{256, 4096}, {4096}})
        ->Unit(benchmark::kMillisecond)
        ->UseManualTime();
  }
  return qlab::test::run_benches(argc, argv);
}
