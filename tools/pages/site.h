// SPDX-License-Identifier: Apache-2.0
/// \file
/// A page of docs/ as Doxygen takes it. The pages are written for a forge: links are paths, formulas
/// stand between dollars, pictures beside them. Doxygen wants names, commands and HTML.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "pages/blocks.h"

namespace qlab {

/// Doxygen's name of a page: "index" of docs/README.md, "lab03" of a module's, "beyond_awq" of
/// docs/beyond/awq.md; an exercise's page has its id.
std::string page_id(const Docs& docs, const std::filesystem::path& page);

/// The page, a path from docs/. Files of the tree that it links to and that Doxygen does not read
/// itself are added to `files`, paths from the root; the site holds them under files/.
/// \throws InputError "docs/x.md: sentence" for a link that leads nowhere.
std::string site_page(const Docs& docs, const std::filesystem::path& page, const std::string& text,
                      std::set<std::filesystem::path>& files);

}  // namespace qlab
