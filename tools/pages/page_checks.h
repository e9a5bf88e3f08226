// SPDX-License-Identifier: Apache-2.0
/// \file
/// What must be true of the pages before anybody builds the site.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "pages/blocks.h"

namespace qlab {

/// The sections of an exercise's page, in this order.
inline constexpr std::array<std::string_view, 9> kPageSections{
    "What is quantized",   "The bottleneck",         "The picture",
    "The code, annotated", "How to read this code",  "What this code does not mean",
    "What goes wrong",     "How to say it out loud", "Additional intuition and references"};

/// Complaints about one page, "docs/x.md:12: sentence" each.
///
/// Of all: a figure with a unit that is neither measured (`<!--= … -->`) nor marked as `<!--def-->` or
/// `<!--cited-->`; a term that is not spelled as the field spells it; a link, an anchor or a picture
/// that is not there; a picture without words for somebody who cannot see it; a block that is out of
/// date. Of an exercise's: a section that is missing, empty or out of order; a region of the solution
/// that is not shown; its own picture missing.
std::vector<std::string> page_complaints(const Docs& docs, const std::filesystem::path& page,
                                         const std::string& text);

/// Those of every page, and of exercises that have none.
std::vector<std::string> all_complaints(const Docs& docs);

}  // namespace qlab
