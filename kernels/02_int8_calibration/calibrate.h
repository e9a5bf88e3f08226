// SPDX-License-Identifier: Apache-2.0
/// \file
/// calibrate: one threshold for a whole tensor from samples of it; scale = int8_scale(threshold).
///
/// Bottleneck   none that inference feels: it runs once, before the model is served
/// Bytes moved  the samples once (absmax), sorted (percentile), 100 times (MSE), binned (entropy)
/// Teaches      clipping the few buys a finer step for the many; what is best depends on the data
/// Leaves out   a threshold a channel or token (quantize_rows); asymmetric ranges
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "common/contract.h"

namespace qlab {

enum class Calibrator {
  kAbsmax,      ///< the largest magnitude: nothing is clipped
  kPercentile,  ///< a percentile of the magnitudes, by linear interpolation (type 7)
  kMse,         ///< the least squared error of 100 thresholds, absmax · (1 - i/100)
  kEntropy,  ///< the least KL divergence from the histogram of magnitudes, clipped, to 128 levels
};

inline constexpr Calibrator kAllCalibrators[] = {Calibrator::kAbsmax, Calibrator::kPercentile,
                                                 Calibrator::kMse, Calibrator::kEntropy};

/// "absmax", "percentile", "mse", "entropy".
std::string_view calibrator_name(Calibrator calibrator);

/// The calibrator of that name, or nothing.
std::optional<Calibrator> calibrator_named(std::string_view name);

inline constexpr std::int64_t kHistogramBins = 2048;
inline constexpr std::int64_t kHistogramLevels = 128;
inline constexpr double kUsualPercentile = 99.99;

/// The threshold that the calibrator chooses for the samples, in (0, largest magnitude]. All zeros
/// give 0, from which int8_scale makes the scale 1. Where so many samples are 0 that the percentile
/// is, the largest magnitude stands in for it: a threshold of 0 would lose all the others.
///
/// Source: Wu et al., "Integer Quantization for Deep Learning Inference", 2020, section 5 (absmax,
/// percentile, entropy); Migacz, "8-bit Inference with TensorRT", 2017 (entropy).
///
/// \param samples     in any order; several batches are one behind the other
/// \param percentile  in (0, 100], for kPercentile only
/// \throws ContractError for no samples, one that is not finite (named by its index), or a
///         percentile outside its range.
float calibrate(std::span<const float> samples, Calibrator calibrator,
                double percentile = kUsualPercentile);

/// How many magnitudes fall into each of kHistogramBins equal bins over [0, absmax]; absmax itself
/// and what lies beyond it is in the last one. absmax > 0.
std::vector<std::int64_t> magnitude_histogram(std::span<const float> samples, float absmax);

/// The mean of (x - scale · code)² with codes clamped to ±127 and scale = int8_scale(threshold).
double mean_squared_error(std::span<const float> samples, float threshold);

/// KL divergence, in nats, of keeping the first `bins` bins: P is the clipped histogram with all
/// beyond added to its last bin, Q the unclipped bins gathered into kHistogramLevels cells and spread
/// evenly over those of a cell that are not empty. +∞ where P has mass and Q has none.
/// \param bins  kHistogramLevels … kHistogramBins
double entropy_of_clipping(std::span<const std::int64_t> histogram, std::int64_t bins);

/// The exercise: these are written by the learner, and linked from labs/ or solutions/. The
/// calibrators above are the oracle.
namespace exercise {

/// What calibration keeps of all batches it has seen.
struct MagnitudeHistogram {
  float absmax = 0;                 ///< the largest magnitude of all batches
  std::vector<std::int64_t> count;  ///< of each of kHistogramBins equal bins over [0, absmax]
};

/// The range of all batches together, and how their magnitudes are spread over it. Bin
/// ⌊|x| / absmax · kHistogramBins⌋, in double, holds x; absmax itself is in the last one. All zeros
/// are in bin 0.
/// \param batches  each may be empty, not all of them
/// \throws ContractError for no samples, or naming the first one that is not finite.
MagnitudeHistogram collect(std::span<const std::span<const float>> batches);

/// The percentile of the magnitudes, linear between the two at position (n - 1) · percentile / 100 of
/// their order (type 7); the largest magnitude where that is 0.
/// \throws ContractError for no samples, one that is not finite, a percentile outside (0, 100].
float percentile_threshold(std::span<const float> samples, double percentile);

/// Of the 100 thresholds absmax · (100 - i) / 100, i = 0 … 99, the one with the least sum of
/// (x - scale · code)², scale = int8_scale(threshold), codes clamped to ±127. Ties go to the larger.
/// \param absmax  the largest magnitude of the samples
/// \throws ContractError for no samples, or one that is not finite.
float mse_threshold(std::span<const float> samples, float absmax);

/// The same as qlab::entropy_of_clipping, for the learner's p and q.
double divergence_of_clipping(std::span<const std::int64_t> histogram, std::int64_t bins);

/// absmax · bins / kHistogramBins, for the first `bins` in kHistogramLevels … kHistogramBins at which
/// divergence_of_clipping is least.
float entropy_threshold(const MagnitudeHistogram& histogram);

}  // namespace exercise

}  // namespace qlab
