// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which hints of an exercise were shown.
#pragma once

#include "lab/learner.h"

namespace qlab {

inline constexpr int kHintLevels = 3;

/// 0 to kHintLevels.
int hints_seen(const Learner& learner, const Exercise& exercise);

}  // namespace qlab
