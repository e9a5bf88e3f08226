// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of quantize_symmetric ask for scales, codes and values, and what they compare with.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "02_int8_calibration/code_checks.h"
#include "02_int8_calibration/quantize_rows.h"
#include "02_int8_calibration/quantize_static.h"
#include "02_int8_calibration/quantize_symmetric.h"
#include "common/random.h"

namespace qlab::test {

inline MatrixView<const float> one_row(std::span<const float> x) {
  const auto n = static_cast<std::int64_t>(x.size());
  return {x.data(), 1, n, n};
}

inline float scale_ref(std::span<const float> x) {
  Matrix<std::int8_t> codes(1, static_cast<std::int64_t>(x.size()));
  float scale = 0;
  quantize_rows_ref(one_row(x), Granularity::kPerRow, codes.view(), &scale);
  return scale;
}

inline void check_scales(const std::string& name, const std::vector<std::vector<float>>& rows) {
  std::vector<Answer> answers;
  for (const std::vector<float>& x : rows) {
    answers.push_back(
        {"the scale of x = " + list_text(x), exercise::symmetric_scale(x), scale_ref(x)});
  }
  judge_answers(name, answers);
}

inline std::vector<float> codes_of(const std::string& name, std::span<const float> x, float scale) {
  return codes_of(name, x, [=](std::span<const float> values, std::span<std::int8_t> codes) {
    exercise::quantize_symmetric(values, scale, codes);
  });
}

inline void check_codes(const std::string& name, const std::vector<float>& x, float scale) {
  Matrix<std::int8_t> expected(1, static_cast<std::int64_t>(x.size()));
  quantize_static_ref(one_row(x), scale, expected.view());
  const std::vector<float> got = codes_of(name, x, scale);
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < x.size(); ++i) {
    answers.push_back({"the code of x = " + number_text(x[i]) + " with scale " +
                           number_text(scale) + ", x / scale = " + number_text(x[i] / scale),
                       got[i], static_cast<double>(expected.data()[i])});
  }
  judge_answers(name, answers);
}

inline std::vector<float> values_of(std::span<const std::int8_t> codes, float scale) {
  Guarded<float> x(1, static_cast<std::int64_t>(codes.size()));
  exercise::dequantize_symmetric(codes, scale, x.view().row(0, 0, x.view().cols()));
  const testing::AssertionResult whole = x.written_exactly();
  if (!whole) reject("dequantize_symmetric", std::string("x: ") + whole.message());
  return {x.view().row(0), x.view().row(0) + x.view().cols()};
}

inline std::vector<std::int8_t> all_codes() {
  std::vector<std::int8_t> codes;
  for (int code = -127; code <= 127; ++code) codes.push_back(static_cast<std::int8_t>(code));
  return codes;
}

inline std::vector<float> normal_values(std::size_t count, Random& random) {
  std::vector<float> x(count);
  for (float& value : x) value = static_cast<float>(random.normal());
  return x;
}

}  // namespace qlab::test
