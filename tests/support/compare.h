// SPDX-License-Identifier: Apache-2.0
/// \file
/// The one comparator of the tests: outputs against an oracle in double, a tolerance an element.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>

#include "common/contract.h"

#if __FINITE_MATH_ONLY__
#error "tests built with -ffinite-math-only take NaN for a right answer; remove the flag"
#endif

namespace qlab::test {

/// The allowed error of element (row, col).
using Tolerance = std::function<double(std::int64_t row, std::int64_t col)>;

/// For integers and powers of two, whose sums are exact in any order. -0 equals 0.
Tolerance exactly();

/// (2·√K·2⁻²⁴ + extra)·Σ|a||b|: a sum of K products in FP32, in any order. The worst order needs K
/// instead of 2·√K, but errors of both signs cancel (Higham, Mary, "A New Approach to Probabilistic
/// Rounding Error Analysis", 2019). `extra` is for what rounds besides the sum, such as 2⁻²⁴ where
/// the products do.
Tolerance dot_product(MatrixView<const double> abs_sum, std::int64_t K, double extra = 0);

/// factor·|expected|: a few roundings of the value itself.
Tolerance relative(MatrixView<const double> expected, double factor);

/// What compare() found. Only `wrong` and `total` mean something while wrong is 0.
struct Comparison {
  std::int64_t total = 0, wrong = 0;
  std::int64_t row = 0, col = 0;              // the first wrong element
  double expected = 0, got = 0, allowed = 0;  // there
  std::int64_t nans = 0, zeros = 0;           // of the wrong ones: outputs that are NaN, 0
  std::int64_t first_row = 0, last_row = 0;   // what the wrong ones span
  std::int64_t first_col = 0, last_col = 0;
  std::int64_t rows = 0, cols = 0;  // the shape compared
};

/// Compares every element in double. NaN and infinity are wrong wherever they stand, in the output,
/// the oracle or the tolerance. \throws ContractError when the shapes differ.
Comparison compare(MatrixView<const float> got, MatrixView<const double> expected,
                   const Tolerance& tolerance);

/// "first bad: …", how many are wrong, and where they stand.
std::string describe(const Comparison& comparison);

/// compare() for EXPECT_TRUE.
inline testing::AssertionResult matches(MatrixView<const float> got,
                                        MatrixView<const double> expected,
                                        const Tolerance& tolerance) {
  const Comparison comparison = compare(got, expected, tolerance);
  if (comparison.wrong == 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << describe(comparison);
}

}  // namespace qlab::test
