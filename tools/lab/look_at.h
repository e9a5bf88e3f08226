// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where in the learner's file a recognised mistake would be.
#pragma once

#include <string>

#include "lab/exercise.h"

namespace qlab {

/// "labs/01_topic/op.cc:41", the line of the TODO in whose region every mutant that `likely` quotes
/// has its change; empty when they lie in several, or the learner removed that line.
std::string look_at(const Places& places, const Exercise& exercise, const std::string& likely);

}  // namespace qlab
