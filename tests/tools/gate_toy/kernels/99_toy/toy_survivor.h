// SPDX-License-Identifier: Apache-2.0
/// \file
/// toy_survivor: an exercise for the gate's own test.
#pragma once

#include "common/contract.h"

namespace qlab::exercise {

/// 2 · x.
int toy_survivor(int x);

}  // namespace qlab::exercise
