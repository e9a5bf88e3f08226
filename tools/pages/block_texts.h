// SPDX-License-Identifier: Apache-2.0
/// \file
/// The text of each kind of block; see blocks.h for what they are.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pages/blocks.h"

namespace qlab {

struct BlockPlace {
  const Docs& docs;
  std::filesystem::path page;        ///< from docs/
  std::vector<std::string> numbers;  ///< what the page's numbers are of

  /// The way to `target`, a path from the root, as a link in the page says it.
  std::string link(const std::filesystem::path& target) const;
  /// \throws InputError on a page that is no exercise's.
  const Exercise& exercise() const;
};

/// What a page's comments `<!--= … -->` name, and the files that its tables are of.
std::vector<std::string> numbers_of(const std::string& text);

// Each ends with a line end. \throws InputError saying what the block lacks.
std::string code_block(const BlockPlace& place, const std::string& region);
std::string mutants_block(const BlockPlace& place, const std::string& nothing);
std::string say_block(const BlockPlace& place, const std::string& nothing);
std::string numbers_block(const BlockPlace& place, const std::string& nothing);
std::string steps_block(const BlockPlace& place, const std::string& nothing);
std::string exercises_block(const BlockPlace& place, const std::string& module_number);
std::string table_block(const BlockPlace& place, const std::string& nothing);
std::string claims_block(const BlockPlace& place, const std::string& nothing);
std::string verdicts_block(const BlockPlace& place, const std::string& file);
std::string ladder_block(const BlockPlace& place, const std::string& file_and_problem);
std::string counters_block(const BlockPlace& place, const std::string& file_and_problem);

}  // namespace qlab
