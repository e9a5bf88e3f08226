// SPDX-License-Identifier: Apache-2.0
/// \file
/// Plan: the written tradeoff table and its claims, read from plan/quantization_comparison_plan.md.
///
/// The page is the only copy: what people read is what the program parses.
#pragma once

#include <filesystem>
#include <istream>
#include <limits>
#include <string>
#include <vector>

namespace qlab {

/// What a claim demands of a measurement: that it lies between two borders. "< x" has no lower one.
struct Predicate {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool closed = false;    ///< "within a … b" holds on its borders; "< x" and "> x" do not
  std::string text = {};  ///< as written
};

struct Claim {
  std::string id = {};       ///< "C12"
  std::string row = {};      ///< a config of the table, or "Myth"
  std::string cell = {};     ///< a column of the table, or the myth
  std::string says = {};     ///< the statement, one paragraph
  std::string measure = {};  ///< the name of a measurement
  Predicate holds = {};
  std::string fails = {};  ///< what would make it fail
};

struct PlanRow {
  std::string config, description, benefit, risk;
};

struct Plan {
  std::vector<PlanRow> rows;
  std::vector<Claim> claims;
};

/// Reads a plan. `name` is what messages call the file.
/// \throws InputError naming the line, for a claim that lacks a part, an id that is taken, a predicate
///         that cannot be read, or a cell of the table without a claim.
Plan read_plan(std::istream& text, const std::string& name);
Plan read_plan(const std::filesystem::path& file);

/// "< 0.7", "> 1" or "within 0.5 … 0.52". \throws InputError when it is none of these.
Predicate parse_predicate(const std::string& text);

}  // namespace qlab
