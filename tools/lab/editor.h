// SPDX-License-Identifier: Apache-2.0
/// \file
/// Opens a file in the learner's editor.
#pragma once

#include <filesystem>
#include <string>

namespace qlab {

/// $VISUAL, then $EDITOR; in a terminal of VS Code its own `code`. Empty when there is none.
std::string editor_command();

/// Runs it on the file and waits. `line` is where to begin, for editors that take one.
/// Returns whether it ended well.
bool open_editor(const std::string& command, const std::filesystem::path& file, int line);

}  // namespace qlab
