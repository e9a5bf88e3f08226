// SPDX-License-Identifier: Apache-2.0
/// \file
/// `lab calibrate`: fixes the scales of INT8 activations on sample text and writes them to a file.
#pragma once

#include <cstdint>
#include <filesystem>

#include "02_int8_calibration/calibrate.h"
#include "lab/terminal.h"

namespace qlab {

struct CalibrateOptions {
  std::filesystem::path file;   ///< where the thresholds go
  std::filesystem::path model;  ///< empty: the lab's own model
  std::filesystem::path text;   ///< folder of *.txt; empty: the lab's calibration text
  std::int64_t bytes = 1024;    ///< of text that the model sees
  Calibrator calibrator = Calibrator::kPercentile;
  double percentile = kUsualPercentile;
  int threads = 1;
  bool force = false;  ///< replace a file that is there
};

/// Prints the largest magnitude and the threshold of every layer and writes the file.
/// \throws InputError for a file that exists (without force) or cannot be written, a model or text that
///         cannot be used.
int run_calibrate(const CalibrateOptions& options, const Terminal& terminal);

}  // namespace qlab
