// SPDX-License-Identifier: Apache-2.0
/// \file
/// terminal_svg: turns what a terminal received into a picture whose text is text.
///
///     script -qec './lab compare --color always' /dev/null | terminal_svg 'TITLE' > picture.svg
///
/// Understands what the lab prints: bold, dim and 16 colours, and a progress line that is drawn over.
/// Any other escape sequence is left out.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

struct Style {
  bool bold = false;
  bool dim = false;
  int color = -1;  // 0 … 15; -1: the terminal's own
  bool operator==(const Style&) const = default;
};

struct Cell {
  std::string character = " ";  // one code point in UTF-8
  Style style;
};

/// A page without a lower end: nothing scrolls away.
class Screen {
 public:
  explicit Screen(std::string_view input) : input_(input) {
    while (at_ < input_.size()) take();
    while (!rows_.empty() && rows_.back().empty()) rows_.pop_back();
  }
  const std::vector<std::vector<Cell>>& rows() const { return rows_; }

 private:
  void take() {
    const unsigned char byte = static_cast<unsigned char>(input_[at_++]);
    if (byte == '\n') {
      ++row_;
      column_ = 0;  // also where no terminal turned it into "\r\n"
    } else if (byte == '\r') {
      column_ = 0;
    } else if (byte == '\033') {
      take_escape();
    } else if (byte >= 0x20 && byte != 0x7f) {
      put(code_point(byte));
    }
  }

  /// The bytes of a code point whose first is `byte`; U+FFFD for what XML does not allow.
  std::string code_point(unsigned char byte) {
    constexpr char32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
    const std::size_t more = byte >= 0xf5   ? 0
                             : byte >= 0xf0 ? 3
                             : byte >= 0xe0 ? 2
                             : byte >= 0xc0 ? 1
                                            : 0;
    std::string text(1, static_cast<char>(byte));
    char32_t code = more == 0 ? byte : byte & (0x3fu >> more);
    while (text.size() <= more && at_ < input_.size() && (input_[at_] & 0xc0) == 0x80) {
      code = code << 6 | (static_cast<unsigned char>(input_[at_]) & 0x3fu);
      text += input_[at_++];
    }
    const bool whole = text.size() == more + 1 && (more > 0 || byte < 0x80);
    const bool allowed = code >= kLeast[more] && code <= 0x10ffff && code >> 11 != 0x1b &&
                         code != 0xfffe && code != 0xffff;  // 0x1b: half a surrogate pair
    return whole && allowed ? text : "\xef\xbf\xbd";
  }

  void put(std::string character) {
    std::vector<Cell>& row = present_row();
    if (row.size() <= column_) row.resize(column_ + 1);
    row[column_++] = {std::move(character), style_};
  }

  std::vector<Cell>& present_row() {
    if (rows_.size() <= row_) rows_.resize(row_ + 1);
    return rows_[row_];
  }

  void take_escape() {
    if (at_ == input_.size()) return;
    const char kind = input_[at_++];
    if (kind == ']') {  // a title or a link: up to BEL or ESC backslash
      while (at_ < input_.size() && input_[at_] != '\a' && input_[at_] != '\033') ++at_;
      at_ += at_ < input_.size() && input_[at_] == '\033' ? 2 : 1;
    } else if (kind == '[') {
      const std::size_t start = at_;
      while (at_ < input_.size() && (input_[at_] < 0x40 || input_[at_] > 0x7e)) ++at_;
      if (at_ == input_.size()) return;
      obey(input_.substr(start, at_ - start), input_[at_]);
      ++at_;
    }
  }

  void obey(std::string_view parameters, char command) {
    if (command == 'm') set_style(parameters);
    if (command == 'K') {
      std::vector<Cell>& row = present_row();
      row.resize(std::min(row.size(), parameters == "2" ? 0 : column_));
    }
  }

  void set_style(std::string_view codes) {
    for (;;) {
      const std::size_t end = codes.find(';');
      const std::string_view word = codes.substr(0, end);
      const int code = word.empty() ? 0 : std::atoi(std::string(word).c_str());
      if (code == 0) style_ = {};
      if (code == 1) style_.bold = true;
      if (code == 2) style_.dim = true;
      if (code >= 30 && code <= 37) style_.color = code - 30;
      if (code >= 90 && code <= 97) style_.color = code - 82;  // the bright ones: 8 … 15
      if (end == std::string_view::npos) return;
      codes.remove_prefix(end + 1);
    }
  }

  std::string_view input_;
  std::size_t at_ = 0;
  std::size_t row_ = 0;
  std::size_t column_ = 0;
  Style style_;
  std::vector<std::vector<Cell>> rows_;
};

std::string escaped(std::string_view text) {
  std::string xml;
  for (const char c : text) {
    xml += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  }
  return xml;
}

/// Classes of the style sheet below.
std::string classes(const Style& style) {
  std::string names;
  if (style.bold) names += "b ";
  if (style.dim) names += "d ";
  if (style.color >= 0) names += "c" + std::to_string(style.color) + " ";
  if (!names.empty()) names.pop_back();
  return names;
}

constexpr double kCharacterWidth = 8.4;
constexpr int kLineHeight = 18;
constexpr int kMargin = 14;

bool blank_at(const std::vector<Cell>& row, std::size_t i) {
  return i >= row.size() || row[i].character == " ";
}

/// Each run of one style stands at its own column, so that no font can push the next one aside. Two
/// blanks end a run too: not every viewer keeps them.
void print_row(const std::vector<Cell>& row, std::size_t number) {
  const double y = kMargin + kLineHeight * (static_cast<double>(number) + 0.75);
  for (std::size_t i = 0; i < row.size();) {
    if (blank_at(row, i)) {
      ++i;
      continue;
    }
    const double x = kMargin + kCharacterWidth * static_cast<double>(i);
    const Style style = row[i].style;
    std::string text;
    for (; i < row.size() && row[i].style == style; ++i) {
      if (blank_at(row, i) && blank_at(row, i + 1)) break;
      text += row[i].character;
    }
    const std::string names = classes(style);
    std::printf("<text x=\"%.1f\" y=\"%.1f\"%s>%s</text>\n", x, y,
                names.empty() ? "" : (" class=\"" + names + "\"").c_str(), escaped(text).c_str());
  }
}

// A dark window with its own background reads the same on a light page and on a dark one; each
// colour has a contrast of at least 4.5 with it, dimmed text included.
constexpr std::string_view kStyleSheet =
    "text{font:14px ui-monospace,Consolas,'DejaVu Sans Mono',monospace;"
    "fill:#e6edf3}.b{font-weight:700}.d{fill:#9da7b3}"
    ".c0,.c8{fill:#9da7b3}.c1,.c9{fill:#ff7b72}.c2,.c10{fill:#56d364}.c3,.c11{fill:#e3b341}"
    ".c4,.c12{fill:#79c0ff}.c5,.c13{fill:#d2a8ff}.c6,.c14{fill:#56d4dd}.c7,.c15{fill:#e6edf3}";

void print_svg(const Screen& screen, const std::string& title) {
  std::size_t columns = 0;
  for (const auto& row : screen.rows()) columns = std::max(columns, row.size());
  const double width = 2 * kMargin + kCharacterWidth * static_cast<double>(columns);
  const double height = 2 * kMargin + kLineHeight * static_cast<double>(screen.rows().size());
  std::printf(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
      "height=\"%.0f\" role=\"img\" aria-labelledby=\"title\">\n<title id=\"title\">%s</title>\n"
      "<style>%s</style>\n"
      "<rect width=\"100%%\" height=\"100%%\" rx=\"8\" fill=\"#0d1117\"/>\n",
      width, height, width, height, escaped(title).c_str(), kStyleSheet.data());
  for (std::size_t i = 0; i < screen.rows().size(); ++i) print_row(screen.rows()[i], i);
  std::printf("</svg>\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "terminal_svg: usage: terminal_svg TITLE < output > picture.svg\n");
    return 2;
  }
  const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
  const Screen screen(input);
  if (screen.rows().empty()) {
    std::fprintf(stderr, "terminal_svg: standard input holds no text\n");
    return 2;
  }
  print_svg(screen, argv[1]);
  return 0;
}
