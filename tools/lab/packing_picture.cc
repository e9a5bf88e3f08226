// SPDX-License-Identifier: Apache-2.0
/// \file
/// One picture a format, one panel a tensor: a word above, the matrix below.
#include "lab/packing_picture.h"

#include <fmt/format.h>

#include "03_int4_weight_only/pack_int4.h"
#include "lab/svg_labels.h"

namespace qlab {
namespace {

constexpr double kWidth = 480, kEdge = 12, kNibble = 57, kCell = 24;
constexpr std::int64_t kN = 8, kK = 16, kGroups = 2;  // the matrix that is drawn
constexpr int kNibbles = 8;

constexpr const char* kStyle =
    R"(text{font:14px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1f2328}
.t{font-size:18px;font-weight:600}.s{font-weight:600}.q{fill:#59636e}.bg{fill:#fff}
.c{fill:none;stroke:#8c959f}.h{fill:#cfe3f5;stroke:#0072b2}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.q{fill:#9da7b3}.bg{fill:#0d1117}
.c{stroke:#59636e}.h{fill:#12395c;stroke:#56b4e9}})";

class Picture {
 public:
  void heading(const char* format) {
    y_ += 18;
    text(kEdge, y_, fmt::format("4-bit words of {}", format), "start", "t");
    y_ += 12;
  }

  void tensor(PackedTensor tensor) {
    const PackedLayout& layout = packed_layout(tensor);
    const std::int64_t K = layout.of_groups ? kGroups : kK;
    const PackedShape shape = packed_shape(tensor, kN, K);
    const char* const column = layout.of_groups ? "g" : "k";
    y_ += 22;
    text(kEdge, y_, fmt::format("{}: word [0, 0] of [{}, {}]", layout.name, shape.rows, shape.cols),
         "start", "s");
    y_ += 8;
    word(tensor, column);
    matrix(tensor, layout, K, column);
  }

  std::string finished(const std::string& title, const std::string& description) const {
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1:.0f}\" width=\"{0}\" "
        "height=\"{1:.0f}\" role=\"img\" aria-labelledby=\"title desc\">\n<title id=\"title\">{2}"
        "</title>\n<desc id=\"desc\">{3}</desc>\n<style>{4}</style>\n"
        "<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n{5}</svg>\n",
        kWidth, y_ + kEdge, xml_text(title), xml_text(description), kStyle, svg_);
  }

 private:
  void text(double x, double y, const std::string& words, const char* anchor, const char* classes) {
    svg_ +=
        fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n",
                    x, y, anchor, classes, xml_text(words));
  }
  void cell(double x, double y, double width, double height, bool highlighted) {
    svg_ += fmt::format(
        "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n",
        highlighted ? "h" : "c", x, y, width, height);
  }

  /// Eight nibbles, the highest bits left as one writes numbers; under each the value that it holds.
  void word(PackedTensor tensor, const char* column) {
    for (int place = 0; place < kNibbles; ++place) {
      const int nibble = kNibbles - 1 - place;
      const PackedElement at = packed_element(tensor, 0, 0, nibble);
      const double x = kEdge + place * kNibble, middle = x + kNibble / 2;
      text(middle, y_ + 14, fmt::format("{}-{}", 4 * nibble + 3, 4 * nibble), "middle", "q");
      cell(x, y_ + 20, kNibble, 46, true);
      text(middle, y_ + 38, fmt::format("n = {}", at.n), "middle", "");
      text(middle, y_ + 57, fmt::format("{} = {}", column, at.k), "middle", "");
    }
    y_ += 66;
  }

  /// The matrix, n downwards; the values of the word carry the number of their nibble.
  void matrix(PackedTensor tensor, const PackedLayout& layout, std::int64_t K, const char* column) {
    const double left = kEdge + 42;
    y_ += 28;
    text(left, y_, fmt::format("in cells: the nibble; {} = 0 … {} to the right", column, K - 1),
         "start", "q");
    y_ += 8;
    text(kEdge, y_ + 17, "n = 0", "start", "q");
    text(kEdge, y_ + 17 + kCell * (kN - 1), fmt::format("n = {}", kN - 1), "start", "q");
    for (std::int64_t n = 0; n < kN; ++n) {
      for (std::int64_t k = 0; k < K; ++k) {
        int held = -1;
        for (int i = 0; i < kNibbles; ++i) {
          if (packed_element(tensor, 0, 0, i) == PackedElement{n, k}) held = i;
        }
        const double x = left + kCell * static_cast<double>(k);
        const double y = y_ + kCell * static_cast<double>(n);
        cell(x, y, kCell, kCell, held >= 0);
        if (held >= 0) text(x + kCell / 2, y + 17, std::to_string(held), "middle", "");
      }
    }
    y_ += kCell * kN;
    const char* stored = "a nibble is the value itself, 0 … 15";
    if (layout.stored == Stored::kMinusOne) stored = "a nibble: v1 zero point - 1, v2 itself";
    if (layout.stored == Stored::kPlusEight) stored = "a nibble is the signed value + 8";
    y_ += 20;
    text(left, y_, stored, "start", "q");
  }

  std::string svg_;
  double y_ = kEdge;
};

/// The first word for somebody who cannot see it.
std::string in_words(PackedTensor tensor) {
  const PackedLayout& layout = packed_layout(tensor);
  std::string words = fmt::format("Word [0, 0] of {}, from bits 31-28 down to 3-0:", layout.name);
  for (int nibble = kNibbles - 1; nibble >= 0; --nibble) {
    const PackedElement at = packed_element(tensor, 0, 0, nibble);
    words += fmt::format(" n {} {} {}{}", at.n, layout.of_groups ? "g" : "k", at.k,
                         nibble > 0 ? "," : ". ");
  }
  return words;
}

std::string picture(std::initializer_list<PackedTensor> tensors) {
  const char* const format = packed_layout(*tensors.begin()).format;
  Picture p;
  p.heading(format);
  std::string description;
  for (const PackedTensor tensor : tensors) {
    p.tensor(tensor);
    description += in_words(tensor);
  }
  return p.finished(fmt::format("4-bit words of {}", format), description);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> packing_pictures() {
  using enum PackedTensor;
  return {{"packing_gptq.svg", picture({kGptqQweight, kGptqQzerosV1})},
          {"packing_awq.svg", picture({kAwqQweight, kAwqQzeros})},
          {"packing_compressed_tensors.svg", picture({kWeightPacked, kWeightZeroPoint})}};
}

}  // namespace qlab
