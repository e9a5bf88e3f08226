// SPDX-License-Identifier: Apache-2.0
/// \file
/// TensorFiles: follows the index of a sharded checkpoint, no further than its own directory.
#include "model/tensor_files.h"

#include <nlohmann/json.hpp>
#include <system_error>

#include "model/strict_json.h"

namespace qlab {
namespace {

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

/// "../secret", "/etc/passwd" and "a/b" are no names of a file beside the index.
bool is_plain_name(const std::string& name) {
  return name.ends_with(".safetensors") && name.find_first_of("/\\") == std::string::npos &&
         name.find('\0') == std::string::npos;
}

}  // namespace

TensorFiles::TensorFiles(const std::filesystem::path& directory) {
  std::error_code error;
  if (std::filesystem::exists(directory / kSingle, error)) {
    listing_ = directory / kSingle;
    files_.emplace(kSingle, SafetensorsFile(listing_));
  } else if (std::filesystem::exists(directory / kIndex, error)) {
    listing_ = directory / kIndex;
    open_shards(listing_);
  } else {
    fail_input(directory, "neither ", kSingle, " nor ", kIndex,
               " is there; save the checkpoint with save_pretrained(safe_serialization=True)");
  }
}

void TensorFiles::open_shards(const std::filesystem::path& index) {
  const nlohmann::json json = read_json_object(index);
  const auto weight_map = json.find("weight_map");
  if (weight_map == json.end() || !weight_map->is_object()) {
    fail_input(index, "weight_map is missing or no object; get the file again");
  }
  for (const auto& [tensor, shard] : weight_map->items()) {
    if (!shard.is_string() || !is_plain_name(shard.get_ref<const std::string&>())) {
      fail_input(index, "tensor ", printable(tensor), ": ", printable(shard.dump()),
                 " is no file name; expected NAME.safetensors beside the index");
    }
    const auto& name = shard.get_ref<const std::string&>();
    const std::filesystem::path path = index.parent_path() / name;
    std::error_code error;
    if (!files_.contains(name) && !std::filesystem::exists(path, error)) {
      fail_input(path, "the shard is missing, and the index places tensor ", printable(tensor),
                 " in it; get it too");
    }
    const SafetensorsFile& file = files_.try_emplace(name, path).first->second;
    if (!file.tensors().contains(tensor)) {
      fail_input(path, "tensor ", printable(tensor),
                 " is missing, though the index places it here; get both files again");
    }
    file_of_.emplace(tensor, name);
  }
}

const SafetensorsFile& TensorFiles::file_of(const std::string& tensor) const {
  if (file_of_.empty() && files_.size() == 1) return files_.begin()->second;
  const auto found = file_of_.find(tensor);
  if (found == file_of_.end()) {
    fail_input(listing_, "tensor ", printable(tensor),
               " is missing; the config asks for it, so the two do not belong together");
  }
  return files_.at(found->second);
}

std::vector<float> TensorFiles::vector(const std::string& name, std::int64_t size) const {
  return file_of(name).read_vector(name, size);
}

Matrix<float> TensorFiles::matrix(const std::string& name, std::int64_t rows,
                                  std::int64_t cols) const {
  return file_of(name).read_matrix(name, rows, cols);
}

}  // namespace qlab
