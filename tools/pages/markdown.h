// SPDX-License-Identifier: Apache-2.0
/// \file
/// Markdown as the pages of docs/ use it: lines, fences, code spans, links.
#pragma once

#include <functional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace qlab {

/// GitHub's anchor of a heading: "What goes wrong" → "what-goes-wrong".
std::string heading_slug(std::string_view heading);

/// Applies `change` to every stretch of prose: outside of fenced blocks, and within a line outside of
/// `code spans`. A stretch never holds a line end.
std::string map_prose(const std::string& markdown,
                      const std::function<std::string(const std::string&)>& change);

/// The text with every match of `form` replaced by what `change` makes of it.
std::string replace_each(const std::string& text, const std::regex& form,
                         const std::function<std::string(const std::smatch&)>& change);

/// `lines` without the indentation that all of them share.
std::vector<std::string> without_indent(std::vector<std::string> lines);

}  // namespace qlab
