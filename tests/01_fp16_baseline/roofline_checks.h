// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of roofline put their questions: numbers are asked in a list, judged at once, and
/// each says what it is.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "01_fp16_baseline/roofline.h"
#include "common/matrix.h"
#include "support/exercise.h"

namespace qlab::test {

inline constexpr WeightStorage kFp16{16, 0}, kInt8{8, 0}, kInt4G128{4, 128}, kInt4G32{4, 32};

inline std::string text_of(WeightStorage w) {
  const std::string bits = std::to_string(w.bits) + " bits";
  return w.group_size == 0 ? bits : bits + " in groups of " + std::to_string(w.group_size);
}

inline std::string text_of(GemmSides s) {
  return "M=" + std::to_string(s.M) + " N=" + std::to_string(s.N) + " K=" + std::to_string(s.K);
}

inline std::string text_of(Roofline r) {
  std::ostringstream out;
  out << r.flops_per_second << " FLOP/s, " << r.bytes_per_second << " byte/s";
  return out.str();
}

inline std::string text_of(Cost cost) {
  return std::to_string(cost.flops) + " FLOPs, " + std::to_string(cost.bytes) + " bytes";
}

/// One number that the learner's code computed.
struct Answer {
  std::string what;
  double got, expected;
};

/// judge() looks at floats, which hold 24 bits: two numbers that differ must not become equal there.
inline float as_float(double got, double expected) {
  const auto rounded = static_cast<float>(got);
  if (got == expected || rounded != static_cast<float>(expected)) return rounded;
  return std::nextafter(rounded, got < expected ? 0 : std::numeric_limits<float>::infinity());
}

/// Exact: an expected number beyond 2²⁴ must be a multiple of a power of two, as the ones of real
/// layers are. `value` writes a number.
inline void judge_exactly(const std::string& name, const std::vector<Answer>& answers,
                          const std::function<std::string(double)>& value = {}) {
  const auto n = static_cast<std::int64_t>(answers.size());
  Matrix<float> got(1, n);
  Matrix<double> expected(1, n);
  for (std::int64_t i = 0; i < n; ++i) {
    const Answer& answer = answers[static_cast<std::size_t>(i)];
    got(0, i) = as_float(answer.got, answer.expected);
    expected(0, i) = answer.expected;
  }
  const auto place = [&](auto, auto i) { return answers[static_cast<std::size_t>(i)].what; };
  judge({.name = name, .place = place, .value = value}, got.view(), expected.view(), exactly());
}

/// Three or four roundings of a double, 2⁻⁵³ each, disappear beside the one to float, 2⁻²⁴, that
/// judge() needs: twice that is allowed.
inline void judge_rounded(const std::string& name, const std::vector<Answer>& answers) {
  const auto n = static_cast<std::int64_t>(answers.size());
  Matrix<float> got(1, n);
  Matrix<double> expected(1, n);
  for (std::int64_t i = 0; i < n; ++i) {
    got(0, i) = static_cast<float>(answers[static_cast<std::size_t>(i)].got);
    expected(0, i) = answers[static_cast<std::size_t>(i)].expected;
  }
  const auto place = [&](auto, auto i) { return answers[static_cast<std::size_t>(i)].what; };
  judge({.name = name, .place = place}, got.view(), expected.view(),
        relative(expected.view(), 0x1p-23));
}

struct CostCase {
  GemmSides sides;
  WeightStorage storage;
  Cost expected;
};

inline double as_double(std::int64_t count) { return static_cast<double>(count); }

inline void check_costs(const std::string& name, const std::vector<CostCase>& cases) {
  std::vector<Answer> answers;
  for (const auto& [sides, storage, expected] : cases) {
    const Cost got = exercise::gemm_cost(sides, storage);
    const std::string of = " of " + text_of(sides) + ", " + text_of(storage);
    answers.push_back({"bytes" + of, as_double(got.bytes), as_double(expected.bytes)});
    answers.push_back({"FLOPs" + of, as_double(got.flops), as_double(expected.flops)});
  }
  judge_exactly(name, answers, [](double count) { return std::to_string(std::llround(count)); });
}

struct Work {
  Cost cost;
  Roofline machine;
};

/// Intensity, ridge and seconds.
inline void check_estimates(const std::string& name, const std::vector<Work>& cases) {
  std::vector<Answer> answers;
  for (const auto& [cost, machine] : cases) {
    const RooflineEstimate got = exercise::estimate(cost, machine);
    const RooflineEstimate expected = estimate_ref(cost, machine);
    const std::string of = " of " + text_of(cost) + " at " + text_of(machine);
    answers.push_back({"intensity" + of, got.intensity, expected.intensity});
    answers.push_back({"ridge" + of, got.ridge, expected.ridge});
    answers.push_back({"seconds" + of, got.seconds, expected.seconds});
  }
  judge_rounded(name, answers);
}

inline void check_bottlenecks(const std::string& name, const std::vector<Work>& cases) {
  const auto number = [](Bottleneck b) { return b == Bottleneck::kCompute ? 1.0 : 0.0; };
  std::vector<Answer> answers;
  for (const auto& [cost, machine] : cases) {
    answers.push_back({text_of(cost) + " at " + text_of(machine),
                       number(exercise::estimate(cost, machine).bottleneck),
                       number(estimate_ref(cost, machine).bottleneck)});
  }
  judge_exactly(name, answers, [](double b) { return b == 1 ? "kCompute" : "kMemory"; });
}

}  // namespace qlab::test
