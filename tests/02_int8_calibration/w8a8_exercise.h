// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of the exercise w8a8_gemm fill a problem, and how a failure speaks of an output.
#pragma once

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>

#include "02_int8_calibration/w8a8_problem.h"
#include "support/exercise.h"
#include "support/guarded.h"

namespace qlab::test {

inline Guarded<float> run(const W8A8Problem& problem,
                          unsigned char poison = Guarded<float>::kPoison) {
  Guarded<float> y(problem.shape.M, problem.shape.N, poison);
  exercise::w8a8_gemm(problem.X(), problem.W(), y.view());
  return y;
}

inline std::string name_of(const std::string& what, const GemmShape& shape) {
  std::ostringstream out;
  out << "\"" << what << "\": " << shape;
  return out.str();
}

inline std::string seeded(const std::string& what, std::uint64_t seed) {
  return what + ", seed " + std::to_string(seed);
}

/// "Y[1, 2], zero point -37, scales 0.25 · 0.5, x = 5 -1 … times w = 3 -5 …".
inline std::string place_of(const W8A8Problem& problem, std::int64_t m, std::int64_t n) {
  std::ostringstream out;
  out << "Y[" << m << ", " << n << "], ";
  if (!problem.zero_point.empty()) out << "zero point " << problem.X().zero(m) << ", ";
  out << "scales " << problem.X().scale[m] << " · " << problem.W().scale[n] << ", ";
  const auto codes = [&](const char* name, MatrixView<const std::int8_t> all, std::int64_t row) {
    out << name;
    for (std::int64_t k = 0; k < std::min<std::int64_t>(4, all.cols()); ++k) {
      out << ' ' << static_cast<int>(all(row, k));
    }
    if (all.cols() > 4) out << " …";
  };
  codes("x =", problem.x.view(), m);
  codes(" times w =", problem.w.view(), n);
  return out.str();
}

inline void judge_problem(const std::string& what, const W8A8Problem& problem,
                          const Guarded<float>& y, MatrixView<const double> expected,
                          const Tolerance& tolerance = exactly()) {
  judge({.name = name_of(what, problem.shape),
         .place = [&](auto m, auto n) { return place_of(problem, m, n); }},
        y, expected, tolerance);
}
inline void check(const std::string& what, const W8A8Problem& problem) {
  judge_problem(what, problem, run(problem), problem.expected().view());
}

/// Codes from x(m, k) and w(n, k).
template <class X, class W>
W8A8Problem problem_of(const GemmShape& shape, X x, W w) {
  W8A8Problem problem(shape);
  for (std::int64_t k = 0; k < shape.K; ++k) {
    for (std::int64_t m = 0; m < shape.M; ++m) {
      problem.x.view()(m, k) = static_cast<std::int8_t>(x(m, k));
    }
    for (std::int64_t n = 0; n < shape.N; ++n) {
      problem.w.view()(n, k) = static_cast<std::int8_t>(w(n, k));
    }
  }
  return problem;
}

inline W8A8Problem random_problem(const GemmShape& shape, Random& random) {
  W8A8Problem problem(shape);
  problem.fill_with_all_codes(random);
  return problem;
}

/// All scales 1: Y holds the sums.
inline void set_scales_to_one(W8A8Problem& problem) {
  std::fill(problem.x_scale.begin(), problem.x_scale.end(), 1.0F);
  std::fill(problem.w_scale.begin(), problem.w_scale.end(), 1.0F);
}

}  // namespace qlab::test
