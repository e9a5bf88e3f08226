// SPDX-License-Identifier: Apache-2.0
/// \file
/// Columns, paragraphs, files, times.
#include "lab/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <sstream>

namespace qlab {
namespace {

/// Every byte but those that continue a character begins one.
bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

}  // namespace

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string padded(std::string_view text, std::size_t width) {
  const std::size_t have = columns(text);
  if (have <= width) return std::string(text) + std::string(width - have, ' ');
  if (width == 0) return "";
  std::string cut;
  std::size_t taken = 0;
  for (const char byte : text) {
    if (begins_character(byte) && ++taken == width) break;
    cut += byte;
  }
  return cut + "…";
}

std::string wrapped(std::string_view text, std::size_t width, std::string_view indent) {
  std::istringstream words{std::string(text)};
  std::string result, line;
  for (std::string word; words >> word;) {
    if (!line.empty() && columns(line) + 1 + columns(word) > width) {
      result += line + "\n";
      line.clear();
    }
    line += line.empty() ? std::string(indent) : " ";
    line += word;
  }
  return result + line;
}

std::optional<std::string> read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || std::filesystem::is_directory(path)) return std::nullopt;
  if (file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  return std::move(text).str();
}

std::vector<std::string> lines_of(std::string_view text) {
  std::istringstream source{std::string(text)};
  std::vector<std::string> lines;
  for (std::string line; std::getline(source, line);) lines.push_back(line);
  return lines;
}

std::string fingerprint(std::string_view text) {
  std::uint64_t hash = 0xCBF2'9CE4'8422'2325;  // FNV-1a
  for (const char byte : text) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100'0000'01B3;
  }
  return fmt::format("{:016x}", hash);
}

std::string time_stamp() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H-%M-%S", &local);
  return text;
}

}  // namespace qlab
