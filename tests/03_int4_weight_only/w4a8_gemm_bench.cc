// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of the rungs of w4a8_gemm on projections of a 7B model, from decode to a prompt.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "03_int4_weight_only/w4a8_gemm.h"
#include "common/matrix.h"
#include "common/random.h"
#include "support/bench.h"
#include "support/problems.h"

namespace qlab::test {
namespace {

template <std::int64_t kGroupSize>
void bench_rung(benchmark::State& state, const Rung<decltype(w4a8_gemm_v1_scalar)>& rung) {
  const std::int64_t M = state.range(0), N = state.range(1), K = state.range(2);
  static ThreadPool threads(available_threads());
  Random random(1);
  Matrix<float> weight(N, K), Y(M, N);
  Matrix<std::int8_t> X(M, K);
  fill(weight.view(), Values::kNormal, random);
  for (std::int64_t i = 0; i < M * K; ++i) {
    X.data()[i] = static_cast<std::int8_t>(random.below(255) - 127);
  }
  const std::vector<float> x_scale(static_cast<std::size_t>(M), 0.01F);
  const Int4PanelMatrix W = pack_panels(quantize_int4_rtn(weight.view(), kGroupSize).view());
  bench_call(state, rung.needs, gemm_cache(M), w4a8_gemm_cost(M, N, K, kGroupSize), threads, [&] {
    rung.run({X.view(), x_scale.data()}, W.view(), Y.view(), threads);
  });
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  qlab::test::register_gemm("w4a8_gemm_g128", qlab::kW4A8GemmRungs, qlab::test::bench_rung<128>);
  qlab::test::register_gemm("w4a8_gemm_g32", qlab::kW4A8GemmRungs, qlab::test::bench_rung<32>);
  return qlab::test::run_benches(argc, argv);
}
