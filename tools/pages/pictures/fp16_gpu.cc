// SPDX-License-Identifier: Apache-2.0
/// \file
/// FP16 on a GPU: sectors of a warp's loads, banks of a tile's rows, lanes of a fragment.
#include <fmt/format.h>

#include <array>
#include <fstream>
#include <sstream>

#include "pages/drawing.h"
#include "pages/pictures/lab01.h"
#include "pages/pictures/source_constant.h"

namespace qlab {
namespace {

constexpr int kLanes = 32, kBanks = 32;
constexpr Shade kShades[] = {Shade::kBlue, Shade::kOrange, Shade::kGreen, Shade::kPurple};

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
  d.gap(4);
  d.paragraph(
      fmt::format("A row of {} pairs of halves. A step is {} bytes side by side: four sectors "
                  "of {}.",
                  kPairs, kLanes * kPairBytes, kSectorBytes));
  return d.svg();
}

std::string picture_fp16_gemm_tiled() {
  const std::string solution = "solutions/01_fp16_baseline/fp16_gemm_tiled.cu";
  const int depth = source_constant(solution, "kDepth"), rows = source_constant(solution, "kSide");
  const int padding = 2;  // kStride = kDepth + 2
  Drawing d(
      "Banks of sixteen rows",
      "Two rows of 32 banks. With padding the first words of sixteen rows lie in sixteen banks, "
      "without it all lie in two.");
  constexpr double kLeft = 12, kCell = 16.7, kTall = 30;
  for (const int pad : {padding, 0}) {
    const int words = (depth + pad) / 2;
    std::array<int, kBanks> readers{};
    for (int row = 0; row < rows; ++row) ++readers[static_cast<std::size_t>(row * words % kBanks)];
    const double y = d.bottom() + 30;
    d.text(kLeft, y - 8, fmt::format("rows of {} words", words), Anchor::kStart, Ink::kBold);
    int passes = 0;
    for (int bank = 0; bank < kBanks; ++bank) {
      const int count = readers[static_cast<std::size_t>(bank)];
      passes = std::max(passes, count);
      d.cell(kLeft + kCell * bank, y, kCell, kTall,
             count > 1   ? Shade::kOrange
             : count > 0 ? Shade::kBlue
                         : Shade::kNone,
             count > 0 ? std::to_string(count) : "");
    }
    d.text(kLeft + kCell * kBanks, y - 8, fmt::format("{} pass{}", passes, passes == 1 ? "" : "es"),
           Anchor::kEnd);
  }
  d.gap(4);
  d.paragraph("A cell is a bank, 0 to 31; the number says how many of sixteen rows begin in it.");
  return d.svg();
}

std::string picture_fp16_gemm_mma() {
  constexpr int kSide = 16, kMarked = 13;
  std::array<std::array<int, kSide>, kSide> lane_of{};
  std::ifstream file(Places::of_this_program().root / "tests/simt/golden/mma_fragments.csv");
  for (std::string line; std::getline(file, line);) {
    const std::string start = "m16n8k16.f16,A,";
    if (!line.starts_with(start)) continue;
    std::istringstream numbers(line.substr(start.size()));
    std::size_t lane = 0, element = 0, row = 0, col = 0;
    char comma;
    numbers >> lane >> comma >> element >> comma >> row >> comma >> col;
    lane_of.at(row).at(col) = static_cast<int>(lane);
  }
  Drawing d(
      "Which lane holds which element of A",
      "A grid of sixteen by sixteen numbers, the lanes. Lane 13 has two neighbours in row 3 and "
      "two in row 11, in the left half and again in the right half.");
  constexpr double kLeft = 62, kCell = 29, kTall = 22;
  const double top = d.bottom() + 22;
  d.text(kLeft, top - 8, "k = 0 … 15 →", Anchor::kStart, Ink::kQuiet, 13);
  for (std::size_t row = 0; row < kSide; ++row) {
    const double y = top + kTall * static_cast<double>(row);
    d.text(kLeft - 8, y + 16, fmt::format("row {}", row), Anchor::kEnd, Ink::kQuiet,
           Drawing::kSmall);
    for (std::size_t col = 0; col < kSide; ++col) {
      const int lane = lane_of[row][col];
      d.cell(kLeft + kCell * static_cast<double>(col), y, kCell, kTall,
             lane == kMarked ? Shade::kOrange
             : lane % 8 < 4  ? Shade::kBlue
                             : Shade::kNone,
             std::to_string(lane));
    }
  }
  d.gap(4);
  d.paragraph(fmt::format("Orange: lane {}, g = {}, t = {}. Two neighbouring k are one register.",
                          kMarked, kMarked / 4, kMarked % 4));
  return d.svg();
}

}  // namespace qlab
