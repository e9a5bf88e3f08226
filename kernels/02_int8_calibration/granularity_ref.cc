// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of granularity: each element looks for its group.
#include <cmath>
#include <cstdlib>
#include <vector>

#include "02_int8_calibration/granularity.h"

namespace qlab {

void group_scales_ref(MatrixView<const float> x, std::int64_t group_size,
                      MatrixView<double> scale) {
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    for (std::int64_t g = 0; g < scale.cols(); ++g) scale(r, g) = 0;
    for (std::int64_t k = 0; k < x.cols(); ++k) {
      double& largest = scale(r, k / group_size);
      largest = std::fmax(largest, std::fabs(x(r, k)));
    }
    for (std::int64_t g = 0; g < scale.cols(); ++g) {  // largest magnitudes until here
      const double step = std::fmax(scale(r, g) / 127, 0x1p-126);
      scale(r, g) = scale(r, g) == 0 ? 1 : static_cast<float>(step);
    }
  }
}

double group_dot_ref(std::span<const std::int8_t> x, float x_scale, std::span<const std::int8_t> w,
                     std::span<const float> w_scale, std::int64_t group_size, double& size) {
  std::vector<double> of_group(w_scale.size());
  double value = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const std::size_t g = k / static_cast<std::size_t>(group_size);
    const double product = double{x_scale} * x[k] * (double{w_scale[g]} * w[k]);
    of_group[g] += product;
    value += product;
  }
  size = 0;
  for (const double sum : of_group) size += std::fabs(sum);
  return value;
}

}  // namespace qlab
