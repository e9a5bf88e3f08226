// SPDX-License-Identifier: Apache-2.0
/// \file
/// The operands of w4a16_gemm that its tests use, and the shapes that they take.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <ostream>
#include <vector>

#include "03_int4_weight_only/w4a16_gemm.h"
#include "support/compare.h"
#include "support/guarded.h"
#include "support/problems.h"

namespace qlab::test {

using W4A16Run = decltype(w4a16_gemm_v1_scalar);

struct W4A16Shape {
  GemmShape sides;
  std::int64_t group_size;

  friend std::ostream& operator<<(std::ostream& out, const W4A16Shape& shape) {
    return out << shape.sides << " group_size=" << shape.group_size;
  }
};

/// kGemmShapes and the ends of the ladders' blocks (4 rows of X, 32 and 48 columns, 512 and 4096 of
/// K; of panels 12, 16, 96 and 128 rows), with groups that start within a byte, that end within a chunk of 32 codes, and that do not
/// divide K; for most K there are three groups and more.
inline std::vector<W4A16Shape> w4a16_shapes() {
  std::vector<GemmShape> sides(std::begin(kGemmShapes), std::end(kGemmShapes));
  sides.insert(sides.end(), {{4, 33, 520},
                             {3, 31, 97},
                             {5, 47, 511},
                             {9, 97, 1031},
                             {3, 5, 4225},
                             {13, 32, 64},
                             {97, 33, 260},
                             {129, 31, 130}});
  std::vector<W4A16Shape> all;
  for (const GemmShape& side : sides) {
    for (const std::int64_t group_size : {1, 5, 16, 32, 37, 96, 128, 4160}) {
      all.push_back({side, group_size});
    }
  }
  return all;
}

/// The operands of one call, all with gaps between their rows.
struct W4A16Problem {
  explicit W4A16Problem(const W4A16Shape& s)
      : shape(s),
        x(s.sides.M, s.sides.K),
        qweight(s.sides.N, (s.sides.K + 1) / 2),
        scale(s.sides.N, int4_groups(s.sides.K, s.group_size)),
        zero_point(s.sides.N, int4_groups(s.sides.K, s.group_size)) {}

  /// Any byte; for an odd K the last one holds a nibble that is no code.
  void fill_codes(Random& random) {
    for (std::int64_t n = 0; n < shape.sides.N; ++n) {
      for (std::int64_t b = 0; b < qweight.view().cols(); ++b) {
        qweight.view()(n, b) = static_cast<std::uint8_t>(random.below(256));
      }
    }
  }

  /// Zero points, and powers of two as scales, that differ between neighbours in both directions.
  void fill_groups_exactly() {
    for (std::int64_t n = 0; n < shape.sides.N; ++n) {
      for (std::int64_t g = 0; g < scale.view().cols(); ++g) {
        scale.view()(n, g) = element<half_t>(0.25 * static_cast<double>(1 << (3 * n + g) % 4));
        zero_point.view()(n, g) = static_cast<std::uint8_t>((5 * n + 7 * g) % 16);
      }
    }
  }

  Int4Weights W() const {
    return {.K = shape.sides.K,
            .group_size = shape.group_size,
            .qweight = qweight.view(),
            .scale = scale.view(),
            .zero_point = zero_point.view()};
  }

  Guarded<float> run(W4A16Run* rung, int threads = 1, unsigned char poison = 0xFF) const {
    Guarded<float> y(shape.sides.M, shape.sides.N, poison);
    ThreadPool pool(threads);
    rung(x.view(), W(), y.view(), pool);
    return y;
  }

  testing::AssertionResult matches_oracle(W4A16Run* rung, bool exact) const {
    Matrix<double> value(shape.sides.M, shape.sides.N), abs_sum(shape.sides.M, shape.sides.N);
    w4a16_gemm_ref(x.view(), W(), value.view(), abs_sum.view());
    return matches(run(rung).view(), value.view(),
                   exact ? exactly() : dot_product(abs_sum.view(), shape.sides.K, 0x1p-24));
  }

  W4A16Shape shape;
  Operand<half_t> x;
  Operand<std::uint8_t> qweight;
  Operand<half_t> scale;
  Operand<std::uint8_t> zero_point;
};

inline W4A16Problem random_w4a16_problem(const W4A16Shape& shape, Random& random) {
  W4A16Problem problem(shape);
  fill(problem.x.view(), Values::kNormal, random);
  problem.fill_codes(random);
  problem.fill_groups_exactly();
  for (std::int64_t n = 0; n < shape.sides.N; ++n) {
    for (half_t& scale : problem.scale.view().row(n, 0, problem.scale.view().cols())) {
      scale = element<half_t>(std::exp2(random.uniform(-12, 0)));
    }
  }
  return problem;
}

}  // namespace qlab::test
