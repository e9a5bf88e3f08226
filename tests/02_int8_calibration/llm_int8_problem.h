// SPDX-License-Identifier: Apache-2.0
/// \file
/// LlmInt8Problem: operands of a product in two parts, values that are exact in both, and what the
/// oracle and the tolerance say of it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "02_int8_calibration/llm_int8.h"
#include "02_int8_calibration/quantize_rows.h"
#include "common/matrix.h"
#include "support/compare.h"
#include "support/problems.h"

namespace qlab::test {

inline constexpr float kNoThreshold = std::numeric_limits<float>::infinity();

struct LlmInt8Problem {
  /// All zeros, scales 1.
  explicit LlmInt8Problem(const GemmShape& s)
      : shape(s), x(s.M, s.K), w16(s.N, s.K), w8(s.N, s.K), w_scale(std::size_t(s.N), 1) {
    for (std::int64_t m = 0; m < s.M; ++m) std::fill_n(x.view().row(m), s.K, 0.0F);
    for (std::int64_t n = 0; n < s.N; ++n) {
      std::fill_n(w16.view().row(n), s.K, half_t{0});
      std::fill_n(w8.view().row(n), s.K, std::int8_t{0});
    }
  }

  Int8Rows int8() const { return {w8.view(), w_scale.data()}; }
  LlmInt8Weights weights() const { return {int8(), w16.view()}; }
  LlmInt8Weights codes_only() const { return {int8(), {nullptr, 0, 0, 0}}; }

  /// W in both formats.
  void set_weights(MatrixView<const float> w) {
    quantize_rows_ref(w, Granularity::kPerRow, w8.view(), w_scale.data());
    for (std::int64_t n = 0; n < shape.N; ++n) {
      for (std::int64_t k = 0; k < shape.K; ++k) w16.view()(n, k) = from_float<half_t>(w(n, k));
    }
  }

  GemmShape shape;
  Operand<float> x;         // [M, K]
  Operand<half_t> w16;      // [N, K]
  Operand<std::int8_t> w8;  // [N, K]
  std::vector<float> w_scale;
};

/// Outliers from here on in the problems below.
inline constexpr float kExactThreshold = 512;

/// Every sum is exact in any order: a token is whole numbers times a power of two, of which the
/// largest outside outlier columns is 127 (column 0), so its scale is that power. Columns 3, 8, 13
/// … have a whole number of kExactThreshold … 1023, positive or negative, in one token. The two
/// formats of W are made of different numbers: which of them was read shows.
inline LlmInt8Problem exact_problem(const GemmShape& shape, Random& random) {
  LlmInt8Problem problem(shape);
  const auto [M, N, K] = shape;
  for (std::int64_t m = 0; m < M; ++m) {
    const float unit = 0.25F * float(1 << (m % 4));
    for (std::int64_t k = 0; k < K; ++k) {
      const std::int64_t code = k == 0 ? 127 : random.below(15) - 7;
      problem.x.view()(m, k) = unit * float(code);
    }
  }
  for (std::int64_t k = 3; k < K; k += 5) {
    const auto outlier = static_cast<float>(512 + random.below(512));
    problem.x.view()(k % M, k) = k % 2 == 0 ? outlier : -outlier;
  }
  for (std::int64_t n = 0; n < N; ++n) {
    problem.w_scale[std::size_t(n)] = 0.125F * float(1 << (n % 3));
    for (std::int64_t k = 0; k < K; ++k) {
      problem.w8.view()(n, k) = static_cast<std::int8_t>(random.below(15) - 7);
      problem.w16.view()(n, k) = element<half_t>(double(random.below(31) - 15) / 16);
    }
  }
  return problem;
}

/// X of the given kind; weights normal, a tenth as large.
inline LlmInt8Problem random_problem(const GemmShape& shape, Values values, Random& random) {
  LlmInt8Problem problem(shape);
  fill(problem.x.view(), values, random);
  Matrix<float> w(shape.N, shape.K);
  for (std::int64_t i = 0; i < shape.N * shape.K; ++i) {
    w.data()[i] = static_cast<float>(0.1 * random.normal());
  }
  problem.set_weights(w.view());
  return problem;
}

/// What belongs there, and how far off FP32 may be.
struct LlmInt8Expected {
  Matrix<double> value, allowed;  // [M, N]

  Tolerance tolerance() const {
    return [this](std::int64_t m, std::int64_t n) { return allowed(m, n); };
  }
};

inline LlmInt8Expected expected_of(const LlmInt8Problem& problem, const LlmInt8Weights& W,
                                   float threshold) {
  const auto [M, N, K] = problem.shape;
  LlmInt8Expected out{{M, N}, {M, N}};
  llm_int8_gemm_ref(problem.x.view(), W, threshold, out.value.view());

  // The INT8 part alone is the product of X with its outlier columns set to 0.
  Matrix<float> rest(M, K), outliers(M, K);
  std::int64_t count = 0;
  for (std::int64_t k = 0; k < K; ++k) {
    bool outlier = false;
    for (std::int64_t m = 0; m < M; ++m) outlier |= std::abs(problem.x.view()(m, k)) >= threshold;
    count += outlier ? 1 : 0;
    for (std::int64_t m = 0; m < M; ++m) {
      (outlier ? outliers : rest)(m, k) = problem.x.view()(m, k);
    }
  }
  Matrix<double> int8_part(M, N);
  llm_int8_gemm_ref(rest.view(), W, kNoThreshold, int8_part.view());
  const double terms = static_cast<double>(count) + 1;
  for (std::int64_t m = 0; m < M; ++m) {
    for (std::int64_t n = 0; n < N; ++n) {
      double abs_sum = std::abs(int8_part(m, n));
      for (std::int64_t k = 0; k < K; ++k) {
        const double weight = W.fp16.rows() > 0 ? double{to_float(W.fp16(n, k))}
                                                : double{W.int8.scale[n]} * W.int8.codes(n, k);
        // Rounding to FP16 is inside the oracle; here it moves a bound by 2⁻¹¹ of itself.
        abs_sum += std::abs(outliers(m, k) * weight);
      }
      out.allowed(m, n) =
          0x1p-24 * (4 * std::abs(int8_part(m, n)) + 2 * std::sqrt(terms) * abs_sum);
    }
  }
  return out;
}

/// golden/llm_int8.txt.
class LlmInt8Golden {
  // First: the shape is read from it while the problem is made.
  std::ifstream file_{QLAB_SOURCE_DIR "/tests/02_int8_calibration/golden/llm_int8.txt"};

 public:
  struct Case {
    float threshold = 0;
    std::vector<int> outlier;  // [K] 0 or 1
    Matrix<double> y, allowed;
  };

  LlmInt8Golden() : problem(read_shape()) {
    const auto [M, N, K] = problem.shape;
    for (std::int64_t i = 0; i < M * K; ++i) problem.x.view()(i / K, i % K) = next();
    Matrix<float> w(N, K);
    for (std::int64_t i = 0; i < N * K; ++i) w.data()[i] = next();
    problem.set_weights(w.view());
    for (std::int64_t i = 0; i < N * K; ++i) w_codes.push_back(static_cast<int>(next()));
    for (Case& c : cases) {
      c.threshold = next();
      for (std::int64_t k = 0; k < K; ++k) c.outlier.push_back(static_cast<int>(next()));
      c.y = Matrix<double>(M, N);
      for (std::int64_t i = 0; i < M * N; ++i) file_ >> c.y.data()[i];
      // Outliers and their weights are FP32 there and FP16 here: both factors of a product move by
      // 2⁻¹¹. Scales are double there: each of the two moves the INT8 part by 2⁻²⁴.
      c.allowed = expected_of(problem, problem.weights(), c.threshold).allowed;
      for (std::int64_t m = 0; m < M; ++m) {
        for (std::int64_t n = 0; n < N; ++n) {
          double abs_sum = 0, int8_part = c.y(m, n);
          for (std::int64_t k = 0; k < K; ++k) {
            if (c.outlier[std::size_t(k)] == 0) continue;
            const double product = double{problem.x.view()(m, k)} * w(n, k);
            abs_sum += std::abs(product);
            int8_part -= product;
          }
          c.allowed(m, n) += (0x1p-10 + 0x1p-22) * abs_sum + 0x1p-23 * std::abs(int8_part);
        }
      }
    }
    QLAB_CHECK(file_.good(), "llm_int8.txt ends early");
  }

  LlmInt8Problem problem;
  std::vector<int> w_codes;
  std::vector<Case> cases = std::vector<Case>(5);

 private:
  GemmShape read_shape() {
    std::string comment;
    std::getline(file_, comment);
    GemmShape shape{};
    file_ >> shape.M >> shape.N >> shape.K;
    QLAB_CHECK(file_.good(), "llm_int8.txt cannot be read");
    return shape;
  }
  /// operator>> does not know "inf".
  float next() {
    std::string text;
    file_ >> text;
    return std::strtof(text.c_str(), nullptr);
  }
};

}  // namespace qlab::test
