// SPDX-License-Identifier: Apache-2.0
/// \file
/// strict_json: one pass that only judges, a second that builds the tree.
#include "model/strict_json.h"

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <unordered_set>
#include <vector>

#include "model/input_error.h"

namespace qlab {
namespace {

using Json = nlohmann::json;

/// Walks the text without building anything. The parser's own callback for this purpose takes
/// quadratic time for an object of many members.
class Judge final : public nlohmann::json_sax<Json> {
 public:
  explicit Judge(const std::filesystem::path& file) : file_(file) {}

  bool key(string_t& name) override {
    if (name.find('\0') != string_t::npos) {
      fail_input(file_, "the name ", printable(name), " holds a NUL; names are plain text");
    }
    if (!names_.back().insert(name).second) {
      fail_input(file_, "the key ", printable(name),
                 " stands twice in one object, so its value is anyone's guess; remove one");
    }
    return true;
  }
  bool start_object(std::size_t) override { return open(); }
  bool start_array(std::size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    fail_input(file_, "no valid JSON at byte ", position,
               "; the file is damaged or no JSON, get it again");
  }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }

 private:
  static constexpr std::size_t kDeepest = 64;

  bool open() {
    names_.emplace_back();
    if (names_.size() > kDeepest) {
      fail_input(file_, "brackets are nested more than ", kDeepest,
                 " deep, which no checkpoint needs; the file is damaged or hostile");
    }
    return true;
  }
  bool close() {
    names_.pop_back();
    return true;
  }

  const std::filesystem::path& file_;
  std::vector<std::unordered_set<std::string>> names_;  // of each open bracket
};

}  // namespace

std::string printable(std::string_view name) {
  constexpr std::size_t kLongest = 80;
  std::string text = "\"";
  for (const char c : name.substr(0, kLongest)) text += c >= ' ' && c <= '~' ? c : '?';
  return text + (name.size() > kLongest ? "…\"" : "\"");
}

Json parse_json_object(std::string_view text, const std::filesystem::path& file) {
  // The parser takes a NUL for the end of the text and would not look behind it.
  if (const std::size_t at = text.find('\0'); at != std::string_view::npos) {
    fail_input(file, "no valid JSON at byte ", at + 1,
               ": a NUL; the file is damaged, get it again");
  }
  Judge judge(file);
  Json::sax_parse(text, &judge);
  Json tree = Json::parse(text);
  if (!tree.is_object()) {
    fail_input(file, "the JSON is of type ", tree.type_name(), ", expected an object { … }");
  }
  return tree;
}

Json read_json_object(const std::filesystem::path& file) {
  constexpr std::uintmax_t kLargest = 64'000'000;
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    fail_input(file, "the file is missing; give a directory with a Hugging Face checkpoint");
  }
  if (!std::filesystem::is_regular_file(file, error)) fail_input(file, "not a file");
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  if (error || size > kLargest) {
    fail_input(file, "the file has ", size, " bytes, more than ", kLargest, "; it is no such JSON");
  }
  std::ifstream in(file, std::ios::binary);
  std::string text(static_cast<std::size_t>(size), '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(text.size()))) {
    fail_input(file, "cannot be read; check its permissions");
  }
  return parse_json_object(text, file);
}

}  // namespace qlab
