// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of the rungs of w4a16_gemm on projections of a 7B model, from decode to a prompt.
#include <benchmark/benchmark.h>

#include <string>

#include "03_int4_weight_only/w4a16_gemm.h"
#include "support/bench.h"
#include "support/problems.h"

namespace qlab::test {
namespace {

constexpr std::int64_t kGroupSize = 128;

void bench_rung(benchmark::State& state, const Rung<decltype(w4a16_gemm_v1_scalar)>& rung) {
  const std::int64_t M = state.range(0), N = state.range(1), K = state.range(2);
  static ThreadPool threads(available_threads());
  Random random(1);
  Matrix<float> weight(N, K), Y(M, N);
  Matrix<half_t> X(M, K);
  fill(weight.view(), Values::kNormal, random);
  fill(X.view(), Values::kNormal, random);
  const Int4Matrix W = quantize_int4_rtn(weight.view(), kGroupSize);
  bench_call(state, rung.needs, gemm_cache(M), w4a16_gemm_cost(M, N, K, kGroupSize), threads,
             [&] { rung.run(X.view(), W.view(), Y.view(), threads); });
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  qlab::test::register_gemm("w4a16_gemm", qlab::kW4A16GemmRungs, qlab::test::bench_rung);
  return qlab::test::run_benches(argc, argv);
}
