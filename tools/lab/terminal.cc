// SPDX-License-Identifier: Apache-2.0
/// \file
/// Styles and the progress line.
#include "lab/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace qlab {
namespace {

constexpr std::chrono::seconds kPlainLineEvery{5};
constexpr std::chrono::milliseconds kRedrawEvery{100};

bool set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool dumb() {
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) == "dumb";
}

}  // namespace

std::string Terminal::styled(Style style, std::string_view text) const {
  constexpr std::array<const char*, 7> kCodes = {"", "1", "2", "32", "33", "31", "35"};
  if (!color || style == Style::kPlain) return std::string(text);
  return fmt::format("\033[{}m{}\033[0m", kCodes[static_cast<std::size_t>(style)], text);
}

std::string Terminal::plain(std::string text) const {
  if (!ascii) return text;
  constexpr std::pair<std::string_view, std::string_view> kSigns[] = {
      {"Δ", "d"},  {"·", "-"},  {"…", ".."}, {"×", "x"},  {"–", "-"},  {"−", "-"}, {"≥", ">="},
      {"≤", "<="}, {"“", "\""}, {"”", "\""}, {"±", "+-"}, {"→", "->"}, {"─", "-"}};
  for (const auto& [sign, replacement] : kSigns) {
    for (std::size_t at = text.find(sign); at != std::string::npos; at = text.find(sign, at)) {
      text.replace(at, sign.size(), replacement);
    }
  }
  return text;
}

Terminal detect_terminal(std::string_view color, bool ascii) {
  Terminal terminal;
  const bool is_terminal = isatty(STDOUT_FILENO) != 0;
  terminal.color =
      color == "always" || (color == "auto" && is_terminal && !set("NO_COLOR") && !dumb());
  terminal.redraw = isatty(STDERR_FILENO) != 0 && !dumb();
  terminal.ascii = ascii;
  winsize size{};
  if (is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    terminal.width = size.ws_col;
  }
  return terminal;
}

void Progress::show(double done, std::string_view what) {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < (terminal_.redraw ? std::chrono::nanoseconds(kRedrawEvery)
                                      : std::chrono::nanoseconds(kPlainLineEvery))) {
    return;
  }
  last_ = now;
  const double share = std::clamp(done / total_, 0.0, 1.0);
  const double seconds = std::chrono::duration<double>(now - start_).count();
  // Before a twentieth is done the pace says little about the rest.
  const std::string left =
      share > 0.05 ? fmt::format(", about {:.0f} s left", seconds / share * (1 - share)) : "";
  if (!terminal_.redraw) {
    fmt::print(stderr, "{:3.0f} %  {}{}\n", 100 * share, what, left);
    return;
  }
  constexpr int kBar = 20;
  const int full = static_cast<int>(share * kBar);
  fmt::print(stderr, "\r\033[K[{}{}] {:3.0f} %  {}{}",
             std::string(static_cast<std::size_t>(full), '#'),
             std::string(static_cast<std::size_t>(kBar - full), '.'), 100 * share, what, left);
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::clear() {
  if (drawn_) {
    fmt::print(stderr, "\r\033[K");
    std::fflush(stderr);
  }
  drawn_ = false;
}

}  // namespace qlab
