// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads a trace, strictly: a number that is half read would be another workload.
#include "lab/trace.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <string_view>

#include "model/input_error.h"

namespace qlab {
namespace {

constexpr std::string_view kHeader = "arrival_seconds,prompt_tokens,output_tokens";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// The fields between commas.
std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::size_t comma = 0; comma != std::string_view::npos;) {
    comma = line.find(',');
    fields.push_back(trimmed(line.substr(0, comma)));
    line.remove_prefix(comma == std::string_view::npos ? line.size() : comma + 1);
  }
  return fields;
}

template <class T>
bool read_number(std::string_view field, T& value) {
  const char* const end = field.data() + field.size();
  const auto [stop, error] = std::from_chars(field.data(), end, value);
  return error == std::errc() && stop == end;
}

}  // namespace

std::vector<ServeRequest> read_trace(std::istream& text, const std::string& name) {
  std::vector<ServeRequest> requests;
  std::int64_t number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    const std::string_view content = trimmed(std::string_view(line).substr(0, line.find('#')));
    if (content.empty() || (requests.empty() && content == kHeader)) continue;
    const auto fail = [&](const std::string& what) {
      throw InputError(
          fmt::format("{}:{}: {}; a line is {}, such as 0.25,128,64", name, number, what, kHeader));
    };
    const std::vector<std::string_view> fields = fields_of(content);
    if (fields.size() != 3) fail(fmt::format("{} fields instead of 3", fields.size()));
    ServeRequest r{.id = number, .arrival = 0, .prompt_tokens = 0, .output_tokens = 0};
    if (!read_number(fields[0], r.arrival) || !std::isfinite(r.arrival)) {
      fail(fmt::format("{} is no number of seconds", printable(fields[0])));
    }
    if (r.arrival < 0) fail(fmt::format("a time of {} is before the start at 0", r.arrival));
    if (!requests.empty() && r.arrival < requests.back().arrival) {
      fail(fmt::format("{} s is before the line in front, {} s", r.arrival,
                       requests.back().arrival));
    }
    for (const auto& [field, tokens] :
         {std::pair(fields[1], &r.prompt_tokens), std::pair(fields[2], &r.output_tokens)}) {
      if (!read_number(field, *tokens)) {
        fail(fmt::format("{} is no number of tokens", printable(field)));
      }
      if (*tokens < 1 || *tokens > kMaxServeTokens / 2) {
        fail(fmt::format("{} tokens are not 1 to {}", *tokens, kMaxServeTokens / 2));
      }
    }
    requests.push_back(r);
  }
  if (requests.empty()) {
    throw InputError(fmt::format("{}: there is no request in it; a line is {}, such as 0.25,128,64",
                                 name, kHeader));
  }
  return requests;
}

std::vector<ServeRequest> read_trace(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) fail_input(file, "cannot be read; give the name of a trace");
  return read_trace(stream, file.string());
}

}  // namespace qlab
