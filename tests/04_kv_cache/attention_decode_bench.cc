// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of attention_decode: a decode step of a 7B model at context 4096, and a prompt of the
/// lab's own model, in each format of the cache.
#include <benchmark/benchmark.h>

#include <string>

#include "04_kv_cache/attention_decode.h"
#include "common/matrix.h"
#include "common/random.h"
#include "support/bench.h"

namespace qlab::test {
namespace {

Matrix<float> random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  Matrix<float> matrix(rows, cols);
  Random random(seed);
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    matrix.data()[i] = static_cast<float>(random.uniform(-1, 1));
  }
  return matrix;
}

void bench_rung(benchmark::State& state, const Rung<decltype(attention_decode_v1_scalar)>& rung,
                KvFormat format) {
  const std::int64_t M = state.range(0), n_heads = state.range(1), n_kv_heads = state.range(2);
  const std::int64_t head_dim = state.range(3), length = state.range(4);
  static ThreadPool threads(available_threads());
  KvCache cache(format, /*n_layers=*/1, n_kv_heads, head_dim, length);
  cache.append(0, random_matrix(length, n_kv_heads * head_dim, 1).view(),
               random_matrix(length, n_kv_heads * head_dim, 2).view());
  const Matrix<float> q = random_matrix(M, n_heads * head_dim, 3);
  Matrix<float> out(M, n_heads * head_dim);
  Cost cost = attention_decode_cost(format, M, n_heads, n_kv_heads, head_dim, length);
  if (M > 1) cost.flops /= 2;  // the cost counts every query and token; a prompt looks at half
  bench_call(state, rung.needs, M == 1 ? Cache::kCold : Cache::kWarm, cost, threads,
             [&] { rung.run(q.view(), cache.layer(0), out.view(), threads); });
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  for (const auto& rung : qlab::kAttentionDecodeRungs) {
    for (const qlab::KvFormat format : qlab::kKvFormats) {
      const std::string name =
          "attention_decode/" + std::string(rung.name) + "/" + std::string(kv_format_name(format));
      benchmark::RegisterBenchmark(name.c_str(), qlab::test::bench_rung, rung, format)
          ->ArgNames({"M", "heads", "kv_heads", "head_dim", "context"})
          ->Args({1, 32, 32, 128, 4096})
          ->Args({1, 32, 8, 128, 4096})
          ->Args({qlab::KvFormats(format).window() ? 32 : 1024, 4, 2, 64, 1024})
          ->Unit(benchmark::kMillisecond)
          ->UseManualTime();
    }
  }
  return qlab::test::run_benches(argc, argv);
}
