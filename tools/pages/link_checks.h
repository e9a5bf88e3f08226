// SPDX-License-Identifier: Apache-2.0
/// \file
/// Whether the links of a site lead somewhere.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace qlab {

/// Of all HTML files in `folder`: links to files or anchors that are not there, and whatever a browser
/// would fetch from elsewhere. "table.html: the link 'x.html#y' leads nowhere" each.
std::vector<std::string> link_complaints(const std::filesystem::path& folder);

/// Pages of `folder` that no link leads to, from index.html on or from what the search knows.
std::vector<std::filesystem::path> unreached_pages(const std::filesystem::path& folder);

}  // namespace qlab
