// SPDX-License-Identifier: Apache-2.0
/// \file
/// Peaks: what each multiply-add unit of this processor reaches here, and whether that can be true.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/isa.h"

namespace qlab {

/// What an operation multiplies: it decides which units its rungs can use.
enum class Products {
  kFloat,  ///< FP32 sums of FP32, FP16 or BF16 values
  kInt8,   ///< int32 sums of bytes
};

/// One kind of multiply-add, and how fast a loop of nothing else runs.
struct Peak {
  std::string_view level;  ///< the Isa that has it, by name: an Isa of that name may not exist yet
  std::string_view instruction;
  Products products;
  double ops_per_second;  ///< of all threads; a multiply-add counts as two
  double ops_per_cycle;   ///< of one thread, by the clock measured beside it; 0 without a clock
  std::string doubt;      ///< why the number cannot be believed; empty when it can
};

/// Loops of every unit that this processor has, each the best of some passes.
std::vector<Peak> measure_peaks(ThreadPool& threads);

/// Keeps the better reading of each unit: a disturbed loop is only ever slower.
void keep_better(std::vector<Peak>& peaks, const std::vector<Peak>& later);

/// The fastest unit that a rung of this path can use; null when none was measured.
const Peak* ceiling_of(const std::vector<Peak>& peaks, Products products, Isa path);

/// What units may reach, for the judgement of a reading.
struct PeakLimits {
  double most_per_cycle;    ///< operations a cycle and thread, of any processor that has the unit
  std::string_view beside;  ///< the level of a unit on the same ports; empty for none
  double least, most;       ///< of this unit's rate / that unit's
};

/// Why a reading cannot be believed, or "". \param ratio to the unit `beside`; 0 without one
std::string doubt_about(const PeakLimits& limits, double ops_per_cycle, double ratio);

/// Bytes a second that all threads together read of `bytes` that were just read: the ceiling of a
/// call whose operands stay in the caches.
double warm_read_bytes_per_second(ThreadPool& threads, std::int64_t bytes);

}  // namespace qlab
