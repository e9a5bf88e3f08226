// SPDX-License-Identifier: Apache-2.0
/// \file
/// elementwise: plain loops; beside the products of a block they cost little.
#include "model/elementwise.h"

#include <cmath>

namespace qlab {

void rms_norm(MatrixView<const float> x, std::span<const float> gain, double eps,
              MatrixView<float> out, const Machine& machine) {
  for_each_row(x.rows(), machine, [&](std::int64_t r) {
    const float* row = x.row(r);
    double squares = 0;
    for (std::int64_t c = 0; c < x.cols(); ++c) squares += double{row[c]} * row[c];
    const double mean = squares / static_cast<double>(x.cols());
    const auto inverse = static_cast<float>(1 / std::sqrt(mean + eps));
    float* to = out.row(r);
    for (std::int64_t c = 0; c < x.cols(); ++c) {
      to[c] = row[c] * inverse * gain[static_cast<std::size_t>(c)];
    }
  });
}

void swiglu(MatrixView<float> gate_up, const Machine& machine) {
  for_each_row(gate_up.rows(), machine, [&](std::int64_t r) {
    float* gate = gate_up.row(r);
    const std::int64_t intermediate = gate_up.cols() / 2;
    const float* up = gate + intermediate;
    for (std::int64_t c = 0; c < intermediate; ++c) {
      gate[c] = gate[c] / (1 + std::exp(-gate[c])) * up[c];
    }
  });
}

void add(MatrixView<float> x, MatrixView<const float> y, const Machine& machine) {
  for_each_row(x.rows(), machine, [&](std::int64_t r) {
    float* to = x.row(r);
    const float* from = y.row(r);
    for (std::int64_t c = 0; c < x.cols(); ++c) to[c] += from[c];
  });
}

}  // namespace qlab
