// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of the exercise w4a16_gemv beside the plain loop that dequantizes each weight and the best
/// rung of w4a16_gemm, on one thread and the projections of a 7B model.
#include <benchmark/benchmark.h>

#include <string>

#include "03_int4_weight_only/w4a16_gemm.h"
#include "03_int4_weight_only/w4a16_gemv.h"
#include "support/bench.h"
#include "support/problems.h"

namespace qlab::test {
namespace {

constexpr std::int64_t kGroupSize = 128;

using Run = decltype(w4a16_gemm_v1_scalar);

void solution(MatrixView<const half_t> X, const Int4Weights& W, MatrixView<float> Y, ThreadPool&) {
  exercise::w4a16_gemv(W, X.row(0, 0, X.cols()), Y.row(0, 0, Y.cols()));
}

void bench_rung(benchmark::State& state, const Rung<Run>& rung) {
  const std::int64_t N = state.range(0), K = state.range(1);
  static ThreadPool one_thread(1);
  Random random(1);
  Matrix<float> weight(N, K), Y(1, N);
  Matrix<half_t> X(1, K);
  fill(weight.view(), Values::kNormal, random);
  fill(X.view(), Values::kNormal, random);
  const Int4Matrix W = quantize_int4_rtn(weight.view(), kGroupSize);
  bench_call(state, rung.needs, Cache::kCold, w4a16_gemv_cost(N, K, kGroupSize), one_thread,
             [&] { rung.run(X.view(), W.view(), Y.view(), one_thread); });
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  using qlab::test::Run;
  const qlab::Rung<Run> rungs[] = {
      qlab::kW4A16GemmRungs[0],
      {.name = "exercise", .run = qlab::test::solution, .needs = qlab::Isa::kScalar},
      qlab::best_rung(qlab::kW4A16GemmRungs, qlab::best_isa()),
  };
  for (const qlab::Rung<Run>& rung : rungs) {
    const std::string name = "w4a16_gemv/" + std::string(rung.name);
    benchmark::RegisterBenchmark(name.c_str(), qlab::test::bench_rung, rung)
        ->ArgNames({"N", "K"})
        ->Args({4096, 4096})
        ->Args({4096, 11008})
        ->Unit(benchmark::kMillisecond)
        ->UseManualTime();
  }
  return qlab::test::run_benches(argc, argv);
}
