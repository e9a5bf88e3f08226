// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of the exercise w8a8_gemm beside the plain loops and the best rung, on one thread and the
/// projections of a 7B model.
#include <benchmark/benchmark.h>

#include "02_int8_calibration/w8a8_gemm.h"
#include "02_int8_calibration/w8a8_problem.h"
#include "common/matrix.h"
#include "support/bench.h"

namespace qlab::test {
namespace {

using Run = decltype(w8a8_gemm_v1_scalar);

void solution(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y, ThreadPool&) {
  exercise::w8a8_gemm(X, W, Y);
}
void best(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y, ThreadPool& threads) {
  w8a8_gemm(X, W, Y, {threads});
}

constexpr Rung<Run> kRungs[] = {
    {.name = "v1_scalar", .run = w8a8_gemm_v1_scalar, .needs = Isa::kScalar},
    {.name = "exercise", .run = solution, .needs = Isa::kScalar},
    {.name = "best rung", .run = best, .needs = Isa::kScalar},
};

void bench_rung(benchmark::State& state, const Rung<Run>& rung) {
  const std::int64_t M = state.range(0), N = state.range(1), K = state.range(2);
  static ThreadPool one_thread(1);
  Random random(1);
  W8A8Problem problem({M, N, K});
  problem.fill_with_all_codes(random);
  problem.set_zero_points({-37, 0, 127, -128, 5});
  Matrix<float> Y(M, N);
  bench_call(state, rung.needs, gemm_cache(M), w8a8_gemm_cost(M, N, K), one_thread,
             [&] { rung.run(problem.X(), problem.W(), Y.view(), one_thread); });
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  qlab::test::register_gemm("w8a8_gemm", qlab::test::kRungs, qlab::test::bench_rung);
  return qlab::test::run_benches(argc, argv);
}
