// SPDX-License-Identifier: Apache-2.0
/// \file
/// A page of docs/ as Doxygen takes it. The pages are written for a forge: links are paths, formulas
/// stand between dollars, pictures beside them. Doxygen wants names, commands and HTML.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "pages/blocks.h"

namespace qlab {

/// Doxygen's name of a page of docs/: "index" of README.md, "lab03" of a module's, "beyond_awq" of
/// beyond/awq.md; an exercise's page has its id.
std::string page_id(const Docs& docs, const std::filesystem::path& page);

/// What Doxygen makes the site of, all paths from the root of the tree.
struct SiteSource {
  std::map<std::string, std::string> pages;  ///< of each name the text that Doxygen reads
  std::set<std::filesystem::path> files;  ///< what pages link to as it is, under files/ of the site
};

/// All pages of docs/, and whatever they link to: other Markdown and sources become pages too, as a
/// browser would not show them. \throws InputError "docs/x.md: sentence" for a link that leads nowhere.
SiteSource site_source(const Docs& docs);

}  // namespace qlab
