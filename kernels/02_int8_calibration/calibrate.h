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

}  // namespace qlab
