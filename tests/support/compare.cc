// SPDX-License-Identifier: Apache-2.0
/// \file
/// Finds wrong elements, and says where they are.
#include "support/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

namespace qlab::test {
namespace {

/// "all of rows 2 … 5": where the wrong elements stand, as far as a rectangle says it.
void describe_place(std::ostream& out, const Comparison& c) {
  const std::int64_t height = c.last_row - c.first_row + 1, width = c.last_col - c.first_col + 1;
  const bool dense = c.wrong == height * width;
  out << (dense ? "every one of " : "some of ");
  if (height < c.rows || width == c.cols) out << "rows " << c.first_row << " … " << c.last_row;
  if (height < c.rows && width < c.cols) out << ", ";
  if (width < c.cols) out << "columns " << c.first_col << " … " << c.last_col;
}

}  // namespace

Tolerance exactly() {
  return [](std::int64_t, std::int64_t) { return 0.0; };
}

Tolerance dot_product(MatrixView<const double> abs_sum, std::int64_t K, double extra) {
  const double factor = 2 * std::sqrt(static_cast<double>(K)) * 0x1p-24 + extra;
  return [=](std::int64_t row, std::int64_t col) { return factor * abs_sum(row, col); };
}

Tolerance relative(MatrixView<const double> expected, double factor) {
  return [=](std::int64_t row, std::int64_t col) { return factor * std::abs(expected(row, col)); };
}

Comparison compare(MatrixView<const float> got, MatrixView<const double> expected,
                   const Tolerance& tolerance) {
  check_shape("compare", "got", got, expected.rows(), expected.cols());
  Comparison result{.total = got.rows() * got.cols(), .rows = got.rows(), .cols = got.cols()};
  for (std::int64_t r = 0; r < got.rows(); ++r) {
    for (std::int64_t c = 0; c < got.cols(); ++c) {
      const double value = got(r, c), allowed = tolerance(r, c);
      const double error = std::abs(value - expected(r, c));
      // Written so that NaN is wrong; and an infinite tolerance would allow anything.
      if (error <= allowed && allowed < std::numeric_limits<double>::infinity()) continue;
      if (result.wrong == 0) {
        result.row = result.first_row = r;
        result.col = result.first_col = result.last_col = c;
        result.got = value;
        result.expected = expected(r, c);
        result.allowed = allowed;
      }
      ++result.wrong;
      result.nans += std::isnan(value);
      result.zeros += value == 0;
      result.last_row = r;
      result.first_col = std::min(result.first_col, c);
      result.last_col = std::max(result.last_col, c);
    }
  }
  return result;
}

std::string describe(const Comparison& c) {
  std::ostringstream out;
  if (c.wrong == 0) {
    out << "all " << c.total << " values are right";
    return out.str();
  }
  out.precision(9);
  out << "first bad: [" << c.row << ", " << c.col << "] of [" << c.rows << ", " << c.cols
      << "]: expected " << c.expected << "  got " << c.got;
  if (c.allowed == 0) {
    out << "  allowed ±0 (exact case)";
  } else {
    out << "  off by " << std::abs(c.got - c.expected) << ", allowed " << c.allowed;
  }
  out << "\n" << c.wrong << " of " << c.total << " values wrong: ";
  describe_place(out, c);
  if (c.nans == c.wrong) out << "; all of them are NaN: never written, or made from such";
  if (c.zeros == c.wrong) out << "; all of them are 0";
  return out.str();
}

}  // namespace qlab::test
