// SPDX-License-Identifier: Apache-2.0
/// \file
/// The two example kernels against definitions in double, on CPU and GPU.
#include <cmath>

#include "simt/fp16_gemm_mma.h"
#include "simt/on_device.h"
#include "simt/w4a16_gemv.h"

namespace qlab::test {
namespace {

struct W4A16Gemv : OnDevice {};
struct Fp16GemmMma : OnDevice {};

TEST_F(W4A16Gemv, MatchesTheDefinition) {
  constexpr int kN = 37, kK = 2048;  // N is no multiple of the warps
  const auto qweight = random_words(kN * kK / 8, 21);
  const auto x = random_halves(kK, 22);
  const auto scale = random_halves(kN * kK / kGroupSize, 23);
  simt::Buffer<std::uint32_t> dq(qweight, "qweight");
  simt::Buffer<half> ds(scale, "scale"), dx(x, "x");
  simt::for_each_schedule(3, [&] {
    simt::Buffer<float> dy(kN, "y");
    launch_w4a16_gemv(3, 128, dq.data(), ds.data(), dx.data(), dy.data(), kN, kK);
    const auto y = dy.to_host();
    for (int n = 0; n < kN; ++n) {
      double exact = 0, magnitude = 0;
      for (int k = 0; k < kK; ++k) {
        const std::size_t i = static_cast<std::size_t>(n) * kK + k;
        const int code = static_cast<int>(qweight[i / 8] >> (4 * (k % 8)) & 15);
        const double term = static_cast<double>(__half2float(scale[i / kGroupSize])) * (code - 8) *
                            __half2float(x[k]);
        exact += term;
        magnitude += std::abs(term);
      }
      // Each lane sums K/32 terms one after the other, then a tree of five.
      ASSERT_LE(std::abs(y[n] - exact), magnitude * (kK / 32 + 7) * 0x1p-24) << n;
    }
  });
}

TEST_F(Fp16GemmMma, MatchesTheDefinition) {
  constexpr int kM = 64, kN = 128, kK = 96;
  const auto a = random_halves(kM * kK, 31), b = random_halves(kK * kN, 32);
  simt::Buffer<half> da(a, "A"), db(b, "B");
  simt::for_each_schedule(4, [&] {
    simt::Buffer<float> dc(kM * kN, "C");
    launch_fp16_gemm_mma(da.data(), db.data(), dc.data(), kM, kN, kK);
    const auto c = dc.to_host();
    for (int m = 0; m < kM; ++m) {
      for (int n = 0; n < kN; ++n) {
        double exact = 0, magnitude = 0;
        for (int k = 0; k < kK; ++k) {
          const double term =
              static_cast<double>(__half2float(a[m * kK + k])) * __half2float(b[k * kN + n]);
          exact += term;
          magnitude += std::abs(term);
        }
        ASSERT_LE(std::abs(c[m * kN + n] - exact), magnitude * (kK / 16) * 0x1p-21)
            << m << ' ' << n;
      }
    }
  });
}

}  // namespace
}  // namespace qlab::test
