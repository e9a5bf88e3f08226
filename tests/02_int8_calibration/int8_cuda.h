// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of the INT8 CUDA exercises share: operands, their way to the device and back, and
/// the verdict on Y = x_scale ⊗ w_scale · (X · Wᵀ). The sum is exact, so the oracle w8a8_gemm_ref,
/// which golden files check, leaves a tolerance to the epilogue alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "01_fp16_baseline/fp16_cuda.h"
#include "02_int8_calibration/w8a8_gemm.h"

namespace qlab::test {

enum class Scales {
  kOne,          ///< Y is the sum itself
  kPowersOfTwo,  ///< neighbours differ: a scale in the wrong place shows, none rounds
  kAny,          ///< 0.001 … 1: the epilogue rounds
};

/// A case of one product: codes, a scale a row, and how far apart rows lie on the device.
struct Int8Product {
  Int8Product(const std::string& title, const GemmShape& s, std::int64_t gap = 0)
      : shape(s),
        stride((s.K + 3) / 4 * 4 + gap),
        x(s.M, s.K),
        w(s.N, s.K),
        x_scale(static_cast<std::size_t>(s.M), 1.0F),
        w_scale(static_cast<std::size_t>(s.N), 1.0F) {
    std::ostringstream text;
    text << '"' << title << "\": " << shape;
    if (gap != 0) text << ", rows " << stride << " bytes apart";
    name = text.str();
  }

  void fill_with_codes(Random& random) {
    for (const auto codes : {x.view(), w.view()}) {
      for (std::int64_t r = 0; r < codes.rows(); ++r) {
        for (std::int64_t k = 0; k < codes.cols(); ++k) {
          codes(r, k) = static_cast<std::int8_t>(random.below(256) - 128);
        }
      }
    }
  }

  void scale(Scales scales, Random& random) {
    exact = scales != Scales::kAny;
    int next = 0;
    for (std::vector<float>* const of_rows : {&x_scale, &w_scale}) {
      for (float& s : *of_rows) {
        if (scales == Scales::kOne) s = 1;
        if (scales == Scales::kPowersOfTwo) s = std::ldexp(1.0F, next++ % 11 - 6);
        if (scales == Scales::kAny) s = static_cast<float>(std::pow(10, random.uniform(-3, 0)));
      }
    }
  }

  GemmShape shape;
  std::int64_t stride;  ///< bytes from a row to the next on the device
  Matrix<std::int8_t> x, w;
  std::vector<float> x_scale, w_scale;
  bool exact = true;  ///< no scale rounds
  std::string name;
};

inline void fill_with(MatrixView<std::int8_t> out, int value) {
  for (std::int64_t r = 0; r < out.rows(); ++r) {
    for (std::int64_t k = 0; k < out.cols(); ++k) out(r, k) = static_cast<std::int8_t>(value);
  }
}

/// Element (r, k) tells its place: neighbours and rows differ, and nothing is symmetric.
inline void fill_with_places(MatrixView<std::int8_t> out) {
  for (std::int64_t r = 0; r < out.rows(); ++r) {
    for (std::int64_t k = 0; k < out.cols(); ++k) {
      out(r, k) = static_cast<std::int8_t>((31 * r + k) % 251 - 125);
    }
  }
}

inline void fill_with_identity(MatrixView<std::int8_t> out) {
  fill_with(out, 0);
  for (std::int64_t i = 0; i < std::min(out.rows(), out.cols()); ++i) out(i, i) = 1;
}

/// What lies between and behind rows. Codes have no NaN: a product of two of these is 7225.
inline constexpr std::int8_t kNotTheRows = 85;

inline simt::Buffer<std::int8_t> on_device(const Matrix<std::int8_t>& m, std::int64_t stride,
                                           Behind behind, const char* name) {
  constexpr std::int64_t kMargin = 8192;  // a tile's worth
  const std::int64_t size = m.view().rows() * stride + (behind == Behind::kNan ? kMargin : 0);
  std::vector<std::int8_t> bytes(static_cast<std::size_t>(size), kNotTheRows);
  for (std::int64_t r = 0; r < m.view().rows(); ++r) {
    std::copy_n(m.view().row(r), m.view().cols(), bytes.begin() + r * stride);
  }
  return simt::Buffer<std::int8_t>(bytes, name);
}

inline simt::Buffer<float> on_device(std::vector<float> scales, Behind behind, const char* name) {
  // No NaN here: what is computed with it and written outside of Y would look like Y's poison.
  constexpr std::size_t kMargin = 256;
  if (behind == Behind::kNan) scales.resize(scales.size() + kMargin, 1e30F);
  return simt::Buffer<float>(scales, name);
}

/// How an exercise is called: rows begin every `stride` bytes.
using Int8Gemm = void (*)(const std::int8_t* X, const float* x_scale, const std::int8_t* W,
                          const float* w_scale, float* Y, int M, int N, int K, int stride);

inline void run_into(float* y, Int8Gemm gemm, const Int8Product& p, Behind behind) {
  const simt::Buffer<std::int8_t> x = on_device(p.x, p.stride, behind, "X"),
                                  w = on_device(p.w, p.stride, behind, "W");
  const simt::Buffer<float> x_scale = on_device(p.x_scale, behind, "x_scale"),
                            w_scale = on_device(p.w_scale, behind, "w_scale");
  gemm(x.data(), x_scale.data(), w.data(), w_scale.data(), y, static_cast<int>(p.shape.M),
       static_cast<int>(p.shape.N), static_cast<int>(p.shape.K), static_cast<int>(p.stride));
}

inline Matrix<float> run(Int8Gemm gemm, const Int8Product& p, Behind behind) {
  DeviceOutput y(p.shape.M, p.shape.N);
  run_into(y.data(), gemm, p, behind);
  return y.fetch(p.name);
}

/// Runs the case and judges it against the oracle, rounded once as the contract's conversion does:
/// where no scale rounds that is the result, to the bit. Else three roundings, of 2⁻²⁴ each, and the
/// fourth that the contract leaves for their products.
inline void check(Int8Gemm gemm, const Int8Product& p, Behind behind = Behind::kNan) {
  Matrix<double> value(p.shape.M, p.shape.N);
  w8a8_gemm_ref({p.x.view(), p.x_scale.data()}, {p.w.view(), p.w_scale.data()}, value.view());
  if (p.exact) {
    for (std::int64_t m = 0; m < p.shape.M; ++m) {
      for (std::int64_t n = 0; n < p.shape.N; ++n) {
        value(m, n) = double{static_cast<float>(value(m, n))};
      }
    }
  }
  const Matrix<float> got = run(gemm, p, behind);
  judge({.name = p.name}, got.view(), value.view(),
        p.exact ? exactly() : relative(value.view(), 4 * 0x1p-24));
}

/// Computes the product in the middle of a sheet of -1 and judges the rows above and below it: what is
/// stored there is told like a wrong value, and compared with that of known mistakes.
inline void check_around(Int8Gemm gemm, const Int8Product& p) {
  constexpr std::int64_t kRows = 4;
  const std::int64_t M = p.shape.M, N = p.shape.N;
  simt::Buffer<float> sheet(
      std::vector<float>(static_cast<std::size_t>((M + 2 * kRows) * N), -1.0F), "the output");
  run_into(sheet.data() + kRows * N, gemm, p, Behind::kNan);
  const std::vector<float> all = sheet.to_host();
  Matrix<float> around(2 * kRows, N);
  std::copy_n(all.begin(), kRows * N, around.data());
  std::copy_n(all.end() - kRows * N, kRows * N, around.data() + kRows * N);
  Matrix<double> expected(2 * kRows, N);
  std::fill_n(expected.data(), 2 * kRows * N, -1.0);
  const auto place = [M](std::int64_t row, std::int64_t n) {
    const std::int64_t m = row < kRows ? row - kRows : M + row - kRows;
    return "row " + std::to_string(m) + ", column " + std::to_string(n) +
           ", but Y has the rows 0 to " + std::to_string(M - 1) + ", and around it lies -1";
  };
  judge({.name = p.name, .place = place}, around.view(), expected.view(), exactly());
}

/// A product of three of K, worked out by hand; K is 3, or more and filled up with zeros.
inline void check_paper_and_pencil(Int8Gemm gemm, std::int64_t K) {
  constexpr int kX[2][3] = {{1, 2, 3}, {-4, 5, -128}};
  constexpr int kW[4][3] = {{1, 0, 0}, {0, 0, -1}, {1, 1, 1}, {100, -8, 2}};
  constexpr float kXScale[2] = {0.5F, 2}, kWScale[4] = {1, 4, 0.25F, 1};
  // The sums are 1, -3, 6, 90 and -4, 128, -127, -696.
  constexpr double kY[2][4] = {{0.5, -6, 0.75, 45}, {-8, 1024, -63.5, -1392}};
  Int8Product p("paper and pencil, zeros from k = 3 on", {2, 4, K});
  Matrix<double> expected(2, 4);
  for (std::int64_t m = 0; m < 2; ++m) {
    p.x_scale[static_cast<std::size_t>(m)] = kXScale[m];
    for (std::int64_t k = 0; k < 3; ++k) p.x(m, k) = static_cast<std::int8_t>(kX[m][k]);
    for (std::int64_t n = 0; n < 4; ++n) expected(m, n) = kY[m][n];
  }
  for (std::int64_t n = 0; n < 4; ++n) {
    p.w_scale[static_cast<std::size_t>(n)] = kWScale[n];
    for (std::int64_t k = 0; k < 3; ++k) p.w(n, k) = static_cast<std::int8_t>(kW[n][k]);
  }
  judge({.name = p.name}, run(gemm, p, Behind::kNan).view(), expected.view(), exactly());
}

/// Sums of 1, every row and column with a scale of its own.
inline void check_scales(Int8Gemm gemm, const GemmShape& shape) {
  Int8Product p("every sum is 1, Y[m, n] is x_scale[m] · w_scale[n]", shape);
  for (std::int64_t m = 0; m < shape.M; ++m) p.x(m, 0) = 1;
  for (std::int64_t n = 0; n < shape.N; ++n) p.w(n, 0) = 1;
  Random random(1);
  p.scale(Scales::kPowersOfTwo, random);
  check(gemm, p);
}

/// Random codes on all shapes and scales, under the first schedules of the CPU.
inline void check_codes(Int8Gemm gemm, const std::vector<GemmShape>& shapes, std::uint64_t seed) {
  simt::for_each_schedule(2, [&] {
    Random random(seed);
    for (const Scales scales : {Scales::kOne, Scales::kPowersOfTwo, Scales::kAny}) {
      for (const GemmShape& shape : shapes) {
        Int8Product p("random codes", shape);
        p.fill_with_codes(random);
        p.scale(scales, random);
        check(gemm, p);
        if (testing::Test::HasFailure()) return;  // one is enough to read
      }
    }
  });
}

}  // namespace qlab::test
