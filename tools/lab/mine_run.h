// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which of the learner's exercises are finished, and the program that has them in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lab/learner.h"
#include "lab/mine.h"

namespace qlab {

/// The program with the learner's code, in exercises/ of the build.
inline constexpr std::string_view kLabMine = "lab_mine";

/// What is known of the exercises, without building anything.
MineUse mine_use(const Learner& learner, const Mine& mine);

/// Checks what was begun and not checked since, builds lab_mine with what is finished and has a place,
/// runs it with `arguments` on this program's own streams, and returns its exit code. Nothing when
/// there is nothing finished to run. \throws InputError when the files do not link together;
/// Interrupted.
std::optional<int> run_with_mine(const Learner& learner, const std::vector<std::string>& arguments);

}  // namespace qlab
