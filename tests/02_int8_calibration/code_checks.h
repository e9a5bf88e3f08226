// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the exercises about scales and codes put their questions: numbers in a list, each with what it
/// is, and codes from memory that shows what was not written.
#pragma once

#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "common/matrix.h"
#include "support/exercise.h"
#include "support/guarded.h"

namespace qlab::test {

/// Enough digits to tell a float from its neighbours.
inline std::string number_text(double value) {
  std::ostringstream out;
  out.precision(9);
  out << value;
  return out.str();
}

/// "{1, -2.5, 3, … 10 values}".
inline std::string list_text(std::span<const float> x) {
  std::string text = "{";
  for (std::size_t i = 0; i < x.size() && i < 4; ++i) {
    text += (i == 0 ? "" : ", ") + number_text(x[i]);
  }
  if (x.size() > 4) text += ", … " + std::to_string(x.size()) + " values";
  return text + "}";
}

/// One number that the learner's code computed.
struct Answer {
  std::string what;
  float got;
  double expected;
  double allowed = 0;
};

/// Judges them in one row, far from the neighbours they have in the list: a value that is one too low
/// is often that of the neighbour, and would be told as a shift.
inline void judge_answers(const std::string& name, const std::vector<Answer>& answers) {
  const auto n = static_cast<std::int64_t>(answers.size());
  std::int64_t stride = n * 5 / 8 + 1;
  while (std::gcd(stride, n) > 1) ++stride;
  const auto at = [&](std::int64_t i) -> const Answer& {
    return answers[static_cast<std::size_t>(i * stride % n)];
  };
  Matrix<float> got(1, n);
  Matrix<double> expected(1, n);
  for (std::int64_t i = 0; i < n; ++i) {
    got(0, i) = at(i).got;
    expected(0, i) = at(i).expected;
  }
  judge({.name = name, .place = [&](auto, auto i) { return at(i).what; }}, got.view(),
        expected.view(), [&](auto, auto i) { return at(i).allowed; });
}

using Quantize = std::function<void(std::span<const float>, std::span<std::int8_t>)>;

/// The codes of x as floats. Codes have no NaN, so it runs over two poisons: what keeps both was
/// never written.
inline std::vector<float> codes_of(const std::string& name, std::span<const float> x,
                                   const Quantize& quantize) {
  const auto n = static_cast<std::int64_t>(x.size());
  Guarded<std::int8_t> one(1, n), two(1, n, Guarded<std::int8_t>::kOtherPoison);
  quantize(x, one.view().row(0, 0, n));
  quantize(x, two.view().row(0, 0, n));
  const testing::AssertionResult whole = one.written_exactly(two);
  if (!whole) reject(name, std::string("codes: ") + whole.message());
  return {one.view().row(0), one.view().row(0) + n};
}

/// Both signs of each.
inline std::vector<float> signed_values(std::vector<float> values) {
  const std::size_t n = values.size();
  for (std::size_t i = 0; i < n; ++i) values.push_back(-values[i]);
  return values;
}

/// Fails unless `call` throws ContractError with these words, which name what was wrong.
inline void expect_refused(const std::string& name, const std::string& words,
                           const std::function<void()>& call) {
  try {
    call();
  } catch (const ContractError& error) {
    if (std::string(error.what()).find(words) == std::string::npos) {
      reject(name, "it was refused with other words\nexpected   " + words + "\ngot        " +
                       error.what());
    }
    return;
  }
  reject(name, "expected   ContractError: … " + words + " …\ngot        no exception");
}

}  // namespace qlab::test
