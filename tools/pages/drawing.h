// SPDX-License-Identifier: Apache-2.0
/// \file
/// Drawing: a picture of cells, words and arrows as an SVG file: layouts, tiles, packings, schedules.
///
/// What is drawn comes from the code that it explains (a layout function, a constant of a header, a
/// scheduler that runs), never from numbers that repeat it. Curves and points are svg_chart's.
/// Colour never carries meaning alone: a shade always has a word in its cell or beside it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qlab {

enum class Anchor { kStart, kMiddle, kEnd };
enum class Ink { kPlain, kBold, kQuiet, kCode };
enum class Shade { kNone, kBlue, kOrange, kGreen, kPurple, kYellow, kGrey };

/// 560 units wide, as charts are: at 390 pixels, a phone, text of 15 is 10 pixels tall. Text is 15
/// tall, in `small` cells 12.
class Drawing {
 public:
  static constexpr double kWidth = 560, kEdge = 12, kText = 15, kSmall = 12, kTitle = 18;

  /// The title is drawn in the first line; the description is for somebody who cannot see it.
  Drawing(std::string title, std::string description);

  /// Where nothing is drawn yet; the picture ends there.
  double bottom() const { return bottom_; }
  /// Leaves `height` free under what is drawn.
  void gap(double height) { bottom_ += height; }

  /// One line of words on the baseline `y`. Markup is not needed: `<` and `&` are escaped.
  void text(double x, double y, std::string_view words, Anchor anchor = Anchor::kStart,
            Ink ink = Ink::kPlain, double size = kText);
  /// Words in as many lines as they need across the picture, under what is drawn.
  void paragraph(std::string_view words, Ink ink = Ink::kQuiet);
  /// A rectangle with a label in its middle, whose size shrinks to kSmall where it must.
  void cell(double x, double y, double width, double height, Shade shade,
            std::string_view label = {});
  /// A rectangle's outline alone, thick: what belongs together.
  void frame(double x, double y, double width, double height);
  void line(double x0, double y0, double x1, double y1, bool dashed = false);
  /// A line with a head at (x1, y1).
  void arrow(double x0, double y0, double x1, double y1);

  /// The file. \throws ContractError naming the words that leave the picture, do not fit into their
  /// cell, or cover other words.
  std::string svg() const;

 private:
  struct Words {
    std::string text;
    double left, right, top, bottom;
  };
  void grow(double y);

  std::string title_, description_, body_;
  std::vector<Words> words_;
  std::vector<std::string> complaints_;
  double bottom_ = 0;
};

}  // namespace qlab
