// SPDX-License-Identifier: Apache-2.0
/// \file
/// OutputFile: a file that appears whole or not at all.
#pragma once

#include <filesystem>
#include <string_view>

namespace qlab {

/// Opens a temporary file beside its destination, so that a destination that cannot be written is
/// refused before any work is done.
class OutputFile {
 public:
  /// \throws InputError naming the path and what to do.
  explicit OutputFile(std::filesystem::path destination);
  /// Removes the temporary file if it was not committed.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Writes `text` and moves the file to its destination. \throws InputError when the disk is full.
  void commit(std::string_view text);

 private:
  std::filesystem::path destination_, temporary_;
};

}  // namespace qlab
