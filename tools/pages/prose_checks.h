// SPDX-License-Identifier: Apache-2.0
/// \file
/// What sentences of a page may not hold: figures that nobody measured, terms in a spelling of their own.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace qlab {

struct ProseFinding {
  std::size_t line;  ///< from 1
  std::string what;
};

/// Fenced blocks and `code` are left out, as are generated blocks and what stands in `<!--= … -->`,
/// `<!--def-->` and `<!--cited-->`. A cited figure's paragraph must link its source.
std::vector<ProseFinding> prose_findings(const std::string& markdown);

}  // namespace qlab
