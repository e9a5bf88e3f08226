// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of rtn_group ask for codes, scales and zero points, and how they word what is wrong.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "02_int8_calibration/code_checks.h"
#include "03_int4_weight_only/rtn_group.h"
#include "support/problems.h"

namespace qlab::test {

inline constexpr Int4Range kSymmetric = Int4Range::kSymmetric, kAsymmetric = Int4Range::kAsymmetric;
inline constexpr Int4Range kBoth[] = {kSymmetric, kAsymmetric};

/// What a quantizer writes, with its memory.
struct Quantized {
  Quantized(std::int64_t N, std::int64_t K, std::int64_t size)
      : group_size(size),
        codes(N, K),
        scale(N, int4_groups(K, size)),
        zero_point(N, int4_groups(K, size)) {}
  GroupQuantized view() { return {codes.view(), scale.view(), zero_point.view()}; }

  float scale_of(std::int64_t n, std::int64_t k) const {
    return to_float(scale(n, k / group_size));
  }
  int zero_of(std::int64_t n, std::int64_t k) const { return zero_point(n, k / group_size); }
  /// What code [n, k] stands for, exactly.
  double value(std::int64_t n, std::int64_t k) const {
    return double{scale_of(n, k)} * (codes(n, k) - zero_of(n, k));
  }

  std::int64_t group_size;
  Matrix<std::int8_t> codes;
  Matrix<half_t> scale;
  Matrix<std::uint8_t> zero_point;
};

/// "asymmetric, N=2 K=9, groups of 4".
inline std::string problem_text(MatrixView<const float> weight, std::int64_t group_size,
                                Int4Range range) {
  std::ostringstream text;
  text << (range == kSymmetric ? "symmetric" : "asymmetric") << ", N=" << weight.rows()
       << " K=" << weight.cols() << ", groups of " << group_size;
  return text.str();
}

template <class T>
void copy(const Guarded<T>& from, Matrix<T>& to) {
  for (std::int64_t r = 0; r < to.rows(); ++r) {
    for (std::int64_t c = 0; c < to.cols(); ++c) to(r, c) = from.view()(r, c);
  }
}

/// The learner's, over two poisons: codes have no NaN that could show what was not written.
inline Quantized quantized(MatrixView<const float> weight, std::int64_t group_size,
                           Int4Range range) {
  const std::int64_t N = weight.rows(), K = weight.cols(), groups = int4_groups(K, group_size);
  Quantized out(N, K, group_size);
  Guarded<std::int8_t> code(N, K), code2(N, K, Guarded<std::int8_t>::kOtherPoison);
  Guarded<half_t> scale(N, groups), scale2(N, groups, Guarded<half_t>::kOtherPoison);
  Guarded<std::uint8_t> zero(N, groups), zero2(N, groups, Guarded<std::uint8_t>::kOtherPoison);
  exercise::rtn_group(weight, group_size, range, {code.view(), scale.view(), zero.view()});
  exercise::rtn_group(weight, group_size, range, {code2.view(), scale2.view(), zero2.view()});
  const auto whole = [&](const char* what, const testing::AssertionResult& result) {
    if (result) return;
    reject(problem_text(weight, group_size, range), std::string(what) + result.message());
  };
  whole("scale: ", scale.written_exactly(scale2));
  whole("zero_point: ", zero.written_exactly(zero2));
  whole("codes: ", code.written_exactly(code2));
  copy(code, out.codes);
  copy(scale, out.scale);
  copy(zero, out.zero_point);
  return out;
}

/// " of row 0, group 1 (k = 4 … 7, weights from -3 to 12)".
inline std::string stretch_text(MatrixView<const float> weight, std::int64_t n, std::int64_t g,
                                std::int64_t group_size) {
  const std::int64_t first = g * group_size, count = std::min(group_size, weight.cols() - first);
  const auto [low, high] = std::ranges::minmax(weight.row(n, first, count));
  return " of row " + std::to_string(n) + ", group " + std::to_string(g) +
         " (k = " + std::to_string(first) + " … " + std::to_string(first + count - 1) +
         ", weights from " + number_text(low) + " to " + number_text(high) + ")";
}

/// Judges scales, zero points and codes.
inline void judge_rtn(const std::string& name, MatrixView<const float> weight, Int4Range range,
                      const Quantized& got, const Quantized& expected) {
  const std::int64_t N = weight.rows(), K = weight.cols(), size = got.group_size;
  const std::int64_t groups = int4_groups(K, size);
  const std::string problem = name + ": " + problem_text(weight, size, range);
  Matrix<float> scale(N, groups), zero(N, groups), code(N, K);
  Matrix<double> right_scale(N, groups), right_zero(N, groups), right_code(N, K);
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t g = 0; g < groups; ++g) {
      scale(n, g) = to_float(got.scale(n, g));
      right_scale(n, g) = to_float(expected.scale(n, g));
      zero(n, g) = got.zero_point(n, g);
      right_zero(n, g) = expected.zero_point(n, g);
    }
    for (std::int64_t k = 0; k < K; ++k) {
      code(n, k) = got.codes(n, k);
      right_code(n, k) = expected.codes(n, k);
    }
  }
  const auto scale_place = [=](auto n, auto g) {
    return "the scale" + stretch_text(weight, n, g, size);
  };
  judge({.name = problem, .place = scale_place}, scale.view(), right_scale.view(), exactly());
  const auto zero_place = [=](auto n, auto g) {
    return "the zero point" + stretch_text(weight, n, g, size);
  };
  judge({.name = problem, .place = zero_place}, zero.view(), right_zero.view(), exactly());
  const auto code_place = [&](auto n, auto k) {
    return "the code of weight[" + std::to_string(n) + ", " + std::to_string(k) +
           "] = " + number_text(weight(n, k)) + " in group " + std::to_string(k / size) +
           ": w / scale = " + number_text(weight(n, k) / expected.scale_of(n, k)) +
           ", zero point " + std::to_string(expected.zero_of(n, k));
  };
  judge({.name = problem, .place = code_place}, code.view(), right_code.view(), exactly());
}

inline void check_rtn(const std::string& name, MatrixView<const float> weight,
                      std::int64_t group_size, Int4Range range) {
  Quantized expected(weight.rows(), weight.cols(), group_size);
  rtn_group_ref(weight, group_size, range, expected.view());
  judge_rtn(name, weight, range, quantized(weight, group_size, range), expected);
}

/// Rows as they stand, not next to each other in memory.
inline Operand<float> matrix_of(const std::vector<std::vector<float>>& rows) {
  Operand<float> out(std::ssize(rows), std::ssize(rows.front()));
  for (std::int64_t n = 0; n < std::ssize(rows); ++n) {
    const std::vector<float>& row = rows[static_cast<std::size_t>(n)];
    std::copy(row.begin(), row.end(), out.view().row(n));
  }
  return out;
}

/// Every four columns reach further than the four before, and every row further than the last.
inline Operand<float> growing_rows(std::int64_t N, std::int64_t K) {
  Operand<float> out(N, K);
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t k = 0; k < K; ++k) {
      out.view()(n, k) = static_cast<float>((k * 5 % 7 - 3) * (k / 4 + 1 + n));
    }
  }
  return out;
}

/// Every row is a group.
inline void check_groups(const std::string& name, Int4Range range,
                         const std::vector<std::vector<float>>& groups) {
  for (const std::vector<float>& group : groups) {
    check_rtn(name, matrix_of({group}).view(), std::ssize(group), range);
    if (testing::Test::HasFailure()) return;  // one group is enough to read
  }
}

/// One group of the values of all codes; their scale, zero point and codes must be found again.
inline void check_own_values(const std::string& name, Int4Range range, half_t scale, int zero) {
  const bool symmetric = range == kSymmetric;
  const std::int64_t K = symmetric ? 15 : 16;
  Operand<float> weight(1, K);
  Quantized expected(1, K, 16);
  expected.scale(0, 0) = scale;
  expected.zero_point(0, 0) = static_cast<std::uint8_t>(zero);
  for (std::int64_t i = 0; i < K; ++i) {  // 7 has no factor in common with 15 and 16
    const int code = static_cast<int>(i * 7 % K) - (symmetric ? 7 : 0);
    expected.codes(0, i) = static_cast<std::int8_t>(code);
    weight.view()(0, i) = to_float(scale) * static_cast<float>(code - zero);
  }
  judge_rtn(name, weight.view(), range, quantized(weight.view(), 16, range), expected);
}

/// Weights come back to half a step, or to the end of the range where they lie beyond it. Of up to 16
/// steps, the quotient rounds by 2⁻²⁴ of itself.
inline void check_errors(const std::string& name, MatrixView<const float> weight,
                         std::int64_t group_size, Int4Range range) {
  const Quantized got = quantized(weight, group_size, range);
  const bool symmetric = range == kSymmetric;
  std::vector<Answer> answers;
  for (std::int64_t n = 0; n < weight.rows(); ++n) {
    for (std::int64_t k = 0; k < weight.cols(); ++k) {
      const double scale = got.scale_of(n, k), w = weight(n, k);
      const int zero = got.zero_of(n, k);
      const double reached = std::clamp(w, scale * ((symmetric ? -7 : 0) - zero),
                                        scale * ((symmetric ? 7 : 15) - zero));
      answers.push_back(
          {"weight[" + std::to_string(n) + ", " + std::to_string(k) + "] = " + number_text(w) +
               ", code " + std::to_string(got.codes(n, k)) + " with scale " + number_text(scale) +
               " and zero point " + std::to_string(zero),
           static_cast<float>(got.value(n, k)), reached, scale * (0.5 + 16 * 0x1p-24)});
    }
  }
  judge_answers(name + ", " + problem_text(weight, group_size, range), answers);
}

/// Σ (w - value)² over a matrix.
inline double squared_error(MatrixView<const float> weight, const Quantized& got) {
  double sum = 0;
  for (std::int64_t n = 0; n < weight.rows(); ++n) {
    for (std::int64_t k = 0; k < weight.cols(); ++k) {
      sum += std::pow(weight(n, k) - got.value(n, k), 2);
    }
  }
  return sum;
}

/// The golden file: its weights in all its cases, against its numbers. Returns how many cases.
inline int check_golden_groups() {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/03_int4_weight_only/golden/rtn_group.txt");
  std::string comment;
  std::int64_t N = 0, K = 0, cases = 0, size = 0;
  int symmetric = 0, read = 0;
  if (!std::getline(file, comment) || !(file >> N >> K >> cases)) return 0;
  Operand<float> weight(N, K);
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t k = 0; k < K; ++k) file >> weight.view()(n, k);
  }
  const auto next = [&file] {
    int value = 0;
    file >> value;
    return value;
  };
  while (read < cases && file >> symmetric >> size) {
    const Int4Range range = symmetric == 1 ? kSymmetric : kAsymmetric;
    Quantized expected(N, K, size);
    for (std::int64_t n = 0; n < N; ++n) {
      const std::int64_t groups = expected.scale.cols();
      for (std::int64_t g = 0; g < groups; ++g) {
        expected.scale(n, g) = {static_cast<std::uint16_t>(next())};
      }
      for (std::int64_t g = 0; g < groups; ++g) {
        expected.zero_point(n, g) = static_cast<std::uint8_t>(next());
      }
      for (std::int64_t k = 0; k < K; ++k) expected.codes(n, k) = static_cast<std::int8_t>(next());
    }
    if (!file) return read;
    ++read;
    judge_rtn("golden", weight.view(), range, quantized(weight.view(), size, range), expected);
  }
  return read;
}

}  // namespace qlab::test
