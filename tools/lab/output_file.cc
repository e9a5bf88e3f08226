// SPDX-License-Identifier: Apache-2.0
/// \file
/// Writes to a temporary name and renames.
#include "lab/output_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <system_error>

#include "model/input_error.h"

namespace qlab {

OutputFile::OutputFile(std::filesystem::path destination)
    : destination_(std::move(destination)),
      temporary_(destination_.string() + fmt::format(".{}.part", getpid())) {
  std::error_code ignored;
  if (std::filesystem::is_directory(destination_, ignored)) {
    throw InputError(
        fmt::format("{} is a directory; name a file to write to", destination_.string()));
  }
  if (!std::ofstream(temporary_)) {
    throw InputError(fmt::format(
        "{} cannot be written; name a file in a folder that exists and that you may write to",
        destination_.string()));
  }
}

OutputFile::~OutputFile() {
  std::error_code ignored;
  if (!temporary_.empty()) std::filesystem::remove(temporary_, ignored);
}

void OutputFile::commit(std::string_view text) {
  std::ofstream file(temporary_, std::ios::binary | std::ios::trunc);
  file << text << std::flush;
  if (!file) {
    throw InputError(
        fmt::format("{} cannot be written to its end; is the disk full?", destination_.string()));
  }
  file.close();
  std::error_code failed;
  std::filesystem::rename(temporary_, destination_, failed);
  if (failed) {
    throw InputError(fmt::format("{} cannot be replaced: {}; name another file",
                                 destination_.string(), failed.message()));
  }
  temporary_.clear();
}

}  // namespace qlab
