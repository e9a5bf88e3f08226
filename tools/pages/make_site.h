// SPDX-License-Identifier: Apache-2.0
/// \file
/// make_site: from docs/ and the sources to a folder of HTML that needs no network.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pages/blocks.h"

namespace qlab {

struct MadeSite {
  std::filesystem::path index;  ///< the page to open
  int pages;                    ///< HTML files, sources among them
  double seconds;
  std::vector<std::string> complaints;  ///< of Doxygen about comments; links that lead nowhere
};

/// Writes `folder`/html anew. KaTeX and doxygen-awesome-css are taken from the system; without them
/// formulas stay TeX, and the pages have Doxygen's looks.
/// \throws InputError when Doxygen is not there or fails.
MadeSite make_site(const Docs& docs, const std::filesystem::path& folder);

}  // namespace qlab
