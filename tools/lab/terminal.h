// SPDX-License-Identifier: Apache-2.0
/// \file
/// Terminal: what the output can show (colour, box characters, a progress line), and the styles.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace qlab {

/// Styles carry no meaning of their own: the word comes first.
enum class Style { kPlain, kBold, kDim, kGreen, kYellow, kRed, kMagenta };

struct Terminal {
  bool color = false;   ///< escape codes for bold and colour
  bool redraw = false;  ///< a progress line may be drawn over
  bool ascii = false;   ///< nothing outside ASCII
  int width = 100;

  /// `text` in a style, or as it is without colour.
  std::string styled(Style style, std::string_view text) const;
  /// `text` with the few signs beyond ASCII that reports use replaced when `ascii` is set.
  std::string plain(std::string text) const;
};

/// What standard output is: NO_COLOR, TERM=dumb and pipes give plain text. `color` is auto, always
/// or never.
Terminal detect_terminal(std::string_view color, bool ascii);

/// One line on standard error that says what is being measured and how much is left: redrawn on a
/// terminal, a plain line every few seconds elsewhere.
class Progress {
 public:
  Progress(const Terminal& terminal, double total) : terminal_(terminal), total_(total) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` of `total` units of work are behind us; `what` is next.
  void show(double done, std::string_view what);
  /// Removes the line, before a report is printed.
  void clear();

 private:
  const Terminal& terminal_;
  double total_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace qlab
