// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads and writes notes; see notes.h.
#include "lab/notes.h"

#include <fmt/format.h>

#include <system_error>

#include "lab/output_file.h"
#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {
namespace fs = std::filesystem;

Notes::Notes(const Places& places, std::string_view name)
    : path_(places.root / ".lab" / fmt::format("{}.json", name)) {
  const std::optional<std::string> text = read_text(path_);
  if (!text) return;
  nlohmann::json read = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (read.is_object()) {
    values_ = std::move(read);
    return;
  }
  const fs::path aside = path_.string() + "." + time_stamp();
  std::error_code failed;
  fs::rename(path_, aside, failed);
  complaint_ =
      fmt::format(".lab/{} could not be read{}; starting a new one", path_.filename().string(),
                  failed ? "" : " and is now .lab/" + aside.filename().string());
}

const nlohmann::json* Notes::find(const std::string& id, const std::string& key) const {
  const auto entry = values_.find(id);
  if (entry == values_.end() || !entry->is_object()) return nullptr;
  const auto value = entry->find(key);
  return value == entry->end() ? nullptr : &*value;
}

std::string Notes::text(const std::string& id, const std::string& key) const {
  const nlohmann::json* value = find(id, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

int Notes::number(const std::string& id, const std::string& key) const {
  const nlohmann::json* value = find(id, key);
  return value != nullptr && value->is_number_integer() ? value->get<int>() : 0;
}

void Notes::set(const std::string& id, const std::string& key, nlohmann::json value) {
  nlohmann::json& entry = values_[id];
  if (!entry.is_object()) entry = nlohmann::json::object();
  entry[key] = std::move(value);
}

bool Notes::save() const {
  std::error_code failed;
  fs::create_directories(path_.parent_path(), failed);
  if (failed) return false;
  try {
    // A name out of a hand-edited file may not be UTF-8.
    OutputFile(path_).commit(values_.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
                             "\n");
  } catch (const InputError&) {
    return false;
  }
  return true;
}

}  // namespace qlab
