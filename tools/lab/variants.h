// SPDX-License-Identifier: Apache-2.0
/// \file
/// Variants: the checkpoint and the recipe that a configuration runs on. Outliers are planted, inputs
/// observed, scales calibrated and channels smoothed when a configuration first asks for it.
#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "common/isa.h"
#include "lab/configurations.h"
#include "model/calibration.h"

namespace qlab {

/// What scales are fixed on.
struct CalibrationSource {
  std::map<CalibrationSet, std::vector<Document>> texts;
  Thresholds file;  ///< of CalibrationSet::kFile
};

class Variants {
 public:
  /// Both must outlive it.
  Variants(const Checkpoint& checkpoint, const CalibrationSource& source, const Machine& machine)
      : checkpoint_(checkpoint), source_(source), machine_(machine) {}

  /// The model of a configuration.
  Llama model(const Configuration& configuration);

  /// What flows into the layers of the plain or the planted checkpoint, smoothed or not, in FP16.
  const std::vector<LayerInput>& inputs(bool outliers, std::optional<double> smoothing,
                                        CalibrationSet set);

 private:
  const Checkpoint& checkpoint(bool outliers, std::optional<double> smoothing);
  const Checkpoint& awq(const Configuration& configuration);
  Calibrated calibrate(const Configuration& configuration);

  const Checkpoint& checkpoint_;
  const CalibrationSource& source_;
  const Machine& machine_;
  std::map<std::pair<bool, std::optional<double>>, Checkpoint> checkpoints_;
  std::map<std::int64_t, Checkpoint> awq_;  ///< by group_size
  /// Of the variant that was asked for last: the samples of one take tens of megabytes.
  std::optional<std::tuple<bool, std::optional<double>, CalibrationSet>> observed_;
  std::vector<LayerInput> inputs_;
};

}  // namespace qlab
