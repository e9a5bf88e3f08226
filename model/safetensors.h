// SPDX-License-Identifier: Apache-2.0
/// \file
/// SafetensorsFile: the tensors of one .safetensors file, checked in full before the first is used.
///
/// Layout  u64 little-endian length of the header · header, a JSON object · data
/// Source  https://github.com/huggingface/safetensors, "Format"; like its reference implementation,
///         this one refuses overlaps and holes: the tensors tile the data from first to last byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/matrix.h"
#include "model/input_error.h"

namespace qlab {

/// One tensor as it lies in the file.
struct TensorEntry {
  std::string dtype;                 // a name of the format: "F16", "BF16", "F32", "I64", …
  std::vector<std::int64_t> shape;   // sides ≥ 0
  std::span<const std::byte> bytes;  // product of shape · bytes of dtype; at any alignment
};

/// A file mapped read-only. It must not shrink while it is open: reading behind its new end is fatal.
class SafetensorsFile {
 public:
  /// \throws InputError naming the file, the tensor, what was found and what belongs there.
  explicit SafetensorsFile(std::filesystem::path file);

  /// Of the file.
  const std::filesystem::path& path() const { return path_; }
  /// What the header lists, by name.
  const std::map<std::string, TensorEntry>& tensors() const { return tensors_; }

  /// Copies of an F16, BF16 or F32 tensor, widened to FP32.
  /// \throws InputError when it is missing, has another shape or type, or holds NaN or infinity.
  std::vector<float> read_vector(const std::string& name, std::int64_t size) const;
  /// A tensor [rows, cols] as floats. \throws InputError when it is not there or has another shape.
  Matrix<float> read_matrix(const std::string& name, std::int64_t rows, std::int64_t cols) const;

 private:
  struct Unmap {
    std::size_t size;
    void operator()(const std::byte* bytes) const;
  };
  void map();
  void read(const std::string& name, const std::vector<std::int64_t>& shape,
            std::span<float> out) const;
  const TensorEntry& usable(const std::string& name, const std::vector<std::int64_t>& shape) const;

  std::filesystem::path path_;
  std::unique_ptr<const std::byte, Unmap> bytes_;
  std::map<std::string, TensorEntry> tensors_;
};

}  // namespace qlab
