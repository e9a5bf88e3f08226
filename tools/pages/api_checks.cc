// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads Doxygen's log line by line, and headers comment by comment.
#include "pages/api_checks.h"

#include <fmt/format.h>

#include <regex>

#include "lab/text.h"

namespace qlab {

std::vector<std::string> api_complaints(const std::string& log, const std::filesystem::path& root) {
  static const std::regex small(
      R"(\((variable|enumvalue|enumeration|typedef|macro definition|friend)\) of .* is not documented)");
  static const std::regex warning(R"(<?(.*?)>?:(-?\d+): warning: (.*))");
  std::vector<std::string> complaints;
  for (const std::string& line : lines_of(log)) {
    std::smatch match;
    // A warning of several lines says where in its first.
    if (!std::regex_match(line, match, warning) || std::regex_search(line, small)) continue;
    const std::string file = std::filesystem::path(match[1].str()).lexically_relative(root);
    complaints.push_back(fmt::format("{}:{}: {}", file, match[2].str(), match[3].str()));
  }
  return complaints;
}

std::vector<std::string> shape_complaints(const std::string& header, const std::string& name) {
  static const std::regex operand(
      R"((MatrixView<[^(]*|\b(float|double|half_t|bf16_t|std::u?int\d+_t|half|nv_bfloat16)\*) *\w)");
  static const std::regex neighbour(R"(oracle|below|/// (Rung|The same|As |\\throws))");
  std::vector<std::string> complaints;
  std::string comment, declaration;
  std::size_t begin = 0;
  const std::vector<std::string> lines = lines_of(header);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string line =
        lines[i].substr(std::min(lines[i].find_first_not_of(' '), lines[i].size()));
    if (line.starts_with("///") && declaration.empty()) {
      comment += line;
      begin = i + 1;
      continue;
    }
    if (comment.empty()) continue;
    declaration += line + " ";
    if (line.find_first_of(";{") == std::string::npos && !line.empty()) continue;
    const bool function = declaration.find('(') != std::string::npos &&
                          declaration.find('(') < declaration.find_first_of(";{=");
    const std::string operands = function ? declaration.substr(declaration.find('(')) : "";
    if (std::regex_search(operands, operand) && !std::regex_search(comment, neighbour) &&
        (comment + declaration).find('[') == std::string::npos) {
      complaints.push_back(
          fmt::format("{}:{}: the comment says no shape in brackets", name, begin));
    }
    comment.clear();
    declaration.clear();
  }
  return complaints;
}

}  // namespace qlab
