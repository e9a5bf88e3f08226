// SPDX-License-Identifier: Apache-2.0
/// \file
/// The golden samples of calibrate and what golden/calibrate.txt says of them.
#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "common/contract.h"
#include "common/random.h"

namespace qlab::test {

struct CalibrateGolden {
  std::vector<float> samples;
  double absmax = 0;
  std::map<double, double> percentiles;  ///< p → threshold
  int best_candidate = -1;               ///< i of absmax · (1 - i/100)
  std::map<int, double> errors;          ///< i → mean squared error
  int best_bins = -1;
  std::map<std::int64_t, double> divergences;  ///< bins → KL divergence
  std::vector<std::int64_t> histogram;
};

/// A file that is missing or torn is an error, never an empty test.
inline CalibrateGolden read_calibrate_golden() {
  CalibrateGolden golden;
  Random random(123);
  for (int i = 0; i < 8192; ++i) {
    double sum = 0;
    for (int j = 0; j < 12; ++j) sum += random.uniform();
    golden.samples.push_back(static_cast<float>(sum - 6));
  }
  golden.samples[100] = 30;
  golden.samples[5000] = -24;

  const std::string path = QLAB_SOURCE_DIR "/tests/02_int8_calibration/golden/calibrate.txt";
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);  // the comment
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string key, value;
    words >> key;
    double index = 0;
    if (key == "absmax") {
      words >> golden.absmax;
    } else if (key == "mse_best") {
      words >> golden.best_candidate;
    } else if (key == "entropy_best") {
      words >> golden.best_bins;
    } else if (key == "histogram") {
      for (std::int64_t count; words >> count;) golden.histogram.push_back(count);
      words.clear();
    } else {
      words >> index >> value;  // streams do not read "inf", stod does
      const double number = std::stod(value);
      if (key == "percentile") golden.percentiles[index] = number;
      if (key == "mse") golden.errors[static_cast<int>(index)] = number;
      if (key == "entropy") golden.divergences[static_cast<std::int64_t>(index)] = number;
    }
    QLAB_CHECK(words, path, ": cannot read '", line.substr(0, 60), "'");
  }
  QLAB_CHECK(golden.percentiles.size() == 5 && golden.errors.size() == 5 &&
                 golden.divergences.size() == 6 && golden.histogram.size() == 2048,
             path, ": is missing or ends early");
  return golden;
}

}  // namespace qlab::test
