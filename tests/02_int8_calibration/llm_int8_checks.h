// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of the exercise llm_int8 put their questions: columns and products, each judged in
/// the words of its case.
#pragma once

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "02_int8_calibration/llm_int8_problem.h"
#include "02_int8_calibration/refusals.h"
#include "support/exercise.h"
#include "support/guarded.h"

namespace qlab::test {

inline std::string name_of(const std::string& what, float threshold) {
  return "\"" + what + "\", threshold " + text_of(threshold);
}

/// Judges which columns are listed, and how often.
inline void check_columns(const std::string& what, MatrixView<const float> X, float threshold,
                          const std::vector<int>& expected) {
  const std::vector<std::int64_t> columns = exercise::outlier_columns(X, threshold);
  Matrix<float> times(1, X.cols());
  Matrix<double> once(1, X.cols());
  for (std::int64_t k = 0; k < X.cols(); ++k) {
    times(0, k) = static_cast<float>(std::ranges::count(columns, k));
    once(0, k) = expected[std::size_t(k)];
  }
  const auto place = [&](auto, auto k) {
    std::string text = "column " + std::to_string(k) + " of X, whose tokens hold";
    for (std::int64_t m = 0; m < X.rows(); ++m) text += (m ? ", " : " ") + text_of(X(m, k));
    return text;
  };
  judge({.name = name_of(what, threshold),
         .place = place,
         .value = [](double n) { return "listed " + text_of(n) + (n == 1 ? " time" : " times"); }},
        times.view(), once.view(), exactly());
  if (!std::ranges::is_sorted(columns)) {
    reject(name_of(what, threshold), "the columns are not in rising order");
  }
}

inline Guarded<float> run(const LlmInt8Problem& problem, float threshold) {
  Guarded<float> y(problem.shape.M, problem.shape.N);
  exercise::llm_int8_gemm(problem.x.view(), problem.weights(), threshold, y.view());
  return y;
}

/// "Y[1, 2]; columns in FP16: 3, 8".
inline std::string place_of(const LlmInt8Problem& problem, float threshold, std::int64_t m,
                            std::int64_t n) {
  std::string columns;
  for (std::int64_t k = 0; k < problem.shape.K; ++k) {
    bool outlier = false;
    for (std::int64_t i = 0; i < problem.shape.M; ++i) {
      outlier |= std::abs(problem.x.view()(i, k)) >= threshold;
    }
    if (outlier) columns += (columns.empty() ? "" : ", ") + std::to_string(k);
  }
  if (columns.size() > 40) columns = columns.substr(0, columns.rfind(',', 40)) + " …";
  return "Y[" + std::to_string(m) + ", " + std::to_string(n) +
         "]; columns in FP16: " + (columns.empty() ? "none" : columns);
}

inline void check(const std::string& what, const LlmInt8Problem& problem, float threshold,
                  bool exact) {
  std::ostringstream name;
  name << name_of(what, threshold) << ": " << problem.shape;
  const LlmInt8Expected expected = expected_of(problem, problem.weights(), threshold);
  judge({.name = name.str(),
         .place = [&](auto m, auto n) { return place_of(problem, threshold, m, n); }},
        run(problem, threshold), expected.value.view(), exact ? exactly() : expected.tolerance());
}

/// x(m, k), w8(n, k) and w16(n, k) are called for every element, with ints; scales of W are 1.
template <class X, class W8, class W16>
LlmInt8Problem problem_of(const GemmShape& shape, X x, W8 w8, W16 w16) {
  LlmInt8Problem problem(shape);
  const auto M = static_cast<int>(shape.M), N = static_cast<int>(shape.N);
  for (int k = 0; k < shape.K; ++k) {
    for (int m = 0; m < M; ++m) problem.x.view()(m, k) = static_cast<float>(x(m, k));
    for (int n = 0; n < N; ++n) {
      problem.w8.view()(n, k) = static_cast<std::int8_t>(w8(n, k));
      problem.w16.view()(n, k) = element<half_t>(w16(n, k));
    }
  }
  return problem;
}

}  // namespace qlab::test
