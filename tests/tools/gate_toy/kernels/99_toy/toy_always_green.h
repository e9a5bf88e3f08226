// SPDX-License-Identifier: Apache-2.0
/// \file
/// toy_always_green: an exercise for the gate's own test.
#pragma once

#include "common/contract.h"

namespace qlab::exercise {

/// 2 · x.
int toy_always_green(int x);

}  // namespace qlab::exercise
