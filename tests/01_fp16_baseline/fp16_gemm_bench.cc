// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of the rungs of fp16_gemm and bf16_gemm on projections of a 7B model, from decode to a
/// prompt.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>

#include "01_fp16_baseline/fp16_gemm.h"
#include "support/bench.h"
#include "support/problems.h"

namespace qlab::test {
namespace {

template <class T, class Run>
void bench_rung(benchmark::State& state, const Rung<Run>& rung) {
  const std::int64_t M = state.range(0), N = state.range(1), K = state.range(2);
  static ThreadPool threads(available_threads());
  Random random(1);
  Matrix<T> X(M, K), W(N, K);
  Matrix<float> Y(M, N);
  fill(X.view(), Values::kNormal, random);
  fill(W.view(), Values::kNormal, random);
  bench_call(state, rung.needs, M <= 4 ? Cache::kCold : Cache::kWarm, fp16_gemm_cost(M, N, K),
             threads, [&] { rung.run(X.view(), W.view(), Y.view(), threads); });
}

template <class T, class Run, std::size_t kCount>
void register_ladder(const std::string& operation, const Rung<Run> (&ladder)[kCount]) {
  for (const Rung<Run>& rung : ladder) {
    benchmark::RegisterBenchmark((operation + "/" + std::string(rung.name)).c_str(),
                                 bench_rung<T, Run>, rung)
        ->ArgNames({"M", "N", "K"})
        ->ArgsProduct({{1, 4, 16, 256}, {4096}, {4096}})
        ->Args({1, 4096, 11008})
        ->Args({256, 4096, 11008})
        ->Unit(benchmark::kMillisecond)
        ->UseManualTime();
  }
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  qlab::test::register_ladder<qlab::half_t>("fp16_gemm", qlab::kFp16GemmRungs);
  qlab::test::register_ladder<qlab::bf16_t>("bf16_gemm", qlab::kBf16GemmRungs);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
