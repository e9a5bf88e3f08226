// SPDX-License-Identifier: Apache-2.0
/// \file
/// What tests ask of an SVG file: that its tags balance, and that no text covers another.
#pragma once

#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

#include "lab/svg_labels.h"

namespace qlab::test {

/// Every tag that opens is closed in order, attributes are quoted, and no bare & or < is left.
inline testing::AssertionResult is_well_formed(const std::string& svg) {
  static const std::regex kTag(R"(^<(/?)([a-zA-Z]+)((?:\s+[a-zA-Z:-]+="[^"<]*")*)\s*(/?)>)",
                               std::regex::optimize);
  static const std::regex kEntity(R"(^&(amp|lt|gt|quot);)");
  std::vector<std::string> open;
  bool any = false;
  for (std::size_t at = 0; at < svg.size();) {
    const auto from = svg.begin() + static_cast<std::ptrdiff_t>(at);
    const auto until =
        from + static_cast<std::ptrdiff_t>(std::min<std::size_t>(svg.size() - at, 20));
    std::smatch match;
    if (svg[at] == '<') {
      const std::size_t end = svg.find('>', at);
      const std::string tag = svg.substr(at, end == std::string::npos ? 40 : end - at + 1);
      if (!std::regex_search(tag, match, kTag)) {
        return testing::AssertionFailure() << "no tag: " << tag;
      }
      const std::string name = match[2];
      if (match[1] == "/") {
        if (open.empty() || open.back() != name) {
          return testing::AssertionFailure() << "</" << name << "> closes nothing";
        }
        open.pop_back();
      } else if (match[4] != "/") {
        if (any && open.empty()) return testing::AssertionFailure() << "two roots";
        open.push_back(name);
        any = true;
      }
      at += tag.size();
      continue;
    }
    if (svg[at] == '&' && !std::regex_search(from, until, match, kEntity)) {
      return testing::AssertionFailure() << "a bare & at " << svg.substr(at, 20);
    }
    if (open.empty() && svg[at] != '\n') return testing::AssertionFailure() << "text outside";
    ++at;
  }
  if (!open.empty()) return testing::AssertionFailure() << "<" << open.back() << "> stays open";
  if (!any) return testing::AssertionFailure() << "no tag at all";
  return testing::AssertionSuccess();
}

struct TextBox {
  std::string words;
  double left, right, top, bottom;
};

inline std::vector<TextBox> text_boxes(const std::string& svg) {
  static const std::regex kText(
      R"re(<text x="([-0-9.]+)" y="([-0-9.]+)" text-anchor="(\w+)" class="(\w*)">([^<]*)</text>)re");
  std::vector<TextBox> boxes;
  for (std::sregex_iterator i(svg.begin(), svg.end(), kText), end; i != end; ++i) {
    const std::smatch& match = *i;
    const double size = match[4] == "t" ? 18 * 1.15 : 15;
    const double width = text_width(match[5].str(), size);
    const double x = std::stod(match[1]);
    const double y = std::stod(match[2]);
    const double left = match[3] == "start" ? x : match[3] == "end" ? x - width : x - width / 2;
    boxes.push_back({match[5], left, left + width, y - 0.75 * size, y + 0.2 * size});
  }
  return boxes;
}

/// All text lies within the viewBox, and no two boxes overlap.
inline testing::AssertionResult text_is_readable(const std::string& svg) {
  std::smatch view;
  if (!std::regex_search(svg, view, std::regex(R"re(viewBox="0 0 (\d+) (\d+)")re"))) {
    return testing::AssertionFailure() << "no viewBox";
  }
  const std::vector<TextBox> boxes = text_boxes(svg);
  if (boxes.empty()) return testing::AssertionFailure() << "no text";
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const TextBox& a = boxes[i];
    if (a.left < 0 || a.right > std::stod(view[1]) || a.top < 0 || a.bottom > std::stod(view[2])) {
      return testing::AssertionFailure()
             << "'" << a.words << "' leaves the picture: " << a.left << " … " << a.right;
    }
    for (std::size_t j = 0; j < i; ++j) {
      const TextBox& b = boxes[j];
      if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) {
        return testing::AssertionFailure()
               << "'" << a.words << "' covers '" << b.words << "' at y = " << a.bottom;
      }
    }
  }
  return testing::AssertionSuccess();
}

/// How often `part` occurs.
inline int count_of(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace qlab::test
