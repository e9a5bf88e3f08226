// SPDX-License-Identifier: Apache-2.0
/// \file
/// The operands of w4a8_gemm that its tests use, the shapes that they take, and what must come out.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <ostream>
#include <vector>

#include "03_int4_weight_only/w4a8_gemm.h"
#include "support/compare.h"
#include "support/guarded.h"
#include "support/problems.h"

namespace qlab::test {

using W4A8Run = decltype(w4a8_gemm_v1_scalar);

struct W4A8Shape {
  GemmShape sides;
  std::int64_t group_size;

  friend std::ostream& operator<<(std::ostream& out, const W4A8Shape& shape) {
    return out << shape.sides << " group_size=" << shape.group_size;
  }
};

/// kGemmShapes and the ends of this ladder's blocks (4, 12 and 96 rows of X, 32 and 64 columns),
/// with groups that start within a byte, that end within a chunk of 8, that do not divide K, that
/// are longer than what is unpacked ahead (256), and that hold a whole row.
inline std::vector<W4A8Shape> w4a8_shapes() {
  std::vector<GemmShape> sides(std::begin(kGemmShapes), std::end(kGemmShapes));
  sides.insert(sides.end(), {{4, 33, 520}, {12, 32, 97}, {13, 31, 511}, {97, 65, 300}});
  std::vector<W4A8Shape> all;
  for (const GemmShape& side : sides) {
    for (const std::int64_t group_size : {1, 5, 8, 32, 37, 128, 257, 5000}) {
      all.push_back({side, group_size});
    }
  }
  return all;
}

/// The operands of one call; those that a rung reads in rows have gaps between them.
struct W4A8Problem {
  explicit W4A8Problem(const W4A8Shape& s)
      : shape(s),
        x(s.sides.M, s.sides.K),
        x_scale(static_cast<std::size_t>(s.sides.M)),
        weight(s.sides.N, s.sides.K, s.group_size) {
    // Zero points, and powers of two as scales, that differ between neighbours in all directions.
    for (std::int64_t m = 0; m < s.sides.M; ++m) {
      x_scale[static_cast<std::size_t>(m)] = 0x1p-3F * static_cast<float>(1 << m % 5);
    }
    for (std::int64_t n = 0; n < s.sides.N; ++n) {
      for (std::int64_t g = 0; g < weight.scale.cols(); ++g) {
        weight.scale(n, g) = element<half_t>(0.25 * static_cast<double>(1 << (3 * n + g) % 4));
        weight.zero_point(n, g) = static_cast<std::uint8_t>((5 * n + 7 * g) % 16);
      }
    }
  }

  void set_x(std::int64_t m, std::int64_t k, int code) {
    x.view()(m, k) = static_cast<std::int8_t>(code);
  }
  void set_w(std::int64_t n, std::int64_t k, int code) {
    std::uint8_t& two = weight.qweight(n, k / 2);
    const int shift = static_cast<int>(k % 2) * 4;
    two = static_cast<std::uint8_t>((two & ~(kInt4Max << shift)) | code << shift);
  }
  void set_all(int x_code, int w_code, int zero_point) {
    for (std::int64_t k = 0; k < shape.sides.K; ++k) {
      for (std::int64_t m = 0; m < shape.sides.M; ++m) set_x(m, k, x_code);
      for (std::int64_t n = 0; n < shape.sides.N; ++n) set_w(n, k, w_code);
    }
    for (std::int64_t i = 0; i < weight.zero_point.rows() * weight.zero_point.cols(); ++i) {
      weight.zero_point.data()[i] = static_cast<std::uint8_t>(zero_point);
    }
  }
  /// Any code of X and any byte of W; for an odd K the last byte holds a nibble that is no code.
  void fill_codes(Random& random) {
    for (std::int64_t m = 0; m < shape.sides.M; ++m) {
      for (std::int64_t k = 0; k < shape.sides.K; ++k) {
        set_x(m, k, static_cast<int>(random.below(256)) - 128);
      }
    }
    for (std::int64_t i = 0; i < weight.qweight.rows() * weight.qweight.cols(); ++i) {
      weight.qweight.data()[i] = static_cast<std::uint8_t>(random.below(256));
    }
  }
  void fill_scales(Random& random) {
    for (float& scale : x_scale) scale = static_cast<float>(std::exp2(random.uniform(-12, 3)));
    for (std::int64_t i = 0; i < weight.scale.rows() * weight.scale.cols(); ++i) {
      weight.scale.data()[i] = element<half_t>(std::exp2(random.uniform(-12, 0)));
    }
  }

  Int8Rows X() const { return {x.view(), x_scale.data()}; }

  Guarded<float> run(W4A8Run* rung, int threads = 1, unsigned char poison = 0xFF) const {
    const Int4PanelMatrix packed = pack_panels(weight.view());
    Guarded<float> y(shape.sides.M, shape.sides.N, poison);
    ThreadPool pool(threads);
    rung(X(), packed.view(), y.view(), pool);
    return y;
  }

  testing::AssertionResult matches_oracle(W4A8Run* rung, bool exact) const {
    Matrix<double> value(shape.sides.M, shape.sides.N), abs_sum(shape.sides.M, shape.sides.N);
    w4a8_gemm_ref(X(), weight.view(), value.view(), abs_sum.view());
    return matches(
        run(rung).view(), value.view(),
        exact ? exactly() : dot_product(abs_sum.view(), weight.scale.cols(), 2 * 0x1p-24));
  }

  /// Bit for bit what the contract says of FP32, from the unpacked weights.
  testing::AssertionResult equals_the_definition(W4A8Run* rung) const {
    Matrix<double> expected(shape.sides.M, shape.sides.N);
    for (std::int64_t m = 0; m < shape.sides.M; ++m) {
      for (std::int64_t n = 0; n < shape.sides.N; ++n) {
        float total = 0;
        for (std::int64_t g = 0; g < weight.scale.cols(); ++g) {
          const float sum = static_cast<float>(group_sum(m, n, g));
          total = std::fma(sum, to_float(weight.scale(n, g)), total);
        }
        expected(m, n) = double{x_scale[static_cast<std::size_t>(m)] * total};
      }
    }
    return matches(run(rung).view(), expected.view(), exactly());
  }

  std::int64_t group_sum(std::int64_t m, std::int64_t n, std::int64_t g) const {
    std::int64_t sum = 0;
    const std::int64_t first = g * shape.group_size;
    const std::int64_t length = std::min(shape.group_size, shape.sides.K - first);
    for (std::int64_t k = first; k < first + length; ++k) {
      sum += x.view()(m, k) * (weight.view().code(n, k) - weight.zero_point(n, g));
    }
    return sum;
  }

  W4A8Shape shape;
  Operand<std::int8_t> x;
  std::vector<float> x_scale;
  Int4Matrix weight;
};

inline W4A8Problem random_w4a8_problem(const W4A8Shape& shape, Random& random) {
  W4A8Problem problem(shape);
  problem.fill_codes(random);
  problem.fill_scales(random);
  return problem;
}

}  // namespace qlab::test
