// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tries one explanation after another; see patterns.h.
#include "support/patterns.h"

#include <cmath>
#include <functional>
#include <optional>
#include <sstream>
#include <utility>

namespace qlab::test {
namespace {

/// Rounding may differ from the oracle's; a pattern is about which value, not about its last bits.
bool near(double a, double b) { return std::abs(a - b) <= 1e-3 * std::abs(b); }

/// The row and column of `expected` that a pattern takes element (r, c) for, if there is one.
using Source = std::function<std::optional<std::pair<std::int64_t, std::int64_t>>(std::int64_t r,
                                                                                  std::int64_t c)>;

/// Whether every wrong element is the expected one at its source. Two different values at least: one
/// alone proves nothing.
bool follows(MatrixView<const float> got, MatrixView<const double> expected, const Source& source) {
  std::optional<double> first;
  bool varied = false;
  for (std::int64_t r = 0; r < got.rows(); ++r) {
    for (std::int64_t c = 0; c < got.cols(); ++c) {
      if (near(got(r, c), expected(r, c))) continue;
      const auto from = source(r, c);
      if (!from || !near(got(r, c), expected(from->first, from->second))) return false;
      if (!first) first = got(r, c);
      varied = varied || got(r, c) != *first;
    }
  }
  return varied;
}

std::string moved(MatrixView<const float> got, MatrixView<const double> expected) {
  const std::int64_t rows = got.rows(), cols = got.cols();
  const auto inside = [=](std::int64_t r, std::int64_t c) -> decltype(Source()(0, 0)) {
    if (r < 0 || r >= rows || c < 0 || c >= cols) return std::nullopt;
    return std::pair{r, c};
  };
  if (rows == cols && follows(got, expected, [&](auto r, auto c) { return inside(c, r); })) {
    return "it is the expected matrix, transposed";
  }
  if (follows(got, expected, [&](auto r, auto c) { return inside(r, c ^ 1); })) {
    return "the columns of each pair are swapped";
  }
  for (const std::int64_t by : {-1, 1, -2, 2, -4, 4, -8, 8, -16, 16}) {
    std::ostringstream sign;
    sign << (by < 0 ? " - " : " + ") << std::abs(by);
    if (follows(got, expected, [&](auto r, auto c) { return inside(r + by, c); })) {
      return "wrong rows r hold what belongs in row r" + sign.str();
    }
    if (follows(got, expected, [&](auto r, auto c) { return inside(r, c + by); })) {
      return "wrong columns c hold what belongs in column c" + sign.str();
    }
  }
  return "";
}

std::string scaled(MatrixView<const float> got, MatrixView<const double> expected) {
  std::optional<double> factor, first;
  bool varied = false;
  for (std::int64_t r = 0; r < got.rows(); ++r) {
    for (std::int64_t c = 0; c < got.cols(); ++c) {
      if (near(got(r, c), expected(r, c))) continue;
      if (expected(r, c) == 0) return "";
      if (!factor) {
        factor = got(r, c) / expected(r, c);
        first = expected(r, c);
      }
      if (!near(got(r, c), *factor * expected(r, c))) return "";
      varied = varied || !near(expected(r, c), *first);
    }
  }
  if (!varied || *factor == 0) return "";  // zeros are told without this
  if (near(*factor, -1)) return "every wrong value has the other sign";
  std::ostringstream text;
  text.precision(4);
  text << "every wrong value is " << *factor << " times the expected one";
  return text.str();
}

}  // namespace

std::string pattern_of(MatrixView<const float> got, MatrixView<const double> expected) {
  check_shape("pattern_of", "got", got, expected.rows(), expected.cols());
  const std::string where = moved(got, expected);
  return where.empty() ? scaled(got, expected) : where;
}

}  // namespace qlab::test
