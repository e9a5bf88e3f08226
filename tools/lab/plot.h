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

/// Recall of the model with its cache in one format.
struct RecallPoint {
  double bits;               ///< a value of K or V takes, scales included
  double recall, low, high;  ///< with its 95 % interval
};

/// File name and SVG text: "recall.svg", recall against bits. Each list in the order of its bits.
/// \param token  formats whose scales belong to a token
/// \param kivi   K by channel, V by token, the newest in FP16
/// \throws ContractError for an empty list and for points that are not finite.
std::vector<std::pair<std::string, std::string>> recall_plot(const std::vector<RecallPoint>& token,
                                                             const std::vector<RecallPoint>& kivi);

}  // namespace qlab
