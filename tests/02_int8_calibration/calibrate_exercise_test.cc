// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise calibrate: thresholds that paper and pencil give, then a golden file and the
/// given calibrators on random samples.
#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "02_int8_calibration/calibrate_checks.h"
#include "02_int8_calibration/calibrate_golden.h"
#include "common/random.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Samples normal_samples(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  Samples samples(count);
  for (float& x : samples) x = static_cast<float>(random.normal());
  return samples;
}

std::vector<std::int64_t> counts(const std::vector<std::pair<std::size_t, std::int64_t>>& filled) {
  std::vector<std::int64_t> count(kHistogramBins);
  for (const auto& [bin, samples] : filled) count[bin] = samples;
  return count;
}

TEST(Calibrate, KeepsTheLargestOfAllBatches) {
  std::vector<Answer> answers;
  for (const auto& [batches, absmax] :
       std::vector<std::pair<std::vector<Samples>, double>>{{{{10}, {1}}, 10},
                                                            {{{1}, {10}}, 10},
                                                            {{{1, -10}, {2, 3}}, 10},
                                                            {{{-0.5F, 0.25F}}, 0.5},
                                                            {{{}, {-7, 3}, {}, {5}}, 7},
                                                            {{{3e38F}, {1e-40F}}, double{3e38F}}}) {
    std::string text = "absmax of";
    for (const Samples& batch : batches) text += " [" + text_of(batch) + "]";
    answers.push_back({text, collect(batches).absmax, absmax});
  }
  judge_answers("batches that grow and fall quiet", answers);
}

TEST(Calibrate, CountsEverySampleInItsBin) {
  // With an absmax of 2048 a bin is 1 wide.
  judge_histogram("0.5, -0.75, 1, -1.5, 2047, then -2048",
                  collect({{0.5F, -0.75F, 1, -1.5F}, {2047, -2048}}), 2048,
                  counts({{0, 2}, {1, 2}, {2047, 2}}));
  judge_histogram("1, 2 and -3, then 2048", collect({{1, 2, -3}, {2048}}), 2048,
                  counts({{1, 1}, {2, 1}, {3, 1}, {2047, 1}}));
  judge_histogram("2048, then 5, 6.25 and 7", collect({{2048}, {5, 6.25F, 7}}), 2048,
                  counts({{5, 1}, {6, 1}, {7, 1}, {2047, 1}}));
}

TEST(Calibrate, TakesZeros) {
  judge_histogram("0, -0 and 0", collect({{0, -0.0F}, {0}}), 0, counts({{0, 3}}));
  judge_answers("only zeros", {{"least squared error", mse_threshold({0, -0.0F, 0}), 0},
                               {"99th percentile", percentile_threshold({0, 0}, 99), 0}});
}

TEST(Calibrate, RefusesWhatIsNotFinite) {
  // 100 · batch + i of the sample that the message names; -1 when none was refused.
  const auto named = [](const std::vector<Samples>& batches) -> double {
    try {
      collect(batches);
    } catch (const ContractError& error) {
      int batch = -1, i = -1;
      std::istringstream text(error.what());
      text.ignore(256, '[') >> batch;
      text.ignore(256, '[') >> i;
      return 100 * batch + i;
    }
    return -1;
  };
  std::vector<Answer> answers = {{"finite samples", named({{1, 2}, {3}}), -1}};
  for (const float bad : {kNan, -kNan, kInfinity, -kInfinity}) {
    const std::string text = std::isnan(bad) ? "NaN" : bad > 0 ? "infinity" : "-infinity";
    answers.push_back({text + " as the first sample", named({{bad, 2}, {kNan}}), 0});
    answers.push_back({text + " between others", named({{1, 5}, {2, bad, 8}, {kNan}}), 101});
    answers.push_back({text + " as the last sample", named({{1}, {}, {2, 3, bad}}), 202});
  }
  judge_answers("which sample is refused", answers, [](double place) -> std::string {
    if (place < 0) return "none";
    const int index = static_cast<int>(place);
    return "batches[" + std::to_string(index / 100) + "][" + std::to_string(index % 100) + "]";
  });
}

TEST(Calibrate, InterpolatesBetweenMagnitudes) {
  const Samples five = {50, 10, 40, 20, 30};
  const auto ask = [](const Samples& samples, double p, double expected) -> Answer {
    return {text_of(p) + " % of " + text_of(samples), percentile_threshold(samples, p), expected};
  };
  judge_answers("percentiles of five values",
                {ask(five, 25, 20), ask(five, 50, 30), ask(five, 37.5, 25), ask(five, 87.5, 45)});
  judge_answers("percentiles of one value and of two",
                {ask({7}, 1, 7), ask({7}, 99, 7), ask({8, 4}, 50, 6), ask({8, 4}, 75, 7)});
}

TEST(Calibrate, OrdersMagnitudesNotValues) {
  const auto ask = [](const Samples& samples, double p, double expected) -> Answer {
    return {text_of(p) + " % of " + text_of(samples), percentile_threshold(samples, p), expected};
  };
  judge_answers("negative outliers",
                {ask({-50, 10, 40, 20, 30}, 75, 40), ask({-50, 10, 40, 20, 30}, 87.5, 45),
                 ask({-1, -2, -3}, 50, 2), ask({-100, 1, 1}, 75, 50.5)});
}

TEST(Calibrate, EndsAtTheLargestMagnitude) {
  const auto refuses = [](const Samples& samples, double p) {
    try {
      percentile_threshold(samples, p);
    } catch (const ContractError&) {
      return 1.0;
    }
    return 0.0;
  };
  judge_answers("100 %", {{"100 % of 3, -9, 6", percentile_threshold({3, -9, 6}, 100), 9},
                          {"100 % of 5", percentile_threshold({5}, 100), 5},
                          {"99.9 % of 0, 0, 0, -4", percentile_threshold({0, 0, 0, -4}, 99.9),
                           double{3.988F}, 4 * 0x1p-22},
                          {"50 % of 0, 0, 0, -4, which must not be 0",
                           percentile_threshold({0, 0, 0, -4}, 50), 4}});
  judge_answers("what is refused",
                {{"no samples", refuses({}, 50), 1},
                 {"0 %", refuses({1}, 0), 1},
                 {"-1 %", refuses({1}, -1), 1},
                 {"100.1 %", refuses({1}, 100.1), 1},
                 {"NaN among the samples", refuses({1, kNan}, 50), 1}},
                [](double refused) { return refused == 1 ? "refused" : "accepted"; });
}

TEST(Calibrate, ClipsOneToServeMany) {
  // 1,000 of each code of 100/127 and one value at 200: every other candidate costs the many more
  // than the 100² that clipping costs the one.
  Samples many = {200};
  for (int i = 0; i < 1000; ++i) {
    for (int code = -127; code <= 127; ++code) many.push_back(static_cast<float>(code) * 100 / 127);
  }
  // The same with 10,000 values at 200: clipping these would cost 10⁸.
  Samples heavy = many;
  heavy.resize(heavy.size() + 9'999, -200);
  judge_answers("values on the grid of 100 / 127, and some at ±200",
                {{"threshold with one at 200", mse_threshold(many), 100},
                 {"threshold with 10,000 at ±200", mse_threshold(heavy), 200}});
}

TEST(Calibrate, FollowsPowersOfTwo) {
  const TestSeed seed;
  Samples samples = normal_samples(500, seed);
  samples[3] = 6;
  const float threshold = mse_threshold(samples);
  std::vector<Answer> answers;
  for (const float factor : {0x1p-90F, 0x1p-1F, 0x1p90F}) {
    Samples scaled = samples;
    for (float& x : scaled) x *= factor;
    answers.push_back({"threshold of samples times " + text_of(double{factor}),
                       mse_threshold(scaled), double{factor * threshold}});
  }
  judge_answers("the same samples, scaled exactly; seed " + std::to_string(seed), answers);
}

TEST(Calibrate, LeavesATieToTheLargerThreshold) {
  // No scale is below the smallest normal float, so all thresholds give these the same codes.
  judge_answers("thresholds that cost the same",
                {{"threshold of ±1e-40, with the same scale for all 100",
                  mse_threshold({1e-40F, -1e-40F}), double{1e-40F}}});
}

/// Two samples in each even bin of the first 256 and one in each odd one, except for `empty`; then
/// 40 at the far end.
std::vector<std::int64_t> planted_histogram(const std::vector<std::size_t>& empty) {
  std::vector<std::int64_t> count(kHistogramBins);
  for (std::size_t b = 0; b < 256; ++b) count[b] = b % 2 == 0 ? 2 : 1;
  for (const std::size_t b : empty) count[b] = 0;
  count[kHistogramBins - 1] = 40;
  return count;
}

Answer ask_divergence(std::span<const std::int64_t> histogram, std::int64_t bins) {
  const double expected = entropy_of_clipping(histogram, bins);
  // The learner's sums of 2,048 terms in double are far closer than the float that judge takes.
  return {"KL divergence of keeping " + std::to_string(bins) + " bins",
          exercise::divergence_of_clipping(histogram, bins), expected,
          std::isinf(expected) ? 0 : std::max(1e-12, 0x1p-23 * expected)};
}

TEST(Calibrate, ChargesWhatIsClipped) {
  const std::vector<std::int64_t> count = planted_histogram({});
  // At 128 bins every bin has a level, so the divergence is what the clipped samples cost.
  judge_answers(
      "2, 1, 2, 1, … in 256 bins, 40 samples at the far end",
      {ask_divergence(count, 128), ask_divergence(count, 200), ask_divergence(count, 256)});
}

TEST(Calibrate, HasNoCodeForWhatIsClipped) {
  const std::vector<std::int64_t> count = planted_histogram({199});
  judge_answers(
      "bin 199 is empty, so 200 bins end with samples that no code stands for",
      {ask_divergence(count, 199), ask_divergence(count, 200), ask_divergence(count, 201)});
}

TEST(Calibrate, SpreadsALevelOverItsFilledBins) {
  judge_answers("empty bins among the first 256",
                {ask_divergence(planted_histogram({10, 11, 14, 100, 101}), 256),
                 ask_divergence(planted_histogram({10, 11, 14, 100, 101}), 250),
                 ask_divergence(planted_histogram({10, 11, 14, 100, 101}), 2048)});
  // Bins that do not fill levels evenly: level ⌊128 · b / 250⌋ has one or two.
  judge_answers("levels of one and two bins", {ask_divergence(planted_histogram({}), 250),
                                               ask_divergence(planted_histogram({}), 129)});
}

TEST(Calibrate, MatchesTheGoldenThresholds) {
  const CalibrateGolden golden = read_calibrate_golden();
  const auto absmax = static_cast<float>(golden.absmax);
  const std::span<const float> all = golden.samples;
  const Samples first(all.begin(), all.begin() + 4000);
  const Samples second(all.begin() + 4000, all.end());
  const exercise::MagnitudeHistogram histogram = collect({first, second});
  judge_histogram("8,192 samples in two batches", histogram, absmax, golden.histogram);
  std::vector<Answer> answers;
  for (const auto& [p, threshold] : golden.percentiles) {
    // FP32 may round the distance, its part and the sum; none is above the largest magnitude.
    answers.push_back({text_of(p) + " %", percentile_threshold(golden.samples, p), threshold,
                       3 * 0x1p-24 * golden.absmax});
  }
  answers.push_back({"least squared error", mse_threshold(golden.samples),
                     golden.absmax * (100 - golden.best_candidate) / 100});
  answers.push_back({"least divergence", exercise::entropy_threshold(histogram),
                     golden.absmax * golden.best_bins / kHistogramBins});
  judge_answers("8,192 samples with outliers 30 and -24: thresholds", answers);
  answers.clear();
  for (const auto& [bins, divergence] : golden.divergences) {
    answers.push_back({"KL divergence of keeping " + std::to_string(bins) + " bins",
                       exercise::divergence_of_clipping(golden.histogram, bins), divergence,
                       std::isinf(divergence) ? 0 : 0x1p-23 * divergence});
  }
  judge_answers("8,192 samples with outliers 30 and -24: divergences", answers);
}

TEST(Calibrate, AgreesWithTheGivenCalibrators) {
  const TestSeed seed;
  std::vector<Answer> answers;
  for (const int outliers : {0, 3, 100}) {
    Samples samples = normal_samples(3000, seed + static_cast<std::uint64_t>(outliers));
    for (std::size_t i = 0; i < static_cast<std::size_t>(outliers); ++i) samples[7 * i] *= 20;
    const std::string of = " of 3,000 normal samples, " + std::to_string(outliers) +
                           " of them 20 times as large; seed " + std::to_string(seed);
    const float absmax = largest_of(samples);
    answers.push_back({"99.9 %" + of, percentile_threshold(samples, 99.9),
                       calibrate(samples, Calibrator::kPercentile, 99.9), 3 * 0x1p-24 * absmax});
    answers.push_back(
        {"least squared error" + of, mse_threshold(samples), calibrate(samples, Calibrator::kMse)});
    answers.push_back({"least divergence" + of, exercise::entropy_threshold(collect({samples})),
                       calibrate(samples, Calibrator::kEntropy)});
  }
  judge_answers("random samples", answers);
}

TEST(Calibrate, ShowsThatRulesDisagree) {
  const CalibrateGolden golden = read_calibrate_golden();
  const float mse = mse_threshold(golden.samples);
  const float entropy = exercise::entropy_threshold(collect({golden.samples}));
  judge_answers("two outliers of 8,192",
                {{"threshold of the least squared error", mse, double{28.8F}},
                 {"threshold of the least divergence", entropy, double{3.3251953125F}}});
  Samples ordinary = golden.samples;
  ordinary[100] = ordinary[5000] = 0;
  std::ostringstream fact;
  fact.precision(3);
  fact << "Two outliers of 8,192, at 30 and -24: least squared error clips at " << mse
       << ", entropy at " << entropy << "; on the other 8,190 entropy's error is "
       << mean_squared_error(ordinary, mse) / mean_squared_error(ordinary, entropy)
       << " times smaller, on all of them "
       << mean_squared_error(golden.samples, entropy) / mean_squared_error(golden.samples, mse)
       << " times larger.";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
