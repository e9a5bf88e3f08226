// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads the markers of a solution; see stub.h.
#include "lab/stub.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>

namespace qlab {
namespace {

[[noreturn]] void refuse(int line, const std::string& why) {
  throw std::runtime_error(fmt::format("line {}: {}", line, why));
}

/// Walks over a solution and keeps what a stub keeps; notes the regions on the way.
class Reader {
 public:
  explicit Reader(std::string_view exercise) : exercise_(exercise) {}

  void read(std::string_view solution) {
    std::istringstream lines{std::string(solution)};
    for (std::string line; std::getline(lines, line);) {
      ++number_;
      take(line);
    }
    if (open_) refuse(regions_.back().begin, "[" + regions_.back().id + "] has no END SOLUTION");
    if (regions_.empty()) refuse(number_, "there is no BEGIN SOLUTION, so nothing to complete");
  }

  std::string stub() const {
    return fmt::format(
        "// SPDX-License-Identifier: Apache-2.0\n/// \\file\n/// {0}: your turn. Replace each "
        "todo() "
        "with your code, then run `./lab check {0}`.\n{1}",
        exercise_, kept_);
  }
  std::vector<Region> regions() && { return std::move(regions_); }

 private:
  void take(const std::string& line) {
    static const std::regex begin(R"(^(\s*)// BEGIN SOLUTION \[(\w+)\] (.+)$)");
    static const std::regex end(R"(^\s*// END SOLUTION \[(\w+)\]$)");
    std::smatch match;
    if (std::regex_match(line, match, begin)) {
      open_region(match[1], match[2], match[3]);
    } else if (std::regex_match(line, match, end)) {
      close_region(match[1]);
    } else if (line.find("BEGIN SOLUTION") != std::string::npos ||
               line.find("END SOLUTION") != std::string::npos) {
      refuse(number_, "a marker reads '// BEGIN SOLUTION [id] Title' or '// END SOLUTION [id]'");
    } else if (open_) {
      take_inside(line);
    } else {
      in_header_ = in_header_ && (line.starts_with("///") || line.starts_with("// SPDX"));
      if (!in_header_) kept_ += line + "\n";
    }
  }

  void open_region(const std::string& indent, const std::string& id, const std::string& title) {
    if (open_) {
      refuse(number_,
             fmt::format("[{}] begins inside [{}]; close that first", id, regions_.back().id));
    }
    if (!ids_.insert(id).second) refuse(number_, "[" + id + "] is used twice");
    regions_.push_back({.id = id, .title = title, .begin = number_, .end = 0});
    open_ = in_task_ = true;
    has_task_ = false;
    in_header_ = false;
    kept_ += fmt::format("{}// TODO [{}] {}\n", indent, id, title);
    todo_ = fmt::format("{}todo(\"{}\");\n", indent, id);
  }

  void close_region(const std::string& id) {
    if (!open_) refuse(number_, "END SOLUTION [" + id + "], but no region is open");
    Region& region = regions_.back();
    if (region.id != id) {
      refuse(number_, fmt::format("END SOLUTION [{}], but [{}] is open", id, region.id));
    }
    if (!has_task_) {
      refuse(region.begin, fmt::format("[{}] has no task: a comment directly under it", id));
    }
    region.end = number_;
    open_ = false;
    kept_ += todo_;
  }

  void take_inside(const std::string& line) {
    static const std::regex comment(R"(^\s*// .*$)");
    in_task_ = in_task_ && std::regex_match(line, comment);
    if (!in_task_) return;
    has_task_ = true;
    kept_ += line + "\n";
  }

  std::string exercise_, kept_, todo_;
  std::vector<Region> regions_;
  std::set<std::string> ids_;
  int number_ = 0;
  bool in_header_ = true, open_ = false, in_task_ = false, has_task_ = false;
};

/// The source without comments and blanks; a string or character literal stays as it is.
std::string code_of(std::string_view source) {
  std::string code;
  for (std::size_t i = 0; i < source.size();) {
    const char c = source[i];
    if (source.substr(i, 2) == "//") {
      i = std::min(source.find('\n', i), source.size());
    } else if (source.substr(i, 2) == "/*") {
      const std::size_t end = source.find("*/", i + 2);
      i = end == std::string_view::npos ? source.size() : end + 2;
    } else if (c == '"' || c == '\'') {
      std::size_t end = i + 1;
      while (end < source.size() && source[end] != c && source[end] != '\n') {
        end += source[end] == '\\' ? 2 : 1;
      }
      end = std::min(end + 1, source.size());
      code += source.substr(i, end - i);
      i = end;
    } else {
      if (std::isspace(static_cast<unsigned char>(c)) == 0) code += c;
      ++i;
    }
  }
  return code;
}

}  // namespace

std::string make_stub(std::string_view solution, std::string_view exercise) {
  Reader reader(exercise);
  reader.read(solution);
  return reader.stub();
}

bool same_code(std::string_view one, std::string_view other) {
  return code_of(one) == code_of(other);
}

std::vector<Region> regions(std::string_view solution) {
  Reader reader("");
  reader.read(solution);
  return std::move(reader).regions();
}

}  // namespace qlab
