// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_rows_cuda gives the codes and scales of quantize_rows' oracle, bit for bit. The same
/// source tests the CPU's execution and the GPU's.
#include "02_int8_calibration/quantize_rows_cuda.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "02_int8_calibration/quantize_rows.h"
#include "common/matrix.h"
#include "common/random.h"
#include "simt/on_device.h"

namespace qlab::test {
namespace {

constexpr std::size_t kGuard = 64;  // bytes before and after the codes, floats around the scales

struct Quantized {
  std::vector<std::int8_t> codes;
  std::vector<float> scale;
};

/// The kernel's result from operands that end where their memory ends. What lies around the outputs
/// must stay; an element that was never written keeps `poison`.
Quantized quantize(const std::vector<half>& x, int M, int K, std::int8_t poison) {
  const simt::Buffer<half> X(x, "X");
  const std::vector<std::int8_t> codes_before(x.size() + 2 * kGuard, poison);
  const std::vector<float> scale_before(static_cast<std::size_t>(M) + 2 * kGuard, poison);
  simt::Buffer<std::int8_t> codes(codes_before, "codes");
  simt::Buffer<float> scale(scale_before, "scale");
  quantize_rows_cuda(X.data(), codes.data() + kGuard, scale.data() + kGuard, M, K, {});
#if defined(__CUDACC__)
  simt::check(cudaDeviceSynchronize(), "kernel");
#endif
  const auto inner = [](auto all, const auto& before) {
    for (std::size_t i = 0; i < kGuard; ++i) {
      EXPECT_EQ(all[i], before[i]) << "written before the output";
      EXPECT_EQ(all[all.size() - 1 - i], before[i]) << "written past the output";
    }
    all.erase(all.end() - kGuard, all.end());
    all.erase(all.begin(), all.begin() + kGuard);
    return all;
  };
  return {inner(codes.to_host(), codes_before), inner(scale.to_host(), scale_before)};
}

/// Twice, over different poison.
void expect_the_oracle(const std::vector<half>& x, int M, int K) {
  Matrix<float> wide(M, K);
  for (std::size_t i = 0; i < x.size(); ++i) wide.data()[i] = __half2float(x[i]);
  Matrix<std::int8_t> codes(M, K);
  std::vector<float> scale(static_cast<std::size_t>(M));
  quantize_rows_ref(wide.view(), Granularity::kPerRow, codes.view(), scale.data());
  const std::vector<std::int8_t> expected(codes.data(), codes.data() + x.size());
  for (const std::int8_t poison : {std::int8_t{-91}, std::int8_t{90}}) {
    const Quantized got = quantize(x, M, K, poison);
    EXPECT_EQ(got.scale, scale);
    EXPECT_EQ(got.codes, expected);
  }
}

std::vector<half> normal(int M, int K, double largest) {
  Random random(static_cast<std::uint64_t>(M) * 1000 + static_cast<std::uint64_t>(K));
  std::vector<half> x(static_cast<std::size_t>(M) * static_cast<std::size_t>(K));
  for (half& v : x) v = __float2half_rn(static_cast<float>(random.uniform(-largest, largest)));
  return x;
}

struct QuantizeRowsCuda : OnDevice {};

TEST_F(QuantizeRowsCuda, RoundsTiesToEven) {
  // The scale is 127 · 2⁻³ / 127: the quotients are n + ½, and ± 127.
  std::vector<half> x;
  for (const float v : {15.875F, -15.875F, 0.0625F, 0.1875F, -0.0625F, -0.1875F, 0.3125F, 0.0F}) {
    x.push_back(__float2half_rn(v));
  }
  const Quantized got = quantize(x, 1, 8, 0);
  EXPECT_EQ(got.scale, std::vector<float>({0.125F}));
  EXPECT_EQ(got.codes, std::vector<std::int8_t>({127, -127, 0, 2, 0, -2, 2, 0}));
  expect_the_oracle(x, 1, 8);
}

TEST_F(QuantizeRowsCuda, TakesRowsOfAnyLength) {
  expect_the_oracle(normal(1, 8, 1), 1, 8);
  expect_the_oracle(normal(5, 264, 100), 5, 264);
  expect_the_oracle(normal(3, 2056, 1e-3), 3, 2056);  // one piece more than a block has threads
}

TEST_F(QuantizeRowsCuda, FindsTheLargestValueWhereverItIs) {
  constexpr int kRows = 9, kCols = 2312;  // 289 pieces: 33 threads have two
  std::vector<half> x = normal(kRows, kCols, 1);
  for (int m = 0; m < kRows; ++m) {
    const int k = m == 0 ? 0 : m == 1 ? kCols - 1 : m * 281 % kCols;
    x[static_cast<std::size_t>(m) * kCols + k] = __float2half_rn(m % 2 == 0 ? 60 : -60);
  }
  expect_the_oracle(x, kRows, kCols);
}

TEST_F(QuantizeRowsCuda, ScalesZerosAndTheSmallestAndLargestHalves) {
  std::vector<half> x(4 * 16, __float2half_rn(0));
  for (std::size_t k = 0; k < 16; ++k) {
    x[16 + k] = __ushort_as_half(0x8000);                              // -0
    x[32 + k] = __ushort_as_half(static_cast<unsigned short>(k % 4));  // subnormal: up to 3 · 2⁻²⁴
    x[48 + k] = __float2half_rn(k % 2 == 0 ? 65504.0F : -65504.0F / 2);  // the largest
  }
  expect_the_oracle(x, 4, 16);
}

TEST_F(QuantizeRowsCuda, ShowsInTheScaleWhatIsNotFinite) {
  std::vector<half> x = normal(3, 32, 1);
  x[7] = __ushort_as_half(0x7C00);   // infinity in row 0
  x[39] = __ushort_as_half(0xFE00);  // NaN, with a sign, in row 1
  const Quantized got = quantize(x, 3, 32, 90);
  EXPECT_TRUE(std::isinf(got.scale[0])) << got.scale[0];
  EXPECT_TRUE(std::isnan(got.scale[1])) << got.scale[1];
  EXPECT_TRUE(std::isfinite(got.scale[2])) << got.scale[2];
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(got.codes[i], 0) << i;
}

TEST_F(QuantizeRowsCuda, RefusesWhatItCannotRead) {
  const auto run = [](int M, int K) {
    return [M, K] { quantize_rows_cuda(nullptr, nullptr, nullptr, M, K, {}); };
  };
  EXPECT_THAT(run(0, 8), testing::ThrowsMessage<ContractError>(testing::HasSubstr("M=0")));
  EXPECT_THAT(run(1, 12),
              testing::ThrowsMessage<ContractError>(testing::HasSubstr("a multiple of 8")));
}

#if defined(__CUDACC__)
TEST_F(QuantizeRowsCuda, TakesALayer) { expect_the_oracle(normal(64, 28672, 4), 64, 28672); }
#endif

}  // namespace
}  // namespace qlab::test
