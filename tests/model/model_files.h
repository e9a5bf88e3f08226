// SPDX-License-Identifier: Apache-2.0
/// \file
/// Files that the tests of model/ write: a directory that vanishes, safetensors, small checkpoints.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>  // mkdtemp

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/contract.h"
#include "model/input_error.h"

namespace qlab::test {

using Json = nlohmann::json;
using Path = std::filesystem::path;

class TempDirectory {
 public:
  TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "qlab-XXXXXX").string();
    QLAB_CHECK(::mkdtemp(name.data()) != nullptr, "no directory ", name);
    path_ = name;
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  Path operator/(const std::string& name) const { return path_ / name; }
  const Path& path() const { return path_; }

 private:
  Path path_;
};

inline void write_file(const Path& file, const std::string& content) {
  std::ofstream(file, std::ios::binary) << content;
}

/// Values as the bytes of a file on a little-endian machine.
template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// A safetensors file of a header as given, right or wrong, and its data.
inline std::string safetensors(const std::string& header, const std::string& data) {
  return bytes_of(std::vector<std::uint64_t>{header.size()}) + header + data;
}

/// FP32 tensors one behind the other.
class SafetensorsWriter {
 public:
  void add(const std::string& name, const std::vector<std::int64_t>& shape,
           const std::vector<float>& values) {
    const std::size_t begin = data_.size();
    data_ += bytes_of(values);
    header_[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin, data_.size()}}};
  }
  std::string file() const { return safetensors(header_.dump(), data_); }

 private:
  Json header_ = Json::object();
  std::string data_;
};

/// The message of the InputError that the call throws; fails if it throws none, or if the message is
/// more than one sentence on one line.
template <class Call>
std::string input_error(Call&& call) {
  try {
    call();
  } catch (const InputError& error) {
    std::string text = error.what();
    EXPECT_EQ(text.find_first_of(std::string("\n\r\0", 3)), std::string::npos) << text;
    EXPECT_EQ(text.find(". "), std::string::npos) << text;
    EXPECT_LT(text.size(), 400U) << text;
    return text;
  }
  ADD_FAILURE() << "accepted, expected an InputError";
  return "";
}

}  // namespace qlab::test
