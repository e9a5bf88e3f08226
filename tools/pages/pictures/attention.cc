// SPDX-License-Identifier: Apache-2.0
/// \file
/// Attention over a cache: the running softmax, blocks of two sequences, splits of a context.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "04_kv_cache/paged_kv.h"
#include "pages/drawing.h"
#include "pages/pictures/lab04.h"

namespace qlab {

std::string picture_attention_decode() {
  constexpr std::array kScores{1.0, 3.0, 2.0, 4.0, 0.0};
  Drawing d("A softmax that is never finished",
            "A table, one column a score: the largest so far, the factor that brings what was "
            "summed before to it, the weight of the new token, and the sum.");
  constexpr double kLeft = 130, kCell = 80, kTall = 28;
  const double top = d.bottom() + 10;
  constexpr const char* kRows[] = {"score s", "largest m", "factor", "weight", "sum"};
  for (std::size_t i = 0; i < std::size(kRows); ++i) {
    d.text(kLeft - 10, top + kTall * static_cast<double>(i) + 19, kRows[i], Anchor::kEnd,
           Ink::kQuiet);
  }
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (std::size_t i = 0; i < kScores.size(); ++i) {
    const double larger = std::max(largest, kScores[i]);
    const double factor = std::exp(largest - larger);
    const double weight = std::exp(kScores[i] - larger);
    sum = sum * factor + weight;
    const Shade shade = larger > largest ? Shade::kOrange : Shade::kBlue;
    largest = larger;
    const double x = kLeft + kCell * static_cast<double>(i);
    const std::string words[] = {fmt::format("{:.0f}", kScores[i]), fmt::format("{:.0f}", largest),
                                 fmt::format("{:.3f}", factor), fmt::format("{:.3f}", weight),
                                 fmt::format("{:.3f}", sum)};
    for (std::size_t row = 0; row < std::size(words); ++row) {
      d.cell(x, top + kTall * static_cast<double>(row), kCell, kTall, shade, words[row]);
    }
  }
  d.gap(4);
  d.paragraph(
      "Orange: a new largest score. The sum before it is multiplied by the factor, then the weight "
      "is added. The output goes the same way.");
  return d.svg();
}

std::string picture_paged_kv() {
  constexpr std::int64_t kBlocks = 6, kBlockSize = 4, kTokens = 10;
  BlockPool pool(kBlocks, kBlockSize, 1);
  PagedSequence a;
  const std::array<std::uint8_t, 1> row{0};
  for (std::int64_t t = 0; t < kTokens; ++t) exercise::append_token(pool, a, row);
  PagedSequence b = exercise::fork_sequence(pool, a);
  exercise::append_token(pool, b, row);

  Drawing d(
      "Two sequences and their blocks",
      "Sequence A has ten tokens; B was forked from it and wrote one more. They share the two "
      "full blocks, and each has a last block of its own.");
  constexpr double kLeft = 130, kCell = 46, kTall = 26, kBlockWide = 62;
  const auto table = [&](const char* name, const PagedSequence& s) {
    const double y = d.bottom() + 8;
    d.text(kLeft - 10, y + 18, fmt::format("{}, {} tokens", name, s.length), Anchor::kEnd);
    for (std::size_t i = 0; i < s.table.size(); ++i) {
      d.cell(kLeft + kCell * static_cast<double>(i), y, kCell, kTall, Shade::kGreen,
             std::to_string(s.table[i]));
    }
  };
  table("A", a);
  table("B", b);
  d.gap(14);
  const double top = d.bottom() + 8;
  d.text(kLeft - 10, top + 12, "block", Anchor::kEnd, Ink::kQuiet);
  d.text(kLeft - 10, top + 38, "tokens", Anchor::kEnd, Ink::kQuiet);
  d.text(kLeft - 10, top + 66, "ref_count", Anchor::kEnd, Ink::kQuiet);
  for (std::int64_t block = 0; block < kBlocks; ++block) {
    const double x = kLeft + (kBlockWide + 6) * static_cast<double>(block);
    std::int64_t first = -1, count = 0;
    for (const PagedSequence* s : {&a, &b}) {
      for (std::size_t i = 0; i < s->table.size(); ++i) {
        if (s->table[i] != block) continue;
        first = static_cast<std::int64_t>(i) * kBlockSize;
        count = std::max(count, std::min(kBlockSize, s->length - first));
      }
    }
    const int owners = pool.ref_count[static_cast<std::size_t>(block)];
    const Shade shade = owners > 1 ? Shade::kOrange : owners == 1 ? Shade::kBlue : Shade::kNone;
    d.text(x + kBlockWide / 2, top + 12, std::to_string(block), Anchor::kMiddle, Ink::kQuiet);
    d.cell(x, top + 20, kBlockWide, kTall, shade,
           count == 0 ? "–" : fmt::format("{} … {}", first, first + count - 1));
    d.text(x + kBlockWide / 2, top + 66, std::to_string(owners), Anchor::kMiddle);
  }
  d.gap(4);
  d.paragraph(
      "Ten tokens were appended to A, A was forked into B, and B wrote token 10: its last "
      "block was copied first. Orange: shared. A dash: free.");
  return d.svg();
}

}  // namespace qlab
