// SPDX-License-Identifier: Apache-2.0
/// \file
/// Writes files whole or not at all.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {

/// Whether `file` had to be written; one that holds `text` already is left alone. \throws InputError
inline bool write_if_new(const std::filesystem::path& file, const std::string& text) {
  if (read_text(file) == text) return false;
  std::filesystem::create_directories(file.parent_path());
  const std::filesystem::path temporary = file.string() + ".new";
  if (!(std::ofstream(temporary) << text).flush()) fail_input(temporary, "cannot be written");
  std::filesystem::rename(temporary, file);
  return true;
}

}  // namespace qlab
