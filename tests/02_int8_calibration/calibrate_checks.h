// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of the exercise calibrate feed samples and put their questions: answers are judged
/// in a list, and each says what it is.
#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "02_int8_calibration/calibrate.h"
#include "common/matrix.h"
#include "support/exercise.h"
#include "support/fenced.h"

namespace qlab::test {

using Samples = std::vector<float>;

/// A copy of the samples behind which nobody may read.
class FencedSamples {
 public:
  explicit FencedSamples(const Samples& samples)
      : size_(samples.size()),
        fenced_(
            {samples.data(), samples.empty() ? 0 : 1, std::ssize(samples), std::ssize(samples)}) {}
  std::span<const float> span() const { return {fenced_.data(), size_}; }

 private:
  std::size_t size_;
  Fenced<float> fenced_;
};

inline exercise::MagnitudeHistogram collect(const std::vector<Samples>& batches) {
  std::vector<std::unique_ptr<FencedSamples>> fenced;
  std::vector<std::span<const float>> spans;
  for (const Samples& batch : batches) {
    fenced.push_back(std::make_unique<FencedSamples>(batch));
    spans.push_back(fenced.back()->span());
  }
  return exercise::collect(spans);
}

inline float percentile_threshold(const Samples& samples, double percentile) {
  const FencedSamples fenced(samples);
  return exercise::percentile_threshold(fenced.span(), percentile);
}

inline float largest_of(const Samples& samples) { return calibrate(samples, Calibrator::kAbsmax); }

inline float mse_threshold(const Samples& samples) {
  const FencedSamples fenced(samples);
  return exercise::mse_threshold(fenced.span(), largest_of(samples));
}

inline std::string text_of(double number) {
  std::ostringstream text;
  text.precision(9);
  text << number;
  return text.str();
}

/// "10, -3, …": the first few of them.
inline std::string text_of(const Samples& samples) {
  std::string text;
  for (std::size_t i = 0; i < samples.size() && i < 6; ++i) {
    text += (i == 0 ? "" : ", ") + text_of(double{samples[i]});
  }
  return samples.size() > 6 ? text + ", …" : text;
}

/// One number that the learner's code computed.
struct Answer {
  std::string what;
  double got, expected;
  double allowed = 0;
};

/// judge() takes no infinity, so a number stands for it that no divergence reaches.
inline constexpr double kInfinite = 1e30;

inline std::string number_or_infinity(double value) {
  return value > 0.9 * kInfinite ? "infinity" : text_of(value);
}

/// `value` writes an answer.
inline void judge_answers(const std::string& name, const std::vector<Answer>& answers,
                          const std::function<std::string(double)>& value = number_or_infinity) {
  const auto n = std::ssize(answers);
  Matrix<float> got(1, n);
  Matrix<double> expected(1, n);
  const auto at = [&](std::int64_t i) -> const Answer& {
    return answers[static_cast<std::size_t>(i)];
  };
  for (std::int64_t i = 0; i < n; ++i) {
    got(0, i) = static_cast<float>(std::isinf(at(i).got) ? kInfinite : at(i).got);
    expected(0, i) = static_cast<float>(std::isinf(at(i).expected) ? kInfinite : at(i).expected);
  }
  judge({.name = name, .place = [&](auto, auto i) { return at(i).what; }, .value = value},
        got.view(), expected.view(), [&](auto, auto i) { return at(i).allowed; });
}

/// The counts of all bins, and the largest magnitude.
inline void judge_histogram(const std::string& name, const exercise::MagnitudeHistogram& got,
                            float absmax, std::span<const std::int64_t> expected) {
  if (std::ssize(got.count) != kHistogramBins) {
    reject(name, "count has " + std::to_string(got.count.size()) + " bins, expected 2048");
    return;
  }
  judge_answers(name + ": absmax", {{"the largest magnitude", got.absmax, absmax}});
  std::vector<Answer> answers;
  const double width = double{absmax} / kHistogramBins;
  for (std::size_t b = 0; b < expected.size(); ++b) {
    const auto low = static_cast<double>(b) * width;
    answers.push_back({"samples in bin " + std::to_string(b) + ", which holds magnitudes from " +
                           text_of(low) + " to " + text_of(low + width),
                       static_cast<double>(got.count[b]), static_cast<double>(expected[b])});
  }
  judge_answers(name + ": counts", answers);
}

}  // namespace qlab::test
