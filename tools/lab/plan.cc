// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads the table (lines that begin with |) and the claims (### headings) of the plan's page.
#include "lab/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>

#include "model/input_error.h"

namespace qlab {
namespace {

const std::vector<std::string> kColumns = {"Config", "Description", "Expected benefit",
                                           "Main risk"};

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// The cells of "| a | b |".
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::size_t from = 1;
  for (std::size_t bar = line.find('|', from); bar != std::string::npos;
       bar = line.find('|', from)) {
    cells.push_back(trimmed(line.substr(from, bar - from)));
    from = bar + 1;
  }
  return cells;
}

/// Reads line by line and knows where it is.
class Reader {
 public:
  Reader(std::istream& text, std::string name) : text_(text), name_(std::move(name)) {}

  Plan read() {
    for (std::string line; std::getline(text_, line);) {
      ++line_number_;
      take(trimmed(line));
    }
    finish_claim();
    check_cells();
    return std::move(plan_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(fmt::format("{}:{}: {}", name_, line_number_, what));
  }

  void take(const std::string& line) {
    static const std::regex heading(R"(^### (C\d+) · (.+?) · (.+)$)");
    std::smatch match;
    if (std::regex_match(line, match, heading)) {
      finish_claim();
      for (const Claim& claim : plan_.claims) {
        if (claim.id == match.str(1)) fail(claim.id + " is taken; give the claim a new number");
      }
      claim_ = {.id = match.str(1), .row = match.str(2), .cell = match.str(3)};
    } else if (line.starts_with('#')) {
      finish_claim();
    } else if (line.starts_with('|')) {
      take_row(line);
    } else if (!claim_.id.empty() && !line.empty()) {
      take_claim_line(line);
    }
  }

  void take_row(const std::string& line) {
    const std::vector<std::string> cells = cells_of(line);
    if (cells.size() != kColumns.size()) {
      fail(fmt::format("a row of {} cells; the table has {}: {}", cells.size(), kColumns.size(),
                       fmt::join(kColumns, ", ")));
    }
    if (cells == kColumns || cells[0].starts_with("---")) return;
    plan_.rows.push_back({cells[0], cells[1], cells[2], cells[3]});
  }

  void take_claim_line(const std::string& line) {
    static const std::regex field(R"(^- (measure|holds|fails): (.+)$)");
    std::smatch match;
    if (!std::regex_match(line, match, field)) {
      std::string& text = claim_.fails.empty() ? claim_.says : claim_.fails;
      text += (text.empty() ? "" : " ") + line;
      return;
    }
    const std::string value = match.str(2);
    if (match.str(1) == "measure") {
      if (value.size() < 3 || value.front() != '`' || value.back() != '`') {
        fail("a measure is written between backticks, as in - measure: `kl(kv_int8)`");
      }
      claim_.measure = value.substr(1, value.size() - 2);
    } else if (match.str(1) == "holds") {
      try {
        claim_.holds = parse_predicate(value);
      } catch (const InputError& error) {
        fail(error.what());
      }
    } else {
      claim_.fails = value;
    }
  }

  void finish_claim() {
    if (claim_.id.empty()) return;
    for (const auto& [part, text] : {std::pair{"statement", claim_.says},
                                     {"measure", claim_.measure},
                                     {"holds", claim_.holds.text},
                                     {"fails", claim_.fails}}) {
      if (text.empty()) fail(fmt::format("{} ends here and has no {}", claim_.id, part));
    }
    plan_.claims.push_back(std::move(claim_));
    claim_ = {};
  }

  /// Every cell of the table stands or falls with a claim.
  void check_cells() const {
    if (plan_.rows.empty()) fail("the page has no table");
    std::set<std::pair<std::string, std::string>> covered;
    for (const Claim& claim : plan_.claims) covered.emplace(claim.row, claim.cell);
    for (const PlanRow& row : plan_.rows) {
      for (std::size_t column = 1; column < kColumns.size(); ++column) {
        if (!covered.contains({row.config, kColumns[column]})) {
          fail(fmt::format("no claim is about {} · {}; add one", row.config, kColumns[column]));
        }
      }
    }
  }

  std::istream& text_;
  std::string name_;
  int line_number_ = 0;
  Plan plan_;
  Claim claim_;  // the one being read; no id outside of one
};

}  // namespace

Predicate parse_predicate(const std::string& text) {
  static const std::regex one_sided(R"(^([<>]) (-?[0-9.]+)$)");
  static const std::regex two_sided(R"(^within (-?[0-9.]+) … (-?[0-9.]+)$)");
  Predicate predicate{.text = text};
  std::smatch match;
  if (std::regex_match(text, match, one_sided)) {
    (match.str(1) == "<" ? predicate.high : predicate.low) = std::stod(match.str(2));
  } else if (std::regex_match(text, match, two_sided)) {
    predicate.low = std::stod(match.str(1));
    predicate.high = std::stod(match.str(2));
    predicate.closed = true;
    if (predicate.low > predicate.high) {
      throw InputError(
          fmt::format("\"{}\" has no number in it; write the smaller one first", text));
    }
  } else {
    throw InputError(fmt::format("\"{}\" is no predicate; write < x, > x or within x … y", text));
  }
  return predicate;
}

Plan read_plan(std::istream& text, const std::string& name) { return Reader(text, name).read(); }

Plan read_plan(const std::filesystem::path& file) {
  std::ifstream text(file);
  if (!text) {
    throw InputError(
        fmt::format("{}: cannot be opened; it belongs to the repository, restore it "
                    "with git checkout",
                    file.string()));
  }
  return read_plan(text, file.filename().string());
}

}  // namespace qlab
