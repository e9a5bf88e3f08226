// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the timed problems share: their random operands, and the check of their outputs.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "common/matrix.h"
#include "common/random.h"

namespace qlab {

inline constexpr std::int64_t kCheckedColumns = 4;

/// Uniform in -size … size.
inline Matrix<float> random_matrix(std::int64_t rows, std::int64_t cols, double size,
                                   Random& random) {
  Matrix<float> matrix(rows, cols);
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    matrix.data()[i] = static_cast<float>(random.uniform(-size, size));
  }
  return matrix;
}

/// An output that is not what the oracle says.
struct WrongOutput : std::logic_error {
  using std::logic_error::logic_error;
};

/// Makes what check_outputs() will look at wrong, so that only a kernel that writes it passes.
inline void poison_outputs(Matrix<float>& y) {
  for (std::int64_t i = 0; i < std::min(kCheckedColumns, y.cols()); ++i) {
    y(0, i) = std::numeric_limits<float>::quiet_NaN();
  }
}

/// The first outputs of row 0 lie within `allowed` of what the oracle says.
inline void check_outputs(const std::string& name, const Matrix<float>& y,
                          const Matrix<double>& value, const Matrix<double>& allowed) {
  for (std::int64_t i = 0; i < value.cols(); ++i) {
    const double error = std::abs(double{y(0, i)} - value(0, i));
    if (!(error <= allowed(0, i))) {
      throw WrongOutput(
          fmt::format("{}: output {} is {}, the oracle says {} ± {:.2g}; the time "
                      "of a wrong result means nothing",
                      name, i, y(0, i), value(0, i), allowed(0, i)));
    }
  }
}

}  // namespace qlab
