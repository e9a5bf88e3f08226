// SPDX-License-Identifier: Apache-2.0
/// \file
/// Makes variants of the checkpoint in the order in which they follow from each other: planted first,
/// then observed, then smoothed, then observed again for fixed scales.
#include "lab/variants.h"

namespace qlab {

const Checkpoint& Variants::checkpoint(bool outliers, std::optional<double> smoothing) {
  if (!outliers && !smoothing) return checkpoint_;
  const auto found = checkpoints_.find({outliers, smoothing});
  if (found != checkpoints_.end()) return found->second;

  Checkpoint variant = smoothing ? checkpoint(outliers, std::nullopt) : checkpoint_;
  if (smoothing) {
    smooth_checkpoint(variant, inputs(outliers, std::nullopt, CalibrationSet::kSameText),
                      *smoothing);
  } else {
    plant_outliers(variant, kOutlierFactor, kOutlierChannels);
  }
  return checkpoints_.emplace(std::pair(outliers, smoothing), std::move(variant)).first->second;
}

const std::vector<LayerInput>& Variants::inputs(bool outliers, std::optional<double> smoothing,
                                                CalibrationSet set) {
  const std::tuple asked(outliers, smoothing, set);
  if (observed_ == asked) return inputs_;
  const Llama fp16(checkpoint(outliers, smoothing), {}, machine_);
  inputs_ = observe_inputs(fp16, source_.texts.at(set), machine_);
  observed_ = asked;
  return inputs_;
}

Llama Variants::model(const Configuration& configuration) {
  const bool outliers = configuration.outliers;
  const std::optional<double> smoothing = configuration.smoothing;
  const Checkpoint& weights = checkpoint(outliers, smoothing);
  Thresholds thresholds;
  if (configuration.fixed) {
    const auto [calibrator, set] = *configuration.fixed;
    thresholds = set == CalibrationSet::kFile
                     ? source_.file
                     : calibrate_layers(inputs(outliers, smoothing, set), calibrator,
                                        kUsualPercentile, machine_);
  }
  return {weights, configuration.recipe, machine_, thresholds};
}

}  // namespace qlab
