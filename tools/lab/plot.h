// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of `./lab plot`: what calibration sees in the inputs of one linear layer.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace qlab {

struct CalibrationPlotData {
  std::string layer;
  std::vector<float> samples;         ///< inputs of the layer
  std::vector<float> channel_absmax;  ///< [K] largest magnitude of each input channel, as trained
  std::vector<float> channel_absmax_outliers;  ///< [K] with planted outliers
  std::vector<float> channel_absmax_smoothed;  ///< [K] with them, after SmoothQuant
};

/// File name and SVG text of each: "magnitudes.svg" (a histogram, and where four calibrators clip),
/// "clipping.svg" (what a threshold costs), "channels.svg" (outlier channels, before and after).
/// \throws ContractError for samples that calibrate() refuses or that are all 0, and for channels
///         that are none, differ in number, or are not finite and at least 0.
std::vector<std::pair<std::string, std::string>> calibration_plots(const CalibrationPlotData& data);

}  // namespace qlab
