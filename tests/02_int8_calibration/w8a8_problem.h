// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of w8a8_gemm and of its exercise multiply: codes with scales whose products are
/// exact, and zero points that differ from row to row.
#pragma once

#include <cstdint>
#include <istream>
#include <iterator>
#include <utility>
#include <vector>

#include "02_int8_calibration/w8a8_gemm.h"
#include "common/matrix.h"
#include "common/random.h"
#include "support/problems.h"

namespace qlab::test {

/// Any of the 256 codes.
inline std::int8_t random_code(Random& random) {
  return static_cast<std::int8_t>(random.below(256) - 128);
}

/// The next rows · cols numbers of a golden file.
inline void read_codes(std::istream& file, MatrixView<std::int8_t> codes) {
  for (std::int64_t r = 0; r < codes.rows(); ++r) {
    for (std::int64_t k = 0; k < codes.cols(); ++k) {
      int code = 0;
      file >> code;
      codes(r, k) = static_cast<std::int8_t>(code);
    }
  }
}

struct W8A8Problem {
  explicit W8A8Problem(const GemmShape& s) : shape(s), x(s.M, s.K), w(s.N, s.K) {
    // Powers of two, all neighbours different: a scale in the wrong place shows, none rounds.
    for (std::int64_t m = 0; m < s.M; ++m) x_scale.push_back(0x1p-3F * float(1 << (m % 5)));
    for (std::int64_t n = 0; n < s.N; ++n) w_scale.push_back(0x1p-4F * float(1 << (n % 7)));
  }

  void fill_with_all_codes(Random& random) {
    for (const auto codes : {x.view(), w.view()}) {
      for (std::int64_t r = 0; r < codes.rows(); ++r) {
        for (std::int64_t k = 0; k < codes.cols(); ++k) codes(r, k) = random_code(random);
      }
    }
  }
  void set_all(int x_code, int w_code) {
    for (const auto& [codes, code] : {std::pair(x.view(), x_code), std::pair(w.view(), w_code)}) {
      for (std::int64_t r = 0; r < codes.rows(); ++r) {
        for (std::int64_t k = 0; k < codes.cols(); ++k)
          codes(r, k) = static_cast<std::int8_t>(code);
      }
    }
  }
  void set_zero_points(std::initializer_list<std::int32_t> cycle) {
    zero_point.clear();
    for (std::int64_t m = 0; m < shape.M; ++m) {
      zero_point.push_back(std::data(cycle)[static_cast<std::size_t>(m) % cycle.size()]);
    }
  }

  Int8Rows X() const {
    return {x.view(), x_scale.data(), zero_point.empty() ? nullptr : zero_point.data()};
  }
  Int8Rows W() const { return {w.view(), w_scale.data()}; }

  /// The oracle, rounded as the contract's one conversion does: exact where scales are powers of 2.
  Matrix<double> expected() const {
    Matrix<double> value(shape.M, shape.N);
    w8a8_gemm_ref(X(), W(), value.view());
    for (std::int64_t m = 0; m < shape.M; ++m) {
      for (std::int64_t n = 0; n < shape.N; ++n) {
        value(m, n) = double{static_cast<float>(value(m, n))};
      }
    }
    return value;
  }

  GemmShape shape;
  Operand<std::int8_t> x, w;
  std::vector<float> x_scale, w_scale;
  std::vector<std::int32_t> zero_point;  // none: the symmetric product
};

}  // namespace qlab::test
