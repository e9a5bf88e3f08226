// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of the rungs of w8a8_gemm on projections of a 7B model, from decode to a prompt.
#include <benchmark/benchmark.h>

#include <vector>

#include "02_int8_calibration/w8a8_gemm.h"
#include "common/matrix.h"
#include "common/random.h"
#include "support/bench.h"

namespace qlab::test {
namespace {

Matrix<std::int8_t> random_codes(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  Matrix<std::int8_t> codes(rows, cols);
  Random random(seed);
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    codes.data()[i] = static_cast<std::int8_t>(random.below(255) - 127);
  }
  return codes;
}

void bench_rung(benchmark::State& state, const Rung<decltype(w8a8_gemm_v1_scalar)>& rung) {
  const std::int64_t M = state.range(0), N = state.range(1), K = state.range(2);
  static ThreadPool threads(available_threads());
  const Matrix<std::int8_t> X = random_codes(M, K, 1), W = random_codes(N, K, 2);
  const std::vector<float> x_scale(static_cast<std::size_t>(M), 0.01F);
  const std::vector<float> w_scale(static_cast<std::size_t>(N), 0.01F);
  Matrix<float> Y(M, N);
  bench_call(state, rung.needs, gemm_cache(M), w8a8_gemm_cost(M, N, K), threads, [&] {
    rung.run({X.view(), x_scale.data()}, {W.view(), w_scale.data()}, Y.view(), threads);
  });
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  qlab::test::register_gemm("w8a8_gemm", qlab::kW8A8GemmRungs, qlab::test::bench_rung);
  return qlab::test::run_benches(argc, argv);
}
