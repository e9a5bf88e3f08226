// SPDX-License-Identifier: Apache-2.0
/// \file
/// Numbers that stand in a solution only: pictures read them from there.
#pragma once

#include <filesystem>
#include <string>

#include "lab/exercise.h"
#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {

/// The whole number behind `words` in a file of the tree: 64 for "kTile" where it says kTile = 64,
/// 2 for "kStride = kDepth +" where it says kStride = kDepth + 2. \throws InputError without one.
inline int source_constant(const std::string& file, const std::string& words) {
  const std::filesystem::path path = Places::of_this_program().root / file;
  const std::string text = read_text(path).value_or("");
  const std::string start = words.ends_with("+") ? words + " " : words + " = ";
  for (auto at = text.find(start); at != std::string::npos; at = text.find(start, at + 1)) {
    const std::size_t digits = text.find_first_not_of("0123456789", at + start.size());
    if (digits > at + start.size()) return std::stoi(text.substr(at + start.size()));
  }
  fail_input(path, "has no constant ", words);
}

}  // namespace qlab
