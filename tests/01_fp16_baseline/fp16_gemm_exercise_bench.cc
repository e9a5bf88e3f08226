// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of the exercise fp16_gemm beside the plain loops, on one thread and the projections of a 7B
/// model.
#include <benchmark/benchmark.h>

#include "01_fp16_baseline/fp16_gemm.h"
#include "common/matrix.h"
#include "support/bench.h"
#include "support/problems.h"

namespace qlab::test {
namespace {

using Run = decltype(fp16_gemm_v1_scalar);

void solution(MatrixView<const half_t> X, MatrixView<const half_t> W, MatrixView<float> Y,
              ThreadPool&) {
  exercise::fp16_gemm(X, W, Y);
}

constexpr Rung<Run> kRungs[] = {
    {.name = "v1_scalar", .run = fp16_gemm_v1_scalar, .needs = Isa::kScalar},
    {.name = "exercise", .run = solution, .needs = Isa::kScalar},
};

void bench_rung(benchmark::State& state, const Rung<Run>& rung) {
  const std::int64_t M = state.range(0), N = state.range(1), K = state.range(2);
  static ThreadPool one_thread(1);
  Random random(1);
  Matrix<half_t> X(M, K), W(N, K);
  Matrix<float> Y(M, N);
  fill(X.view(), Values::kNormal, random);
  fill(W.view(), Values::kNormal, random);
  bench_call(state, rung.needs, gemm_cache(M), fp16_gemm_cost(M, N, K), one_thread,
             [&] { rung.run(X.view(), W.view(), Y.view(), one_thread); });
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  qlab::test::register_gemm("fp16_gemm", qlab::test::kRungs, qlab::test::bench_rung);
  return qlab::test::run_benches(argc, argv);
}
