// SPDX-License-Identifier: Apache-2.0
/// \file
/// The loops that peaks.cc times, one a unit: they multiply, add, and do nothing else.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "lab/peaks.h"

namespace qlab {

/// A unit of the processor, the loop that keeps it busy, and what to expect of it.
struct PeakLoop {
  std::string_view level, instruction;
  Products products;
  double ops_per_step;
  PeakLimits limits;
  bool (*here)();                            ///< whether this processor and its system have it
  std::uint64_t (*run)(std::int64_t steps);  ///< \returns what was computed, or it would be dropped
};

/// All of them; a unit stands behind the one it is compared with.
std::span<const PeakLoop> peak_loops();

/// Takes `steps` cycles at least, and few more: every multiplication waits for the one before it,
/// three cycles on every x86 of the last decade. \returns cycles a step; 0 where that is not known.
double clock_loop(std::int64_t steps, std::uint64_t& result);

}  // namespace qlab
