// SPDX-License-Identifier: Apache-2.0
/// \file
/// Gathers lines to paragraphs, and says each when the next begins.
#include "lab/page_text.h"

#include <fmt/format.h>

#include <regex>

#include "lab/text.h"

namespace qlab {
namespace {

class Page {
 public:
  Page(std::size_t width, const Terminal& terminal) : width_(width), terminal_(terminal) {}

  void line(const std::string& line) {
    if (line.starts_with("```")) {
      end_paragraph();
      fenced_ = !fenced_;
    } else if (fenced_) {
      text_ += line.empty() ? "\n" : "    " + line + "\n";
    } else {
      prose(without_markup(line));
    }
  }

  std::string text() {
    end_paragraph();
    return std::move(text_);
  }

 private:
  static std::string without_markup(const std::string& line) {
    static const std::regex picture(R"(!\[([^\]]*)\]\([^)]+\))"), comment("<!--.*?-->"),
        link(R"(\[((?:[^\[\]]|`[^`]*`)*)\]\([^)]+\))"), tag("</?(details|summary)>"),
        formula(R"(\$([^$]+)\$)");
    std::string words = std::regex_replace(line, picture, "(Picture: $1)");
    words = std::regex_replace(words, comment, "");
    words = std::regex_replace(words, link, "$1");
    words = std::regex_replace(words, formula, "$1");
    return std::regex_replace(words, tag, "");
  }

  void prose(const std::string& line) {
    const auto first = line.find_first_not_of(' ');
    if (first == std::string::npos || line == "$$") {
      end_paragraph();
      // Comments stand on lines of their own, between blank ones.
      if (!text_.empty() && !text_.ends_with("\n\n")) text_ += "\n";
    } else if (line.starts_with("#")) {
      end_paragraph();
      text_ += terminal_.styled(Style::kBold, line.substr(line.find(' ') + 1)) + "\n";
    } else if (line.starts_with("|")) {
      end_paragraph();
      text_ += line + "\n";
    } else {
      static const std::regex item(R"( *(- |\d+\. )(.*))");
      std::smatch match;
      if (std::regex_match(line, match, item)) {
        end_paragraph();
        mark_ = match[1];
        paragraph_ = match[2];
      } else {
        paragraph_ += (paragraph_.empty() ? "" : " ") + line.substr(first);
      }
    }
  }

  void end_paragraph() {
    if (!paragraph_.empty()) {
      // What follows the mark of an item stands under its words.
      std::string lines = wrapped(paragraph_, width_, std::string(mark_.size(), ' '));
      text_ += lines.replace(0, mark_.size(), mark_) + "\n";
    }
    paragraph_.clear();
    mark_.clear();
  }

  std::size_t width_;
  const Terminal& terminal_;
  std::string text_, paragraph_;
  std::string mark_;  ///< of the item that the paragraph is, or nothing
  bool fenced_ = false;
};

}  // namespace

std::string page_text(const std::string& markdown, std::size_t width, const Terminal& terminal) {
  Page page(width, terminal);
  for (const std::string& line : lines_of(markdown)) page.line(line);
  return page.text();
}

}  // namespace qlab
