// SPDX-License-Identifier: Apache-2.0
/// \file
/// Escapes text and writes tables.
#include "lab/html_text.h"

#include <fmt/format.h>

#include "common/contract.h"
#include "lab/svg_labels.h"

namespace qlab {

std::string html_text(std::string_view text) {
  std::string html;
  for (const char c : xml_text(text)) {
    if (c == '"') {
      html += "&quot;";
    } else {
      html += c;
    }
  }
  return html;
}

std::string html_element(std::string_view tag, std::string_view text, std::string_view attributes) {
  return fmt::format("<{}{}{}>{}</{}>\n", tag, attributes.empty() ? "" : " ", attributes,
                     html_text(text), tag);
}

std::string html_table(const HtmlTable& table, std::string_view id) {
  // A box that scrolls must be reachable by the keyboard, and then needs a name.
  std::string html = fmt::format(
      "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-labelledby=\"{0}\">\n<table>\n"
      "<caption id=\"{0}\"><span>{1}</span></caption>\n<thead><tr>\n",
      id, html_text(table.caption));
  const auto kind = [&](std::size_t column) {
    return column < table.words ? "class=\"w\"" : "class=\"n\"";
  };
  for (std::size_t i = 0; i < table.head.size(); ++i) {
    html += html_element("th", table.head[i], fmt::format("scope=\"col\" {}", kind(i)));
  }
  html += "</tr></thead>\n<tbody>\n";
  for (const std::vector<std::string>& row : table.rows) {
    QLAB_CHECK(row.size() == table.head.size(), "html_table: a row of '", table.caption, "' has ",
               row.size(), " cells under ", table.head.size(), " heads");
    html += "<tr>" + html_element("th", row[0], "scope=\"row\" class=\"w\"");
    for (std::size_t i = 1; i < row.size(); ++i) html += html_element("td", row[i], kind(i));
    html += "</tr>\n";
  }
  return html + "</tbody>\n</table>\n</div>\n";
}

}  // namespace qlab
