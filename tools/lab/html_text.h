// SPDX-License-Identifier: Apache-2.0
/// \file
/// Parts of an HTML page: elements with escaped text, and tables that screen readers can read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace qlab {

/// `text` as HTML has it, fit for an attribute too.
std::string html_text(std::string_view text);

/// "<tag attributes>text</tag>" with the text escaped, and a line's end. `attributes` are the
/// page's own.
std::string html_element(std::string_view tag, std::string_view text,
                         std::string_view attributes = "");

/// The first column heads its rows.
struct HtmlTable {
  std::string caption;
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
  std::size_t words = 1;  ///< so many columns hold words; those behind them numbers
};

/// In a box of its own, inside which it scrolls where it is wider than the page. `id` is unique.
std::string html_table(const HtmlTable& table, std::string_view id);

}  // namespace qlab
