// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a failed build has to say to a learner: its first error, in a few lines.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lab/exercise.h"

namespace qlab {

/// The first error that g++, clang or the linker reports in `log`: place and message, the line, the
/// caret. When it lies in another file, a line says from where in the learner's it comes. For what
/// the linker misses, a sentence says which function it is; `stub` tells whether the learner removed
/// it. Paths are shown from the root on. Empty when the log has no error.
std::vector<std::string> first_error(std::string_view log, const std::filesystem::path& root,
                                     const Exercise& exercise, std::string_view stub);

/// How many errors the compiler or the linker counted; at least 1.
int count_errors(std::string_view log);

}  // namespace qlab
