// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of quantize_affine ask for parameters, codes and values, and what they compare with.
#pragma once

#include <cstdint>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "02_int8_calibration/code_checks.h"
#include "02_int8_calibration/quantize_affine.h"
#include "common/random.h"

namespace qlab::test {

inline std::string text_of(AffineScale p) {
  return "scale " + number_text(p.scale) + ", zero point " + std::to_string(p.zero_point);
}

inline void check_parameters(const std::string& name, const std::vector<std::vector<float>>& rows) {
  std::vector<Answer> answers;
  for (const std::vector<float>& x : rows) {
    const AffineScale got = exercise::affine_scale(x), expected = affine_scale_ref(x);
    const std::string of = " of x = " + list_text(x);
    answers.push_back({"the scale" + of, got.scale, expected.scale});
    answers.push_back({"the zero point" + of, static_cast<float>(got.zero_point),
                       static_cast<double>(expected.zero_point)});
  }
  judge_answers(name, answers);
}

inline std::vector<float> codes_of(const std::string& name, std::span<const float> x,
                                   AffineScale parameters) {
  return codes_of(name, x, [=](std::span<const float> values, std::span<std::int8_t> codes) {
    exercise::quantize_affine(values, parameters, codes);
  });
}

inline void check_codes(const std::string& name, const std::vector<float>& x,
                        AffineScale parameters) {
  const std::vector<float> got = codes_of(name, x, parameters);
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < x.size(); ++i) {
    answers.push_back({"the code of x = " + number_text(x[i]) + " with " + text_of(parameters) +
                           ", x / scale = " + number_text(x[i] / parameters.scale),
                       got[i], static_cast<double>(affine_code_ref(x[i], parameters))});
  }
  judge_answers(name, answers);
}

inline std::vector<float> values_of(std::span<const std::int8_t> codes, AffineScale parameters) {
  Guarded<float> x(1, static_cast<std::int64_t>(codes.size()));
  exercise::dequantize_affine(codes, parameters, x.view().row(0, 0, x.view().cols()));
  const testing::AssertionResult whole = x.written_exactly();
  if (!whole) reject("dequantize_affine", std::string("x: ") + whole.message());
  return {x.view().row(0), x.view().row(0) + x.view().cols()};
}

inline std::vector<std::int8_t> codes_between(int first, int last) {
  std::vector<std::int8_t> codes;
  for (int code = first; code <= last; ++code) codes.push_back(static_cast<std::int8_t>(code));
  return codes;
}

/// The values of all codes.
inline void check_values(const std::string& name, AffineScale p) {
  const std::vector<std::int8_t> codes = codes_between(-128, 127);
  const std::vector<float> values = values_of(codes, p);
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const double value = double{p.scale} * (codes[i] - p.zero_point);
    answers.push_back({"the value of code " + std::to_string(codes[i]) + " with " + text_of(p),
                       values[i], static_cast<float>(value)});
  }
  judge_answers(name, answers);
}

/// The codes of the values of all codes. A value and its division back err by less than 2⁻²² of up to
/// 255 steps, far from half a step.
inline void check_round_trip(const std::string& name, AffineScale p) {
  const std::vector<std::int8_t> codes = codes_between(-128, 127);
  const std::vector<float> got = codes_of(name, values_of(codes, p), p);
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    answers.push_back({"code " + std::to_string(codes[i]) + ", to a value and back, " + text_of(p),
                       got[i], static_cast<double>(codes[i])});
  }
  judge_answers(name, answers);
}

/// Values that went through their own parameters come back to half a step, at the ends too, which the
/// rounded zero point moves by as much; and three roundings of up to 256 steps in FP32: quotient, zero
/// point and product.
inline void check_errors(const std::string& name, const std::vector<float>& x) {
  const AffineScale p = exercise::affine_scale(x);
  std::vector<std::int8_t> codes(x.size());
  exercise::quantize_affine(x, p, codes);
  const std::vector<float> values = values_of(codes, p);
  std::vector<Answer> answers;
  for (std::size_t i = 0; i < x.size(); ++i) {
    answers.push_back({"x = " + number_text(x[i]) + ", which became code " +
                           std::to_string(codes[i]) + " with " + text_of(p),
                       values[i], x[i], p.scale * (0.5 + 3 * 256 * 0x1p-24)});
  }
  judge_answers(name, answers);
}

/// Multiples of a quarter of 2⁻³, the scale of most tests here, without the ties.
inline std::vector<float> quarters(int first, int last) {
  std::vector<float> x;
  for (int quarter = first; quarter <= last; ++quarter) {
    if (quarter % 4 != 2 && quarter % 4 != -2) x.push_back(static_cast<float>(quarter) / 32);
  }
  return x;
}

/// A line of the golden file: a range, its parameters, and the codes of its ends and of 0.
struct GoldenRange {
  double lo, hi, scale, zero_point, code_of_lo, code_of_0, code_of_hi;
};

inline std::vector<GoldenRange> golden_ranges() {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/02_int8_calibration/golden/quantize_affine.csv");
  std::vector<GoldenRange> ranges;
  std::string line;
  std::getline(file, line);  // the names of the columns
  while (std::getline(file, line)) {
    std::istringstream cells(line);
    char comma;
    GoldenRange r{};
    cells >> r.lo >> comma >> r.hi >> comma >> r.scale >> comma >> r.zero_point >> comma >>
        r.code_of_lo >> comma >> r.code_of_0 >> comma >> r.code_of_hi;
    if (cells) ranges.push_back(r);
  }
  return ranges;
}

/// Judges the ranges of the golden file, which was made in double, and returns how many.
inline int check_golden_ranges() {
  std::vector<Answer> answers;
  int ranges = 0;
  for (const GoldenRange& golden : golden_ranges()) {
    // The zero point of a symmetric range is the tie -0.5; in FP32 the scale rounds, and -1 / scale
    // falls beside the tie.
    if (golden.lo == -golden.hi && golden.lo != 0) continue;
    const float x[] = {static_cast<float>(golden.lo), 0, static_cast<float>(golden.hi)};
    const AffineScale p = exercise::affine_scale(std::vector<float>{x[0], x[2]});
    const std::string of = " of " + number_text(golden.lo) + " … " + number_text(golden.hi);
    // Rounded here and not there: the ends, their difference, the quotient. Each leaves at most
    // 2⁻²⁴ of the range.
    answers.push_back({"the scale" + of, p.scale, golden.scale, golden.scale * 4 * 0x1p-24});
    answers.push_back({"the zero point" + of, static_cast<float>(p.zero_point), golden.zero_point});
    const std::vector<float> codes = codes_of("golden", x, p);
    answers.push_back({"the code of the smallest" + of, codes[0], golden.code_of_lo});
    answers.push_back({"the code of 0" + of, codes[1], golden.code_of_0});
    answers.push_back({"the code of the largest" + of, codes[2], golden.code_of_hi});
    ++ranges;
  }
  judge_answers("golden ranges", answers);
  return ranges;
}

inline constexpr std::int32_t kZeroPoints[] = {-128, -127, -37, 0, 1, 64, 127};

}  // namespace qlab::test
