// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of the rungs of fp16_gemm and bf16_gemm on projections of a 7B model, from decode to a
/// prompt; then of those over panels.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>

#include "01_fp16_baseline/fp16_gemm.h"
#include "01_fp16_baseline/fp16_panel_gemm.h"
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
  bench_call(state, rung.needs, gemm_cache(M), fp16_gemm_cost(M, N, K), threads,
             [&] { rung.run(X.view(), W.view(), Y.view(), threads); });
}

template <class T, class Run>
void bench_panel_rung(benchmark::State& state, const Rung<Run>& rung) {
  const std::int64_t M = state.range(0), N = state.range(1), K = state.range(2);
  static ThreadPool threads(available_threads());
  Random random(1);
  Matrix<T> X(M, K), rows(N, K);
  Matrix<float> Y(M, N);
  fill(X.view(), Values::kNormal, random);
  fill(rows.view(), Values::kNormal, random);
  const PanelMatrix<T> W = pack_panels<T>(rows.view());
  bench_call(state, rung.needs, gemm_cache(M), fp16_gemm_cost(M, N, K), threads,
             [&] { rung.run(X.view(), W.view(), Y.view(), threads); });
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  using namespace qlab;
  test::register_gemm("fp16_gemm", kFp16GemmRungs,
                      test::bench_rung<half_t, decltype(fp16_gemm_v1_scalar)>);
  test::register_gemm("bf16_gemm", kBf16GemmRungs,
                      test::bench_rung<bf16_t, decltype(bf16_gemm_v1_scalar)>);
  test::register_gemm("fp16_panel_gemm", kFp16PanelGemmRungs,
                      test::bench_panel_rung<half_t, decltype(fp16_panel_gemm_v1_scalar)>);
  test::register_gemm("bf16_panel_gemm", kBf16PanelGemmRungs,
                      test::bench_panel_rung<bf16_t, decltype(bf16_panel_gemm_v1_scalar)>);
  return test::run_benches(argc, argv);
}
