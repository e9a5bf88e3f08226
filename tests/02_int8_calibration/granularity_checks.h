// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of granularity ask for scales and dots, and what they compare with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "02_int8_calibration/code_checks.h"
#include "02_int8_calibration/granularity.h"
#include "support/problems.h"

namespace qlab::test {

using Element = std::function<double(std::int64_t r, std::int64_t k)>;

inline Operand<float> matrix_of(std::int64_t rows, std::int64_t K, const Element& element) {
  Operand<float> x(rows, K);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t k = 0; k < K; ++k) x.view()(r, k) = static_cast<float>(element(r, k));
  }
  return x;
}

inline std::string shape_text(MatrixView<const float> x) {
  return "[" + std::to_string(x.rows()) + ", " + std::to_string(x.cols()) + "]";
}

inline void check_token_scales(const std::string& name, MatrixView<const float> x) {
  Guarded<float> got(1, x.rows());
  exercise::token_scales(x, got.view().row(0, 0, x.rows()));
  Matrix<double> of_rows(x.rows(), 1);
  group_scales_ref(x, x.cols(), of_rows.view());
  const MatrixView<const double> expected(of_rows.data(), 1, x.rows(), x.rows());
  judge({.name = name + ": x " + shape_text(x),
         .place = [](auto, auto r) { return "the scale of row " + std::to_string(r); }},
        got, expected, exactly());
}

inline void check_group_scales(const std::string& name, MatrixView<const float> x,
                               std::int64_t group_size) {
  const std::int64_t groups = group_count(x.cols(), group_size);
  Guarded<float> got(x.rows(), groups);
  exercise::group_scales(x, group_size, got.view());
  Matrix<double> expected(x.rows(), groups);
  group_scales_ref(x, group_size, expected.view());
  const auto place = [=](std::int64_t r, std::int64_t g) {
    return "the scale of row " + std::to_string(r) + ", columns " + std::to_string(g * group_size) +
           " … " + std::to_string(std::min((g + 1) * group_size, x.cols()) - 1);
  };
  judge({.name = name + ": x " + shape_text(x) + ", groups of " + std::to_string(group_size),
         .place = place},
        got, expected.view(), exactly());
}

/// A dot of K products: codes, their scales, and how long a group is.
struct Dot {
  std::string what;
  std::vector<std::int8_t> x, w;
  float x_scale;
  std::vector<float> w_scale;
  std::int64_t group_size;
};

/// Codes and scales for each place.
inline Dot dot_of(const std::string& what, std::int64_t K, std::int64_t group_size, float x_scale,
                  const std::function<std::pair<int, int>(std::int64_t k)>& codes,
                  const std::function<double(std::int64_t g)>& w_scale) {
  Dot dot{.what = what + ": K=" + std::to_string(K) + ", groups of " + std::to_string(group_size),
          .x = {},
          .w = {},
          .x_scale = x_scale,
          .w_scale = {},
          .group_size = group_size};
  for (std::int64_t k = 0; k < K; ++k) {
    const auto [x, w] = codes(k);
    dot.x.push_back(static_cast<std::int8_t>(x));
    dot.w.push_back(static_cast<std::int8_t>(w));
  }
  for (std::int64_t g = 0; g < group_count(K, group_size); ++g) {
    dot.w_scale.push_back(static_cast<float>(w_scale(g)));
  }
  return dot;
}

/// \param exact  scales are powers of two, and the sums fit in a float
inline void check_dots(const std::string& name, const std::vector<Dot>& dots, bool exact) {
  std::vector<Answer> answers;
  for (const Dot& dot : dots) {
    double size = 0;
    const double expected =
        group_dot_ref(dot.x, dot.x_scale, dot.w, dot.w_scale, dot.group_size, size);
    const float got = exercise::group_dot(dot.x, dot.x_scale, dot.w, dot.w_scale, dot.group_size);
    // A group's share is rounded to float, multiplied, added to up to G - 1 others and multiplied
    // by x_scale: G + 2 roundings, and the oracle's own are far below one more.
    const double roundings = static_cast<double>(dot.w_scale.size()) + 4;
    answers.push_back({dot.what, got, expected, exact ? 0 : roundings * 0x1p-24 * size});
  }
  judge_answers(name, answers);
}

/// How many decibels the values of the columns for which `counted` holds keep, each quantized with
/// its scale.
inline double decibels(MatrixView<const float> x, const Element& scale,
                       const std::function<bool(std::int64_t k)>& counted) {
  double signal = 0, noise = 0;
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    for (std::int64_t k = 0; k < x.cols(); ++k) {
      if (!counted(k)) continue;
      const double step = scale(r, k);
      signal += std::pow(x(r, k), 2);
      noise += std::pow(step * std::nearbyint(x(r, k) / step) - x(r, k), 2);
    }
  }
  return 10 * std::log10(signal / noise);
}

/// The same of the golden file, for 256 tokens of 128 channels of which two are 20 times as loud; NaN,
/// which no test takes, if it has no such line.
inline double golden_decibels(const std::string& grain) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/02_int8_calibration/golden/sqnr.csv");
  const std::string wanted = "\"gauss, 2 of 128 channels x20\",int8 " + grain + ",";
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(wanted)) return std::stod(line.substr(line.rfind(',') + 1));
  }
  return std::nan("");
}

}  // namespace qlab::test
