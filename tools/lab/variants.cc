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

const Checkpoint& Variants::awq(const Configuration& configuration) {
  const std::int64_t group_size = configuration.recipe.group_size;
  const auto found = awq_.find(group_size);
  if (found != awq_.end()) return found->second;
  Checkpoint variant = checkpoint_;
  awq_checkpoint(variant, inputs(false, std::nullopt, CalibrationSet::kSameText),
                 {.group_size = group_size}, machine_);
  return awq_.emplace(group_size, std::move(variant)).first->second;
}

Calibrated Variants::calibrate(const Configuration& c) {
  if (c.method == Int4Method::kGptq) {
    return {.int4 = gptq_layers(checkpoint_, inputs(false, {}, CalibrationSet::kSameText),
                                {.group_size = c.recipe.group_size}, machine_)};
  }
  if (!c.fixed) return {};
  const auto [calibrator, set] = *c.fixed;
  if (set == CalibrationSet::kFile) return {.absmax = source_.file};
  return {.absmax = calibrate_layers(inputs(c.outliers, c.smoothing, set), calibrator,
                                     kUsualPercentile, machine_)};
}

Llama Variants::model(const Configuration& c) {
  const Checkpoint& weights =
      c.method == Int4Method::kAwq ? awq(c) : checkpoint(c.outliers, c.smoothing);
  return {weights, c.recipe, machine_, calibrate(c)};
}

}  // namespace qlab
