// SPDX-License-Identifier: Apache-2.0
/// \file
/// Notes: a JSON object in .lab/. Losing it costs memories, not progress, so no error in it is fatal.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "lab/exercise.h"

namespace qlab {

class Notes {
 public:
  /// Reads .lab/<name>.json. One that is no JSON object is renamed and begun anew; complaint() says so.
  Notes(const Places& places, std::string_view name);

  /// The string values[id][key], or "".
  std::string text(const std::string& id, const std::string& key) const;
  /// The number values[id][key], or 0.
  int number(const std::string& id, const std::string& key) const;
  void set(const std::string& id, const std::string& key, nlohmann::json value);

  /// Writes the file whole or not at all. False when the tree cannot be written.
  bool save() const;
  const std::string& complaint() const { return complaint_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  const nlohmann::json* find(const std::string& id, const std::string& key) const;

  std::filesystem::path path_;
  nlohmann::json values_ = nlohmann::json::object();
  std::string complaint_;
};

}  // namespace qlab
