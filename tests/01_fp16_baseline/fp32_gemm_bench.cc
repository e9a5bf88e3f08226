// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of the rungs of fp32_gemm on projections of a 7B model, from decode to a prompt.
#include <benchmark/benchmark.h>

#include <string>

#include "01_fp16_baseline/fp32_gemm.h"
#include "support/bench.h"
#include "support/problems.h"

namespace qlab::test {
namespace {

void bench_rung(benchmark::State& state, const Rung<decltype(fp32_gemm_v1_scalar)>& rung) {
  const std::int64_t M = state.range(0), N = state.range(1), K = state.range(2);
  static ThreadPool threads(available_threads());
  Random random(1);
  Matrix<float> X(M, K), W(N, K), Y(M, N);
  fill(X.view(), Values::kNormal, random);
  fill(W.view(), Values::kNormal, random);
  bench_call(state, rung.needs, gemm_cache(M), fp32_gemm_cost(M, N, K), threads,
             [&] { rung.run(X.view(), W.view(), Y.view(), threads); });
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  qlab::test::register_gemm("fp32_gemm", qlab::kFp32GemmRungs, qlab::test::bench_rung);
  return qlab::test::run_benches(argc, argv);
}
