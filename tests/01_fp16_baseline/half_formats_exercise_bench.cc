// SPDX-License-Identifier: Apache-2.0
/// \file
/// Speed of the conversions of the exercise half_formats beside those of common/formats.h, which a
/// compiler can vectorize, on a weight matrix of a 7B model.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <type_traits>

#include "01_fp16_baseline/half_formats.h"
#include "common/matrix.h"
#include "support/bench.h"
#include "support/problems.h"

namespace qlab::test {
namespace {

constexpr std::int64_t kRows = 4096, kCols = 4096;

/// Converts every element; what comes and what goes differ in type.
template <class From, class To, class Convert>
void bench_conversion(benchmark::State& state, Convert convert) {
  static ThreadPool one_thread(1);
  Random random(1);
  Matrix<From> in(kRows, kCols);
  Matrix<To> out(kRows, kCols);
  for (std::int64_t i = 0; i < kRows * kCols; ++i) {
    const auto value = static_cast<float>(0.02 * random.normal());  // as a layer's weights
    if constexpr (std::is_same_v<From, float>) {
      in.data()[i] = value;
    } else {
      in.data()[i] = from_float<From>(value);
    }
  }
  bench_call(state, Isa::kScalar, Cache::kWarm, half_formats_cost(kRows * kCols), one_thread, [&] {
    for (std::int64_t i = 0; i < kRows * kCols; ++i) out.data()[i] = convert(in.data()[i]);
  });
}

template <class From, class To, class Convert>
void register_conversion(const std::string& name, Convert convert) {
  benchmark::RegisterBenchmark(name.c_str(), bench_conversion<From, To, Convert>, convert)
      ->Unit(benchmark::kMillisecond)
      ->UseManualTime();
}

}  // namespace
}  // namespace qlab::test

int main(int argc, char** argv) {
  using namespace qlab;
  // Lambdas: through a pointer the compiler would not see what it calls.
  test::register_conversion<float, half_t>("half_from_float/exercise",
                                           [](float x) { return exercise::half_from_float(x); });
  test::register_conversion<float, half_t>("half_from_float/common",
                                           [](float x) { return from_float<half_t>(x); });
  test::register_conversion<float, bf16_t>("bf16_from_float/exercise",
                                           [](float x) { return exercise::bf16_from_float(x); });
  test::register_conversion<float, bf16_t>("bf16_from_float/common",
                                           [](float x) { return from_float<bf16_t>(x); });
  test::register_conversion<half_t, float>("float_from_half/exercise",
                                           [](half_t x) { return exercise::float_from_half(x); });
  test::register_conversion<half_t, float>("float_from_half/common",
                                           [](half_t x) { return to_float(x); });
  return test::run_benches(argc, argv);
}
