// SPDX-License-Identifier: Apache-2.0
/// \file
/// elementwise: what stands between the linear layers of a block, in FP32, row by row.
#pragma once

#include <cstdint>
#include <span>

#include "common/contract.h"
#include "common/isa.h"

namespace qlab {

/// Calls task(r) for every row, shared out among the threads. One row is not worth waking them.
template <class Task>
void for_each_row(std::int64_t rows, const Machine& machine, Task&& task) {
  if (rows == 1) {
    task(std::int64_t{0});
  } else {
    machine.threads.run(rows, task);
  }
}

/// out[r] = x[r] / √(mean of x[r]² + eps) · gain. Source: Zhang, Sennrich, "Root Mean Square Layer
/// Normalization", 2019.
void rms_norm(MatrixView<const float> x, std::span<const float> gain, double eps,
              MatrixView<float> out, const Machine& machine);

/// The left half of each row becomes silu(left) · right, silu(g) = g / (1 + e^-g). Source: Shazeer,
/// "GLU Variants Improve Transformer", 2020.
/// \param gate_up  [rows, 2 · intermediate]
void swiglu(MatrixView<float> gate_up, const Machine& machine);

/// x += y, both [rows, cols].
void add(MatrixView<float> x, MatrixView<const float> y, const Machine& machine);

}  // namespace qlab
