// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of the FP16 CUDA exercises share: operands, their way to the device and back, and the
/// verdict on Y = X · Wᵀ. The same source tests the CPU's execution and the GPU's.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <sstream>
#include <string>
#include <vector>

#include "01_fp16_baseline/fp16_gemm.h"
#include "common/matrix.h"
#include "support/cuda_exercise.h"
#include "support/exercise.h"
#include "support/problems.h"
#include "support/seed.h"

namespace qlab::test {

/// A case of one product. A vector is a matrix of one row.
struct Product {
  explicit Product(const std::string& title, const GemmShape& s)
      : shape(s), x(s.M, s.K), w(s.N, s.K) {
    std::ostringstream text;
    text << '"' << title << "\": " << shape;
    name = text.str();
  }
  Product(const std::string& title, const GemmShape& s, Values values, Random& random)
      : Product(title, s) {
    fill(x.view(), values, random);
    fill(w.view(), values, random);
  }

  GemmShape shape;
  Matrix<half_t> x, w;
  std::string name;
};

/// Element (n, k) tells its place: neighbours and rows differ, and nothing is symmetric.
inline void fill_with_places(MatrixView<half_t> out) {
  for (std::int64_t r = 0; r < out.rows(); ++r) {
    for (std::int64_t c = 0; c < out.cols(); ++c) {
      out(r, c) = element<half_t>(static_cast<double>((31 * r + c) % 251 - 125));
    }
  }
}

inline void fill_with(MatrixView<half_t> out, double value) {
  for (std::int64_t r = 0; r < out.rows(); ++r) {
    for (std::int64_t c = 0; c < out.cols(); ++c) out(r, c) = element<half_t>(value);
  }
}

inline simt::Buffer<half> on_device(const Matrix<half_t>& m, Behind behind, const char* name) {
  constexpr std::size_t kMargin = 4096;  // a tile's worth
  const std::size_t size = m.bytes() / sizeof(half_t);
  std::vector<half> values(size + (behind == Behind::kNan ? kMargin : 0), __ushort_as_half(0x7FFF));
  for (std::size_t i = 0; i < size; ++i) values[i] = __ushort_as_half(m.data()[i].bits);
  return simt::Buffer<half>(values, name);
}

/// How an exercise is called, and the allowed error of its inexact cases.
struct Operation {
  void (*launch)(const half* X, const half* W, float* Y, int M, int N, int K);
  Tolerance (*allowed)(MatrixView<const double> abs_sum, std::int64_t K);
};

inline Matrix<float> run(const Operation& operation, const Product& p, Behind behind) {
  const simt::Buffer<half> x = on_device(p.x, behind, "X"), w = on_device(p.w, behind, "W");
  DeviceOutput y(p.shape.M, p.shape.N);
  operation.launch(x.data(), w.data(), y.data(), static_cast<int>(p.shape.M),
                   static_cast<int>(p.shape.N), static_cast<int>(p.shape.K));
  return y.fetch(p.name);
}

/// Runs the case and judges it against the oracle; `exact` where every sum is exact in any order.
inline void check(const Operation& operation, const Product& p, bool exact,
                  Behind behind = Behind::kNan) {
  Matrix<double> value(p.shape.M, p.shape.N), abs_sum(p.shape.M, p.shape.N);
  fp16_gemm_ref(p.x.view(), p.w.view(), value.view(), abs_sum.view());
  const Matrix<float> got = run(operation, p, behind);
  judge({.name = p.name}, got.view(), value.view(),
        exact ? exactly() : operation.allowed(abs_sum.view(), p.shape.K));
}

/// A product of three of K, worked out by hand; K is 3, or more and filled up with zeros.
inline void check_paper_and_pencil(const Operation& operation, std::int64_t K) {
  constexpr double kX[2][3] = {{1, 2, 3}, {-4, 5, 0.5}};
  constexpr double kW[4][3] = {{1, 0, 0}, {0, 0, -1}, {1, 1, 1}, {0.25, -8, 2}};
  constexpr double kY[2][4] = {{1, -3, 6, -9.75}, {-4, -0.5, 1.5, -40}};
  Product p("paper and pencil, zeros from k = 3 on", {2, 4, K});
  Matrix<double> expected(2, 4);
  for (std::int64_t m = 0; m < 2; ++m) {
    for (std::int64_t k = 0; k < 3; ++k) p.x(m, k) = element<half_t>(kX[m][k]);
    for (std::int64_t n = 0; n < 4; ++n) expected(m, n) = kY[m][n];
  }
  for (std::int64_t n = 0; n < 4; ++n) {
    for (std::int64_t k = 0; k < 3; ++k) p.w(n, k) = element<half_t>(kW[n][k]);
  }
  judge({.name = p.name}, run(operation, p, Behind::kNan).view(), expected.view(), exactly());
}

/// Steps of K that differ, under several schedules of the CPU: what another step or another thread
/// left behind in a tile gives another sum.
inline void check_steps_of_k(const Operation& operation) {
  simt::for_each_schedule(4, [&] {
    if (testing::Test::HasFailure()) return;  // one is enough to read
    Product p("every 32 of K are one more than the last", {20, 24, 128});
    for (std::int64_t k = 0; k < 128; ++k) {
      for (std::int64_t m = 0; m < 20; ++m) {
        p.x(m, k) = element<half_t>(static_cast<double>(k / 32 + 1));
      }
      for (std::int64_t n = 0; n < 24; ++n) {
        p.w(n, k) = element<half_t>(static_cast<double>(n % 7 + k % 3 - 4));
      }
    }
    check(operation, p, /*exact=*/true);
  });
}

/// All kinds of values on all shapes, under the first schedules of the CPU.
inline void check_kinds(const Operation& operation, const std::vector<GemmShape>& shapes,
                        std::uint64_t seed) {
  simt::for_each_schedule(2, [&] {
    Random random(seed);
    for (const NamedValues& kind : kAllValues) {
      for (const GemmShape& shape : shapes) {
        check(operation, Product(std::string(kind.name), shape, kind.values, random), kind.exact);
        if (testing::Test::HasFailure()) return;  // one is enough to read
      }
    }
  });
}

}  // namespace qlab::test
