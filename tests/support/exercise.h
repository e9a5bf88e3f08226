// SPDX-License-Identifier: Apache-2.0
/// \file
/// judge: how the tests of an exercise look at what a learner's code computed. It compares, words the
/// failure for somebody who has never seen the test, and keeps the output for the diagnosis.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "support/compare.h"
#include "support/guarded.h"

namespace qlab::test {

/// How a case speaks of itself. Only the name is needed.
struct Case {
  std::string name;  ///< `"ties": N=5 K=72`
  /// Of element (row, col): "x = 1.00048828 (0x3F801000)". Without it: [row, col] and the shape.
  std::function<std::string(std::int64_t row, std::int64_t col)> place = {};
  /// How an expected or computed value is written; without it as a number.
  std::function<std::string(double value)> value = {};
};

/// Adds a failure unless every element is right, its text in the form of `./lab check`:
///
///     case "ties": N=5 K=72
///     first bad: [0, 3] of [5, 9]: expected 2  got 4  allowed ±0 (exact case)
///     20 of 45 values wrong: every one of columns 3 … 6; every wrong value is 2 times …
///
/// When LAB_DUMP names a folder, the output goes there as <Suite.Test>.<ordinal>.dump: rows and
/// columns as int64, then what came, what belongs there and the allowed error as doubles. `./lab
/// check` compares it with the outputs of known mistakes.
void judge(const Case& described, MatrixView<const float> got, MatrixView<const double> expected,
           const Tolerance& tolerance, const char* file = __builtin_FILE(),
           int line = __builtin_LINE());

/// The same; and nothing around the output may have been written.
void judge(const Case& described, const Guarded<float>& got, MatrixView<const double> expected,
           const Tolerance& tolerance, const char* file = __builtin_FILE(),
           int line = __builtin_LINE());

/// Adds a failure in the words of a case, for what is no matrix of values.
void reject(const std::string& case_name, const std::string& text,
            const char* file = __builtin_FILE(), int line = __builtin_LINE());

}  // namespace qlab::test
