// SPDX-License-Identifier: Apache-2.0
/// \file
/// FP16 on a GPU: sectors of a warp's loads, a thread's share of a tile and the banks of its rows,
/// lanes of fragments.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

#include "common/contract.h"
#include "common/formats.h"
#include "pages/drawing.h"
#include "pages/pictures/lab01.h"
#include "pages/pictures/source_constant.h"
#include "simt/cpu/tensor_core.h"

namespace qlab {
namespace {

constexpr std::size_t kBanks = 32;
constexpr int kLanes = 32;
constexpr Shade kShades[] = {Shade::kBlue, Shade::kOrange, Shade::kGreen, Shade::kPurple};

/// One element of a fragment: `element` counts halves of A and B, and floats of C, in a lane.
struct Place {
  std::size_t lane, element, row, col;
};

/// The places of "m16n8k16.f16,A" and the like, from the table that the tests of the mma use.
std::vector<Place> places_of(const std::string& operand) {
  std::vector<Place> places;
  std::ifstream file(Places::of_this_program().root / "tests/simt/golden/mma_fragments.csv");
  for (std::string line; std::getline(file, line);) {
    const std::string start = operand + ",";
    if (!line.starts_with(start)) continue;
    std::istringstream numbers(line.substr(start.size()));
    Place p{};
    char comma;
    numbers >> p.lane >> comma >> p.element >> comma >> p.row >> comma >> p.col;
    places.push_back(p);
  }
  return places;
}

/// Multiplies two matrices without symmetry on the CPU's model of the mma, through these places.
/// \throws ContractError when an element of the product is not where the picture would show it.
void check_places(const std::vector<Place>& a_places, const std::vector<Place>& b_places,
                  const std::vector<Place>& c_places) {
  const auto a = [](std::size_t row, std::size_t k) {
    return static_cast<float>((3 * row + 5 * k) % 17);
  };
  const auto b = [](std::size_t k, std::size_t col) {
    return static_cast<float>((2 * k + 3 * col) % 11);
  };
  const auto bits = [](float x) { return std::uint32_t{from_float<half_t>(x).bits}; };
  std::array<std::array<std::uint32_t, 4>, kLanes> a_words{};
  std::array<std::array<std::uint32_t, 2>, kLanes> b_words{};
  std::array<std::array<float, 4>, kLanes> d{};
  for (const Place& p : a_places) {
    a_words.at(p.lane).at(p.element / 2) |= bits(a(p.row, p.col)) << 16 * (p.element % 2);
  }
  for (const Place& p : b_places) {
    b_words.at(p.lane).at(p.element / 2) |= bits(b(p.row, p.col)) << 16 * (p.element % 2);
  }
  std::array<simt::cpu::MmaOperands<float>, kLanes> operands;
  std::array<void*, kLanes> pointers;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    operands[lane] = {d[lane].data(), a_words[lane].data(), b_words[lane].data()};
    pointers[lane] = &operands[lane];
  }
  simt::cpu::execute_mma<simt::cpu::ReadF16, float>(0, pointers.data());
  for (const Place& p : c_places) {
    float sum = 0;
    for (std::size_t k = 0; k < 16; ++k) sum += a(p.row, k) * b(k, p.col);
    QLAB_CHECK(d.at(p.lane).at(p.element) == sum, "the picture of fp16_gemm_mma: C(", p.row, ", ",
               p.col, ") is not with lane ", p.lane);
  }
}

/// A grid of lanes; the marked lane's cells name its register instead.
void draw_fragment(Drawing& d, double x, double y, double cell, double tall,
                   const std::vector<Place>& places, std::size_t marked,
                   const std::string& letter) {
  for (const Place& p : places) {
    const bool mine = p.lane == marked;
    const std::size_t index = letter == "c" ? p.element : p.element / 2;
    const double left = x + cell * static_cast<double>(p.col);
    const double top = y + tall * static_cast<double>(p.row);
    d.cell(left, top, cell, tall,
           mine                  ? Shade::kOrange
           : p.lane / 4 % 2 == 0 ? Shade::kBlue
                                 : Shade::kNone);
    // Not cell()'s label, which would be larger where a number has one digit.
    d.text(left + cell / 2, top + tall / 2 + 4.3,
           mine ? fmt::format("{}{}", letter, index) : std::to_string(p.lane), Anchor::kMiddle,
           Ink::kPlain, Drawing::kSmall);
  }
}

/// Sectors that 32 lanes touch when lane l reads 4 bytes at l · `distance`.
std::size_t sectors(int distance) {
  constexpr int kSectorBytes = 32;
  std::set<int> touched;
  for (int lane = 0; lane < kLanes; ++lane) touched.insert(lane * distance / kSectorBytes);
  return touched.size();
}

}  // namespace

std::string picture_fp16_gemv() {
  constexpr int kPairs = 35, kPairBytes = 4, kSectorBytes = 32;
  Drawing d(
      "What a warp's loads ask of memory",
      "Thirty-two lanes in two steps. In the first each reads the pair beside its neighbour's, "
      "in the second three lanes have one. Eight lanes share a sector.");
  constexpr double kLeft = 62, kCell = 15, kTall = 30;
  const double names = d.bottom() + 16;
  d.text(kLeft - 8, names, "lane", Anchor::kEnd, Ink::kQuiet, Drawing::kSmall);
  for (const int lane : {0, 8, 16, 24, 31}) {
    d.text(kLeft + kCell * (lane + 0.5), names, std::to_string(lane), Anchor::kMiddle, Ink::kQuiet,
           Drawing::kSmall);
  }
  for (int step = 0; step * kLanes < kPairs; ++step) {
    const double y = d.bottom() + 8;
    d.text(kLeft - 8, y + 20, fmt::format("step {}", step), Anchor::kEnd, Ink::kQuiet, 13);
    for (int lane = 0; lane < kLanes; ++lane) {
      const int pair = step * kLanes + lane, sector = pair * kPairBytes / kSectorBytes;
      d.cell(kLeft + kCell * lane, y, kCell, kTall,
             pair < kPairs ? kShades[sector % 4] : Shade::kNone);
    }
    constexpr int kPairsOfSector = kSectorBytes / kPairBytes;
    for (int lane = 0; lane < kLanes; lane += kPairsOfSector) {
      const int pair = step * kLanes + lane;
      if (pair >= kPairs) break;
      d.text(kLeft + kCell * lane + 2, y + 20, fmt::format("sector {}", pair / kPairsOfSector),
             Anchor::kStart, Ink::kPlain, Drawing::kSmall);
    }
  }
  // The other way needs a long row to show: that of a layer.
  constexpr int kStretch =
      4096 * 2 / kLanes;  // bytes of a row of 4096 halves that a lane would own
  d.gap(4);
  d.paragraph(fmt::format(
      "A row of {} pairs. A step is {} bytes side by side, {} sectors of {}. With a stretch of {} "
      "bytes for each lane a load would touch {} sectors.",
      kPairs, kLanes * kPairBytes, sectors(kPairBytes), kSectorBytes, kStretch, sectors(kStretch)));
  return d.svg();
}

std::string picture_fp16_gemm_tiled() {
  const std::string solution = "solutions/01_fp16_baseline/fp16_gemm_tiled.cu";
  const int depth = source_constant(solution, "kDepth"), side = source_constant(solution, "kSide"),
            tile = source_constant(solution, "kTile"),
            padding = source_constant(solution, "kStride = kDepth +");
  constexpr int kTx = 5, kTy = 2;
  Drawing d("A thread's share, and the banks it reads",
            "A tile of Y of 64 by 64 elements in sixteen squares: thread tx = 5, ty = 2 owns one "
            "element of each. Below, the banks in which sixteen rows of a tile begin: sixteen "
            "different ones with padding, two without.");
  constexpr double kSquare = 34, kLeftTile = 12;
  const double top = d.bottom() + 8;
  for (int row = 0; row < tile; row += side) {
    for (int col = 0; col < tile; col += side) {
      const double x = kLeftTile + kSquare * col / side, y = top + kSquare * row / side;
      d.cell(x, y, kSquare, kSquare, (row + col) / side % 2 == 0 ? Shade::kBlue : Shade::kNone);
      const double step = kSquare / side;
      d.cell(x + step * kTx - 2, y + step * kTy - 2, 6, 6, Shade::kOrange);
      d.frame(x + step * kTx - 2, y + step * kTy - 2, 6, 6);
    }
  }
  const double words_at = kLeftTile + kSquare * tile / side + 20;
  d.text(words_at, top + 18, fmt::format("Y, {} × {}: a block's tile", tile, tile), Anchor::kStart,
         Ink::kBold);
  d.text(words_at, top + 42,
         fmt::format("thread tx = {}, ty = {} owns {} elements:", kTx, kTy,
                     tile / side * (tile / side)));
  const auto list = [&](int first) {
    std::string text;
    for (int i = first; i < tile; i += side)
      text += fmt::format("{}{}", text.empty() ? "" : ", ", i);
    return text;
  };
  d.text(words_at, top + 66, "rows " + list(kTy));
  d.text(words_at, top + 90, "columns " + list(kTx));
  d.text(words_at, top + 118, fmt::format("each used {} of K at a time", depth), Anchor::kStart,
         Ink::kQuiet);
  d.gap(8);
  constexpr double kLeft = 12, kCell = 16.7, kTall = 28;
  for (const int pad : {padding, 0}) {
    const int words = (depth + pad) / 2;
    std::array<int, kBanks> readers{};
    for (int row = 0; row < side; ++row) ++readers[static_cast<std::size_t>(row * words) % kBanks];
    const double y = d.bottom() + 30;
    d.text(kLeft, y - 8,
           fmt::format("rows of {} words{}", words, pad > 0 ? ", as in the code" : ", no padding"),
           Anchor::kStart, Ink::kBold);
    const int passes = *std::ranges::max_element(readers);
    for (std::size_t bank = 0; bank < kBanks; ++bank) {
      const int count = readers[bank];
      d.cell(kLeft + kCell * static_cast<double>(bank), y, kCell, kTall,
             count > 1   ? Shade::kOrange
             : count > 0 ? Shade::kBlue
                         : Shade::kNone,
             count > 0 ? std::to_string(count) : "");
    }
    d.text(kLeft + kCell * kBanks, y - 8, fmt::format("{} pass{}", passes, passes == 1 ? "" : "es"),
           Anchor::kEnd);
  }
  d.gap(4);
  d.paragraph(
      "A cell is a bank, 0 to 31. Its number: how many of the sixteen rows of W that a warp asks "
      "for "
      "have their word there.");
  return d.svg();
}

std::string picture_fp16_gemm_mma() {
  constexpr std::size_t kMarked = 13;
  const std::vector<Place> a = places_of("m16n8k16.f16,A"), b = places_of("m16n8k16.f16,B"),
                           c = places_of("both,C");
  check_places(a, b, c);
  Drawing d("Who holds what in an mma",
            "B stands above C, A to the left of C; every cell has the number of the lane that "
            "holds it. Lane 13 has row 3 and row 11 of A, column 3 of B, and in C the columns 2 "
            "and 3 of rows 3 and 11.");
  constexpr double kLeft = 40, kCell = 20.5, kTall = 18, kGap = 16;
  const double right = kLeft + kCell * 16 + kGap, top = d.bottom() + 20;
  d.text(right, top - 7, "B: k down, n across", Anchor::kStart, Ink::kBold, 13);
  draw_fragment(d, right, top, kCell, kTall, b, kMarked, "b");
  d.text(kLeft, top + 30, fmt::format("lane {}: g = lane / 4 = {}", kMarked, kMarked / 4),
         Anchor::kStart, Ink::kBold);
  d.text(kLeft + 62, top + 52, fmt::format("t = lane % 4 = {}", kMarked % 4), Anchor::kStart,
         Ink::kBold);
  d.text(kLeft, top + 88, "a0 … a3: words, two neighbouring k");
  d.text(kLeft, top + 110, "b0, b1: words, two neighbouring k");
  d.text(kLeft, top + 132, "c0 … c3: one float each");
  d.text(kLeft, top + 168, "other cells: the lane that holds them", Anchor::kStart, Ink::kQuiet);
  const double under = top + kTall * 16 + 30;
  d.text(kLeft, under - 7, "A: m down, k across", Anchor::kStart, Ink::kBold, 13);
  d.text(right, under - 7, "C: m down, n across", Anchor::kStart, Ink::kBold, 13);
  for (std::size_t row = 0; row < 16; ++row) {
    d.text(kLeft - 8, under + kTall * static_cast<double>(row) + 13, std::to_string(row),
           Anchor::kEnd, Ink::kQuiet, Drawing::kSmall);
  }
  draw_fragment(d, kLeft, under, kCell, kTall, a, kMarked, "a");
  draw_fragment(d, right, under, kCell, kTall, c, kMarked, "c");
  return d.svg();
}

}  // namespace qlab
