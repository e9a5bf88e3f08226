// SPDX-License-Identifier: Apache-2.0
/// \file
/// Copies of learners' files in .lab/kept/, made before anything replaces them.
#pragma once

#include <filesystem>
#include <string>

#include "lab/exercise.h"

namespace qlab {

/// Copies the learner's file and returns the copy's name from the root. An older copy is never
/// replaced. \throws InputError when it cannot be written; then nothing else may be.
std::string keep(const Places& places, const Exercise& exercise);

/// The newest copy, or an empty path.
std::filesystem::path newest_kept(const Places& places, const Exercise& exercise);

/// How messages name a copy: .lab/kept/half_formats.2026-01-31T10-15-02.cc.
std::string kept_name(const Places& places, const std::filesystem::path& copy);

}  // namespace qlab
