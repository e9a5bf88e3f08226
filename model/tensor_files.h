// SPDX-License-Identifier: Apache-2.0
/// \file
/// TensorFiles: all tensors of a checkpoint, whether in one file or in shards.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/matrix.h"
#include "model/safetensors.h"

namespace qlab {

/// The tensors of a checkpoint, in one file or in shards.
class TensorFiles {
 public:
  /// Opens model.safetensors or, without it, every shard that model.safetensors.index.json names.
  /// \throws InputError when there is neither, when a shard is missing, lies outside the directory,
  ///         or lacks a tensor that the index places in it.
  explicit TensorFiles(const std::filesystem::path& directory);

  /// As SafetensorsFile.
  std::vector<float> vector(const std::string& name, std::int64_t size) const;
  /// A tensor [rows, cols] as floats, from whichever shard has it. \throws InputError when none
  /// has.
  Matrix<float> matrix(const std::string& name, std::int64_t rows, std::int64_t cols) const;

 private:
  void open_shards(const std::filesystem::path& index);
  const SafetensorsFile& file_of(const std::string& tensor) const;

  std::filesystem::path listing_;                 // the file that names the tensors
  std::map<std::string, SafetensorsFile> files_;  // by file name
  std::map<std::string, std::string> file_of_;    // file name of each tensor, from an index
};

}  // namespace qlab
