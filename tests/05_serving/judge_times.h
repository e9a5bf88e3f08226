// SPDX-License-Identifier: Apache-2.0
/// \file
/// judge_times: seconds, or rates, in a list, each with what it is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/matrix.h"
#include "support/exercise.h"

namespace qlab::test {

/// One time that the learner's code computed.
struct Time {
  std::string what;
  double got, expected;
};

/// A dozen roundings of a double, 2⁻⁵³ each, disappear beside the one to float, 2⁻²⁴, that judge()
/// needs: twice that is allowed. Where nothing rounds, `factor` is 0.
inline void judge_times(const std::string& name, const std::vector<Time>& times,
                        double factor = 0x1p-23) {
  const auto n = static_cast<std::int64_t>(times.size());
  Matrix<float> got(1, n);
  Matrix<double> expected(1, n);
  for (std::int64_t i = 0; i < n; ++i) {
    got(0, i) = static_cast<float>(times[static_cast<std::size_t>(i)].got);
    expected(0, i) = times[static_cast<std::size_t>(i)].expected;
  }
  const auto place = [&](auto, auto i) { return times[static_cast<std::size_t>(i)].what; };
  judge({.name = name, .place = place}, got.view(), expected.view(),
        relative(expected.view(), factor));
}

}  // namespace qlab::test
