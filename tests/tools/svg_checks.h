// SPDX-License-Identifier: Apache-2.0
/// \file
/// What tests ask of an SVG file: that its tags balance, and that no text covers another.
#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "lab/svg_labels.h"

namespace qlab::test {

/// What is wrong with the attributes of a tag: each is a blank, a name, =" and a value.
inline std::string wrong_attributes(std::string_view text) {
  while (!text.empty()) {
    const std::size_t equals = text.find("=\"");
    if (text.front() != ' ' || equals == std::string_view::npos) return std::string(text);
    for (const char c : text.substr(1, equals - 1)) {
      if (std::isalpha(static_cast<unsigned char>(c)) == 0 && c != '-' && c != ':')
        return std::string(text);
    }
    const std::size_t end = text.find('"', equals + 2);
    if (end == std::string_view::npos) return std::string(text);
    text.remove_prefix(end + 1);
  }
  return "";
}

/// Every tag that opens is closed in order under one root, attributes are quoted, and no bare & or <
/// is left. By hand: a path has more characters than std::regex has stack.
inline testing::AssertionResult is_well_formed(std::string_view svg) {
  std::vector<std::string_view> open;
  int roots = 0;
  while (!svg.empty()) {
    if (svg.front() != '<') {
      const std::string_view text = svg.substr(0, svg.find('<'));
      if (open.empty() && text != "\n") return testing::AssertionFailure() << "outside: " << text;
      for (std::size_t at = text.find('&'); at != text.npos; at = text.find('&', at + 1)) {
        const std::string_view entity = text.substr(at + 1, text.find(';', at) - at - 1);
        if (entity != "amp" && entity != "lt" && entity != "gt") {
          return testing::AssertionFailure() << "a bare &: " << text;
        }
      }
      svg.remove_prefix(text.size());
      continue;
    }
    const std::size_t end = svg.find('>');
    if (end == svg.npos) return testing::AssertionFailure() << "no tag: " << svg;
    std::string_view tag = svg.substr(1, end - 1);
    svg.remove_prefix(end + 1);
    if (tag.starts_with('/')) {
      if (open.empty() || open.back() != tag.substr(1)) {
        return testing::AssertionFailure() << "<" << tag << "> closes nothing";
      }
      open.pop_back();
      continue;
    }
    const bool closed = tag.ends_with('/');
    if (closed) tag.remove_suffix(1);
    const std::string_view name = tag.substr(0, tag.find(' '));
    const std::string wrong = wrong_attributes(tag.substr(name.size()));
    if (name.empty() || !wrong.empty()) return testing::AssertionFailure() << "no tag: " << tag;
    if (open.empty() && ++roots > 1) return testing::AssertionFailure() << "a second root";
    if (!closed) open.push_back(name);
  }
  if (!open.empty()) return testing::AssertionFailure() << "<" << open.back() << "> stays open";
  if (roots == 0) return testing::AssertionFailure() << "no tag at all";
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
