// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a linker refuses, in the words of an exercise.
#pragma once

#include <string>
#include <string_view>

#include "lab/exercise.h"

namespace qlab {

/// The function that a line of a log says is missing, or there twice; empty when it says neither.
std::string refused_symbol(std::string_view line);

/// That line as a sentence, or empty when it is no such line. `stub` is the exercise's stub: a
/// function of it that is missing was removed, or has other parameters now.
std::string link_error(std::string_view line, const Exercise& exercise, std::string_view stub);

}  // namespace qlab
