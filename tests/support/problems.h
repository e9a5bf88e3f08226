// SPDX-License-Identifier: Apache-2.0
/// \file
/// What tests and benches feed to operations: values that discriminate, shapes that do not fit.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <ostream>
#include <string_view>
#include <type_traits>

#include "common/contract.h"
#include "common/formats.h"
#include "common/matrix.h"
#include "common/random.h"

namespace qlab::test {

/// A number as an element of an input: integers get it truncated, narrow floats rounded.
template <class T>
T element(double value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<T>(value);
  } else {
    return from_float<T>(static_cast<float>(value));
  }
}

/// An input whose rows stand apart, with 0xFF between them (NaN in every float format): an
/// operation that takes the width for the stride, or reads past a row, gets a wrong answer.
template <class T>
class Operand {
 public:
  Operand(std::int64_t rows, std::int64_t cols, std::int64_t gap = 3)
      : cols_(cols), buffer_(rows, cols + gap) {
    std::memset(static_cast<void*>(buffer_.data()), 0xFF, buffer_.bytes());
  }
  MatrixView<T> view() { return {buffer_.data(), buffer_.rows(), cols_, buffer_.cols()}; }
  MatrixView<const T> view() const {
    return {buffer_.data(), buffer_.rows(), cols_, buffer_.cols()};
  }

 private:
  std::int64_t cols_;
  Matrix<T> buffer_;
};

/// What an input holds; each kind finds mistakes that the others let pass.
enum class Values {
  kNormal,          ///< mean 0, deviation 1
  kLogUniform,      ///< ±2⁻⁶ … ±2⁶: intermediate sums that overflow or cancel
  kIntegers,        ///< -7 … 7: sums are exact in every order
  kOneHot,          ///< row r is 1 at column r % cols: the output shows which input went where
  kOutlierChannel,  ///< normal, the middle column 60 times as large
  kTies,            ///< (n + ½)·2⁻³; the first column makes an INT8 scale exactly 2⁻³
  kSignedZeros,     ///< 0, -0 and a few ±1
};

struct NamedValues {
  Values values;
  std::string_view name;
  bool exact;  ///< products of two such inputs sum without rounding, in every order
};

inline constexpr NamedValues kAllValues[] = {
    {Values::kNormal, "normal", false},
    {Values::kLogUniform, "log-uniform", false},
    {Values::kIntegers, "integers", true},
    {Values::kOneHot, "one-hot", true},
    {Values::kOutlierChannel, "outlier channel", false},
    {Values::kTies, "ties", true},
    {Values::kSignedZeros, "signed zeros", true},
};

/// One value of that kind for element (r, c) of a matrix of `cols` columns.
inline double draw(Values values, std::int64_t r, std::int64_t c, std::int64_t cols,
                   Random& random) {
  switch (values) {
    case Values::kNormal:
      return random.normal();
    case Values::kLogUniform:
      return std::exp2(random.uniform(-6, 6)) * (random.below(2) == 0 ? 1 : -1);
    case Values::kIntegers:
      return static_cast<double>(random.below(15) - 7);
    case Values::kOneHot:
      return r % cols == c ? 1 : 0;
    case Values::kOutlierChannel:
      return random.normal() * (c == cols / 2 ? 60 : 1);
    case Values::kTies:
      return c == 0 ? 127 * 0x1p-3 : (static_cast<double>(random.below(16) - 8) + 0.5) * 0x1p-3;
    case Values::kSignedZeros:
      return std::array{0.0, -0.0, 1.0, -1.0, -0.0, 0.0}[static_cast<std::size_t>(random.below(6))];
  }
  QLAB_CHECK(false, "draw: no such kind of values");
}

template <class T>
void fill(MatrixView<T> out, Values values, Random& random) {
  static_assert(!std::is_unsigned_v<T>, "these values have signs");
  for (std::int64_t r = 0; r < out.rows(); ++r) {
    for (std::int64_t c = 0; c < out.cols(); ++c) {
      out(r, c) = element<T>(draw(values, r, c, out.cols(), random));
    }
  }
}

/// The sides of Y[M, N] = X[M, K] · W[N, K]ᵀ.
struct GemmShape {
  std::int64_t M, N, K;

  friend std::ostream& operator<<(std::ostream& out, const GemmShape& shape) {
    return out << "M=" << shape.M << " N=" << shape.N << " K=" << shape.K;
  }
};

/// Sides are pairwise different, so that a swap shows, and around multiples of 4, 8, 16, 32, where
/// tiles end. The last lines are the cases without a tail, and a sum long enough to need its bound.
inline constexpr GemmShape kGemmShapes[] = {
    {1, 1, 1},    {1, 7, 33},   {1, 17, 257}, {5, 9, 1},    {3, 1, 31},   {2, 3, 15},
    {4, 5, 7},    {6, 13, 17},  {7, 15, 63},  {9, 31, 65},  {15, 33, 97}, {17, 35, 129},
    {33, 9, 127}, {3, 65, 255}, {1, 8, 32},   {4, 16, 128}, {8, 64, 256}, {2, 5, 4099},
};

}  // namespace qlab::test
