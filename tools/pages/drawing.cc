// SPDX-License-Identifier: Apache-2.0
/// \file
/// Writes the elements as they come and remembers where words stand, so that none covers another.
#include "pages/drawing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/contract.h"
#include "lab/svg_labels.h"

namespace qlab {
namespace {

// The shades of Okabe and Ito's colours, light enough under dark words, and dark ones under light.
constexpr const char* kStyle =
    R"(.drawing text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1f2328}
.drawing .t,.drawing .b{font-weight:600}.drawing .q{fill:#59636e}.drawing .m{font-family:ui-monospace,'DejaVu Sans Mono',monospace}
.drawing .bg{fill:#fff}.drawing .c{stroke:#8c959f;fill:none}.drawing .fr{fill:none;stroke:#1f2328;stroke-width:2}
.drawing .l{fill:none;stroke:#59636e}.drawing .h{fill:#59636e}
.drawing .s1{fill:#cfe3f5}.drawing .s2{fill:#ffe0c7}.drawing .s3{fill:#c9ead9}.drawing .s4{fill:#efdbea}.drawing .s5{fill:#f4e7b0}.drawing .s6{fill:#e4e8ec}
@media screen and (prefers-color-scheme:dark){.drawing text{fill:#e6edf3}.drawing .q{fill:#9da7b3}.drawing .bg{fill:#0d1117}
.drawing .c{stroke:#59636e}.drawing .fr{stroke:#e6edf3}.drawing .l{stroke:#9da7b3}.drawing .h{fill:#9da7b3}
.drawing .s1{fill:#12395c}.drawing .s2{fill:#5a2c0a}.drawing .s3{fill:#0f4535}.drawing .s4{fill:#4d2246}.drawing .s5{fill:#4a3c05}.drawing .s6{fill:#30363d}})";

const char* class_of(Ink ink) {
  switch (ink) {
    case Ink::kPlain:
      return "p";
    case Ink::kBold:
      return "b";
    case Ink::kQuiet:
      return "q";
    case Ink::kCode:
      return "m";
  }
  return "p";
}

const char* name_of(Anchor anchor) {
  return anchor == Anchor::kStart ? "start" : anchor == Anchor::kMiddle ? "middle" : "end";
}

}  // namespace

Drawing::Drawing(std::string title, std::string description)
    : title_(std::move(title)), description_(std::move(description)) {
  for (const std::string& line : text_lines(title_, kTitle, kWidth - 2 * kEdge)) {
    body_ += fmt::format("<text x=\"{}\" y=\"{:.1f}\" class=\"t\" font-size=\"{}\">{}</text>\n",
                         kEdge, bottom_ + 26, kTitle, xml_text(line));
    bottom_ += 26;
  }
  bottom_ += 12;
}

void Drawing::grow(double y) { bottom_ = std::max(bottom_, y); }

void Drawing::text(double x, double y, std::string_view words, Anchor anchor, Ink ink,
                   double size) {
  if (words.empty()) return;
  // Letters of one width are wider than text_width's.
  const double width =
      ink == Ink::kCode
          ? 0.61 * size *
                static_cast<double>(std::count_if(words.begin(), words.end(),
                                                  [](char c) { return (c & 0xC0) != 0x80; }))
          : text_width(words, size);
  const double left = anchor == Anchor::kStart    ? x
                      : anchor == Anchor::kMiddle ? x - width / 2
                                                  : x - width;
  const Words box{std::string(words), left, left + width, y - 0.72 * size, y + 0.2 * size};
  if (box.left < 0 || box.right > kWidth + 0.5) {
    complaints_.push_back(fmt::format("'{}' leaves the picture", words));
  }
  for (const Words& other : words_) {
    if (box.left < other.right && other.left < box.right && box.top < other.bottom &&
        other.top < box.bottom) {
      complaints_.push_back(fmt::format("'{}' covers '{}'", words, other.text));
    }
  }
  words_.push_back(box);
  body_ += fmt::format(
      "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\" "
      "font-size=\"{:g}\">{}</text>\n",
      x, y, name_of(anchor), class_of(ink), size, xml_text(std::string(words)));
  grow(y + 0.3 * size);
}

void Drawing::paragraph(std::string_view words, Ink ink) {
  for (const std::string& line : text_lines(std::string(words), kText, kWidth - 2 * kEdge)) {
    bottom_ += 20;
    text(kEdge, bottom_ - 5, line, Anchor::kStart, ink);
  }
}

void Drawing::cell(double x, double y, double width, double height, Shade shade,
                   std::string_view label) {
  body_ += fmt::format(
      "<rect class=\"c s{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n",
      static_cast<int>(shade), x, y, width, height);
  grow(y + height);
  if (label.empty()) return;
  double size = kText;
  while (size > kSmall && text_width(label, size) > width - 4) size -= 1;
  if (text_width(label, size) > width) {
    complaints_.push_back(fmt::format("'{}' does not fit into its cell", label));
  }
  text(x + width / 2, y + height / 2 + 0.35 * size, label, Anchor::kMiddle, Ink::kPlain, size);
}

void Drawing::frame(double x, double y, double width, double height) {
  body_ += fmt::format(
      "<rect class=\"fr\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n", x, y,
      width, height);
  grow(y + height + 1);
}

void Drawing::line(double x0, double y0, double x1, double y1, bool dashed) {
  body_ += fmt::format("<path class=\"l\"{} d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n",
                       dashed ? " stroke-dasharray=\"4 3\"" : "", x0, y0, x1, y1);
  grow(std::max(y0, y1));
}

void Drawing::arrow(double x0, double y0, double x1, double y1) {
  line(x0, y0, x1, y1);
  const double length = std::hypot(x1 - x0, y1 - y0);
  if (length == 0) return;
  constexpr double kHead = 8, kHalf = 3.5;
  const double ux = (x1 - x0) / length, uy = (y1 - y0) / length;
  const double bx = x1 - kHead * ux, by = y1 - kHead * uy;
  body_ += fmt::format("<path class=\"h\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}L{:.1f} {:.1f}z\"/>\n",
                       x1, y1, bx - kHalf * uy, by + kHalf * ux, bx + kHalf * uy, by - kHalf * ux);
}

std::string Drawing::svg() const {
  if (!complaints_.empty()) throw ContractError(title_ + ": " + complaints_.front());
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:g} {1:.0f}\" width=\"{0:g}\" "
      "height=\"{1:.0f}\" class=\"drawing\" role=\"img\" aria-labelledby=\"title desc\">\n"
      "<title id=\"title\">{2}</title>\n<desc id=\"desc\">{3}</desc>\n<style>{4}</style>\n"
      "<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n{5}</svg>\n",
      kWidth, bottom_ + kEdge, xml_text(title_), xml_text(description_), kStyle, body_);
}

}  // namespace qlab
