// SPDX-License-Identifier: Apache-2.0
/// \file
/// A page of docs/ as text for a terminal.
#pragma once

#include <cstddef>
#include <string>

#include "lab/terminal.h"

namespace qlab {

/// Headings are bold, paragraphs and items wrapped to `width`, code indented; comments go, links keep
/// their words, a picture is what its words say. Lines of tables and code are never cut.
std::string page_text(const std::string& markdown, std::size_t width, const Terminal& terminal);

}  // namespace qlab
