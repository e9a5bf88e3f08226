// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of the exercise gptq put their questions: weights, inputs and ways in; codes,
/// grids and groups judged in the words of the case.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "03_int4_weight_only/gptq.h"
#include "03_int4_weight_only/gptq_problem.h"
#include "03_int4_weight_only/gptq_reference.h"
#include "support/exercise.h"
#include "support/fenced.h"
#include "support/guarded.h"

namespace qlab::test {

/// What rounding errors may do to a weight, to a scale made from it, and to the sum of squares: K
/// updates, each off by the condition of H. With 1 % damping no eigenvalue is under 1 % of the mean
/// or over K times it, so the condition is at most 101·K. judge() takes floats: one rounding more.
inline double update_error(std::int64_t K) {
  return 64 * 101 * static_cast<double>(K * K) * 0x1p-53 + 0x1p-24;
}

template <class From>
Matrix<float> as_floats(MatrixView<From> from) {
  Matrix<float> to(from.rows(), from.cols());
  for (std::int64_t r = 0; r < from.rows(); ++r) {
    for (std::int64_t c = 0; c < from.cols(); ++c) to(r, c) = static_cast<float>(from(r, c));
  }
  return to;
}

inline Matrix<double> as_row(const std::vector<std::int64_t>& values) {
  Matrix<double> row(1, std::ssize(values));
  for (std::int64_t i = 0; i < row.cols(); ++i) row(0, i) = static_cast<double>(values[i]);
  return row;
}

/// ", act-order, live groups of 8"
inline std::string way_text(const GptqOptions& options) {
  return std::string(options.act_order ? ", act-order" : "") +
         (options.static_groups ? ", static" : ", live") + " groups of " +
         std::to_string(options.group_size);
}

/// The outputs of one call, in memory that shows what was not written.
struct Rounded {
  Rounded(MatrixView<const double> W, MatrixView<const double> H, const GptqOptions& options,
          bool other_poison)
      : Rounded(W.rows(), W.cols(), W.cols() / options.group_size, other_poison ? 0x5A : 0xA5) {
    squared_error = exercise::quantize_gptq(W, H, options, outputs());
  }

  exercise::GptqCodes outputs() {
    return {code.view(), scale.view(), zero_point.view(), group.view().row(0, 0, K)};
  }

  std::int64_t K;
  Guarded<std::uint8_t> code;        // [N, K]
  Guarded<double> scale;             // [N, groups]
  Guarded<std::uint8_t> zero_point;  // [N, groups]
  Guarded<std::int32_t> group;       // [1, K]
  double squared_error = 0;

 private:
  Rounded(std::int64_t N, std::int64_t K_, std::int64_t groups, unsigned char poison)
      : K(K_),
        code(N, K, poison),
        scale(N, groups),
        zero_point(N, groups, poison),
        group(1, K, poison) {}
};

/// Calls quantize_gptq over two poisons; what depends on them was never written.
inline Rounded rounded(const std::string& what, MatrixView<const double> W,
                       MatrixView<const double> H, const GptqOptions& options) {
  const Rounded other(W, H, options, true);
  Rounded got(W, H, options, false);
  const auto whole = [&](const char* operand, const testing::AssertionResult& result) {
    if (!result) reject("\"" + what + "\"", std::string(operand) + ": " + result.message());
  };
  whole("code", got.code.written_exactly(other.code));
  whole("scale", got.scale.written_exactly());
  whole("zero_point", got.zero_point.written_exactly(other.zero_point));
  whole("group", got.group.written_exactly(other.group));
  return got;
}

/// The result, one part after the other; `expected` has code, scale, zero_point, group and
/// squared_error.
template <class Expected>
void check_rounded(const std::string& what, MatrixView<const double> W, MatrixView<const double> H,
                   const GptqOptions& options, const Expected& expected) {
  const std::string name = "\"" + what + "\"" + way_text(options);
  const Rounded got = rounded(what, W, H, options);
  const auto at = [](std::int64_t n, std::int64_t i) {
    return "[" + std::to_string(n) + ", " + std::to_string(i) + "]";
  };
  judge({.name = name,
         .place =
             [&](auto, auto k) {
               return "group[" + std::to_string(k) + "], H[k, k] = " + text_of(H(k, k));
             }},
        as_floats(got.group.view()).view(), as_row(expected.group).view(), exactly());
  judge({.name = name,
         .place =
             [&](auto n, auto k) {
               const std::int64_t g = expected.group[k];
               return "code" + at(n, k) + ", weight " + text_of(W(n, k)) + ", right scale " +
                      text_of(expected.scale(n, g)) + ", right zero point " +
                      text_of(expected.zero_point(n, g));
             }},
        as_floats(got.code.view()).view(), expected.code.view(), exactly());
  judge({.name = name, .place = [&](auto n, auto g) { return "scale" + at(n, g); }},
        as_floats(got.scale.view()).view(), expected.scale.view(),
        relative(expected.scale.view(), update_error(W.cols())));
  judge({.name = name, .place = [&](auto n, auto g) { return "zero_point" + at(n, g); }},
        as_floats(got.zero_point.view()).view(), expected.zero_point.view(), exactly());
  Matrix<float> error(1, 1);
  Matrix<double> right_error(1, 1);
  error(0, 0) = static_cast<float>(got.squared_error);
  right_error(0, 0) = expected.squared_error;
  judge({.name = name, .place = [](auto, auto) { return std::string("returned squared error"); }},
        error.view(), right_error.view(), relative(right_error.view(), update_error(W.cols())));
}

/// Against the reference, which inverts anew in every step.
inline void check_against_reference(const std::string& what, MatrixView<const double> W,
                                    MatrixView<const double> H, const GptqOptions& options) {
  Matrix<double> copy(W.rows(), W.cols());
  for (std::int64_t n = 0; n < W.rows(); ++n) std::copy_n(W.row(n), W.cols(), copy.view().row(n));
  check_rounded(what, W, H, options, gptq_reference(copy, H, options, Scales::kDouble));
}

/// Each weight to the nearest value of its group's grid.
inline GptqReference rounded_to_nearest(MatrixView<const double> W, std::int64_t group_size) {
  Matrix<double> one(W.cols(), W.cols()), copy(W.rows(), W.cols());
  for (std::int64_t k = 0; k < W.cols(); ++k) one(k, k) = 1;
  for (std::int64_t n = 0; n < W.rows(); ++n) std::copy_n(W.row(n), W.cols(), copy.view().row(n));
  return gptq_reference(copy, one.view(), {.group_size = group_size, .damping = 0},
                        Scales::kDouble);
}

/// tr(Δ H Δᵀ), Δ = W - real.
inline double output_error_of(MatrixView<const double> W, const Matrix<double>& real,
                              MatrixView<const double> H) {
  double sum = 0;
  for (std::int64_t n = 0; n < W.rows(); ++n) {
    for (std::int64_t i = 0; i < W.cols(); ++i) {
      for (std::int64_t j = 0; j < W.cols(); ++j) {
        sum += (W(n, i) - real(n, i)) * H(i, j) * (W(n, j) - real(n, j));
      }
    }
  }
  return sum;
}

/// What the codes stand for.
inline Matrix<double> real_of(const Rounded& got) {
  Matrix<double> real(got.code.view().rows(), got.K);
  for (std::int64_t n = 0; n < real.rows(); ++n) {
    for (std::int64_t k = 0; k < got.K; ++k) {
      const std::int64_t g = got.group.view()(0, k);
      real(n, k) =
          got.scale.view()(n, g) * (int{got.code.view()(n, k)} - int{got.zero_point.view()(n, g)});
    }
  }
  return real;
}

}  // namespace qlab::test
