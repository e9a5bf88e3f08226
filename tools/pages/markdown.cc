// SPDX-License-Identifier: Apache-2.0
/// \file
/// Walks Markdown line by line; nothing here knows a page.
#include "pages/markdown.h"

#include <algorithm>

#include "lab/text.h"

namespace qlab {

std::string heading_slug(std::string_view heading) {
  std::string slug;
  for (const char c : heading) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x80 || std::isalnum(u) || c == '-' || c == '_') {
      slug += static_cast<char>(u < 0x80 ? std::tolower(u) : u);
    } else if (c == ' ') {
      slug += '-';
    }
  }
  return slug;
}

std::string map_prose(const std::string& markdown,
                      const std::function<std::string(const std::string&)>& change) {
  std::string result;
  bool fenced = false;
  for (const std::string& line : lines_of(markdown)) {
    const bool fence =
        line.find("```") == line.find_first_not_of(' ') && line.find("```") != std::string::npos;
    if (fence) fenced = !fenced;
    if (fence || fenced) {
      result += line + "\n";
      continue;
    }
    for (std::size_t at = 0; at < line.size();) {
      const std::size_t open = line.find('`', at);
      const std::size_t close =
          open == std::string::npos ? std::string::npos : line.find('`', open + 1);
      if (close == std::string::npos) {
        result += change(line.substr(at));
        break;
      }
      result += change(line.substr(at, open - at)) + line.substr(open, close + 1 - open);
      at = close + 1;
    }
    result += "\n";
  }
  return result;
}

std::string replace_each(const std::string& text, const std::regex& form,
                         const std::function<std::string(const std::smatch&)>& change) {
  std::string result;
  std::size_t at = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), form), end; it != end; ++it) {
    const auto begin = static_cast<std::size_t>(it->position());
    result += text.substr(at, begin - at) + change(*it);
    at = begin + static_cast<std::size_t>(it->length());
  }
  return result + text.substr(at);
}

std::vector<std::string> without_indent(std::vector<std::string> lines) {
  std::size_t shared = std::string::npos;
  for (const std::string& line : lines) {
    if (!line.empty()) shared = std::min(shared, line.find_first_not_of(' '));
  }
  for (std::string& line : lines) line.erase(0, std::min(shared, line.size()));
  return lines;
}

}  // namespace qlab
