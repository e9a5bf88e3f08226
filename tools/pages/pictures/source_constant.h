// SPDX-License-Identifier: Apache-2.0
/// \file
/// Numbers that stand in a solution only: pictures read them from there.
#pragma once

#include <filesystem>
#include <regex>
#include <string>

#include "lab/exercise.h"
#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {

/// The value of "name = 64" in a file of the tree. \throws InputError when it is not there.
inline int source_constant(const std::string& file, const std::string& name) {
  const std::filesystem::path path = Places::of_this_program().root / file;
  const std::string text = read_text(path).value_or("");
  std::smatch match;
  if (!std::regex_search(text, match, std::regex("\\b" + name + " = (\\d+)"))) {
    fail_input(path, "has no constant ", name);
  }
  return std::stoi(match[1]);
}

}  // namespace qlab
