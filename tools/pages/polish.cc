// SPDX-License-Identifier: Apache-2.0
/// \file
/// Replaces what Doxygen 1.9 writes by what says more; a text that is not there changes nothing.
#include "pages/polish.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "pages/markdown.h"

namespace qlab {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

/// The title of a page becomes its h1, so that sections written as h1 go down by one.
std::string with_levels(const std::string& html) {
  static const std::regex heading(R"re(<h([1-5])>(<a class="anchor"[\s\S]*?)</h[1-5]>)re");
  std::string result = replace_each(html, heading, [](const std::smatch& match) {
    const char level = static_cast<char>(match[1].str()[0] + 1);
    return fmt::format("<h{0}>{1}</h{0}>", level, match[2].str());
  });
  static const std::regex title(R"re(<div class="title">([\s\S]*?)</div>)re");
  return std::regex_replace(result, title, "<h1 class=\"title\">$1</h1>",
                            std::regex_constants::format_first_only);
}

}  // namespace

std::string polished(const std::string& html) {
  std::string result = with_levels(html);
  static const std::regex contents(
      R"re(<div class="toc"><h3>Table of Contents</h3>\n([\s\S]*?)</div>)re");
  result = std::regex_replace(
      result, contents,
      "<nav class=\"toc\" aria-label=\"On this page\"><details><summary>On this page</summary>\n"
      "$1</details></nav>");
  constexpr std::pair<std::string_view, std::string_view> kReplaced[] = {
      {R"(<div class="fragment">)",
       R"(<div class="fragment" tabindex="0" role="group" aria-label="Code">)"},
      {R"(<table class="markdownTable">)",
       R"(<div class="wide" tabindex="0" role="group" aria-label="Table"><table class="markdownTable">)"},
      {R"( style="pointer-events: none;" class="picture" class="inline"/>)",
       R"( class="picture"/>)"},
      {R"(<input type="text" id="MSearchField" value="Search")",
       R"(<input type="search" id="MSearchField" aria-label="Search pages and names" value="Search")"},
      {R"(<a id="MSearchClose" )", R"(<a id="MSearchClose" aria-label="Close the search" )"},
      {R"(<iframe src=)", R"(<iframe title="What the search found" src=)"},
      {R"( border="0")", ""},
      {R"( frameborder="0")", ""},
  };
  for (const auto& [from, to] : kReplaced) replace_all(result, from, to);
  // Its links to the parts of a page name parts that are not always there.
  static const std::regex summary(R"re(  <div class="summary">\n[\s\S]*?</div>\n)re");
  result = std::regex_replace(result, summary, "");
  // A list of all members says nothing that the page of the class does not.
  static const std::regex members(R"re(<p><a href="[^"]*-members.html">[^<]*</a></p>\n?)re");
  result = std::regex_replace(result, members, "");
  // Only Markdown's tables got a frame to close.
  static const std::regex table(R"re((<table class="markdownTable">[\s\S]*?</table>))re");
  return std::regex_replace(result, table, "$1</div>");
}

}  // namespace qlab
