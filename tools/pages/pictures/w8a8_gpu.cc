// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which thread has which codes: the words of a dp4a and the fragments of an INT8 mma, asked of the
/// CPU models that the exercises run on.
#include <fmt/format.h>

#include <array>
#include <cstdint>

#include "common/contract.h"
#include "pages/drawing.h"
#include "pages/pictures/lab02_more.h"
#include "simt/cpu/intrinsics.h"
#include "simt/cpu/tensor_core.h"

namespace qlab {
namespace {

constexpr int kLanes = 32;

/// The words of 32 bits that hold four codes each, the first in the lowest byte.
std::vector<std::uint32_t> words_of(const std::vector<int>& codes) {
  std::vector<std::uint32_t> words((codes.size() + 3) / 4, 0);
  for (std::size_t k = 0; k < codes.size(); ++k) {
    words[k / 4] |= static_cast<std::uint32_t>(codes[k] & 0xFF) << 8 * (k % 4);
  }
  return words;
}

/// Registers of a whole warp for one mma.
struct Warp {
  std::array<std::array<std::uint32_t, 4>, kLanes> a{};
  std::array<std::array<std::uint32_t, 2>, kLanes> b{};
  std::array<std::array<std::int32_t, 4>, kLanes> d{};

  void multiply() {
    std::array<simt::cpu::MmaOperands<std::int32_t>, kLanes> operands;
    std::array<void*, kLanes> pointers;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      operands[lane] = {d[lane].data(), a[lane].data(), b[lane].data()};
      pointers[lane] = &operands[lane];
    }
    simt::cpu::execute_mma<simt::cpu::ReadS8, std::int32_t>(0, pointers.data());
  }
};

struct Owner {
  std::size_t lane, index;  // of a register
};

constexpr std::size_t kRows = 16, kWords = 8, kColumns = 8;  // A in words of four k; rows of W

/// Who holds what, found by products: B's word `w` of column n is that which meets word `w` of A.
struct Fragments {
  std::array<std::array<Owner, kWords>, kRows> a;
  std::array<std::array<Owner, kWords>, kColumns> b;  // row n of W is column n of B
  std::array<std::array<Owner, kColumns>, kRows> c;
};

Fragments probe() {
  Fragments f{};
  std::array<std::array<std::pair<std::size_t, std::size_t>, 4>, kLanes> place{};  // of C
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    for (std::size_t i = 0; i < 4; ++i) {
      place[lane][i] = {lane / 4 + i / 2 * 8, lane % 4 * 2 + i % 2};
      f.c[place[lane][i].first][place[lane][i].second] = {lane, i};
    }
  }
  // One word of B is 1 at a time: it says in which column of C it counts.
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    for (std::size_t i = 0; i < 2; ++i) {
      Warp warp;
      for (auto& registers : warp.a) registers.fill(0x01010101);
      warp.b[lane][i] = 0x01010101;
      warp.multiply();
      for (std::size_t l = 0; l < kLanes; ++l) {
        for (std::size_t r = 0; r < 4; ++r) {
          if (warp.d[l][r] != 0) f.b[place[l][r].second][i * 4 + lane % 4] = {lane, i};
        }
      }
    }
  }
  // One word of A is 1, and each word of B is its number + 1: the product says which one it met.
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    for (std::size_t i = 0; i < 4; ++i) {
      Warp warp;
      warp.a[lane][i] = 0x01010101;
      for (const auto& column : f.b) {
        for (std::size_t w = 0; w < kWords; ++w) {
          warp.b[column[w].lane][column[w].index] = 0x01010101U * static_cast<std::uint32_t>(w + 1);
        }
      }
      warp.multiply();
      for (std::size_t l = 0; l < kLanes; ++l) {
        for (std::size_t r = 0; r < 4; ++r) {
          if (warp.d[l][r] == 0) continue;
          f.a[place[l][r].first][static_cast<std::size_t>(warp.d[l][r]) / 4 - 1] = {lane, i};
        }
      }
    }
  }
  return f;
}

constexpr Shade kShades[] = {Shade::kBlue, Shade::kOrange, Shade::kGreen, Shade::kPurple};

/// A grid of cells with the lane's number, in the shade of its register; those of `mine` framed.
template <std::size_t kDown, std::size_t kAcross>
void draw_grid(Drawing& d, double x, double y, double cell, double tall, std::size_t mine,
               const std::array<std::array<Owner, kAcross>, kDown>& grid) {
  for (std::size_t row = 0; row < kDown; ++row) {
    for (std::size_t col = 0; col < kAcross; ++col) {
      const Owner owner = grid[row][col];
      const double left = x + cell * static_cast<double>(col);
      const double top = y + tall * static_cast<double>(row);
      d.cell(left, top, cell, tall, kShades[owner.index], fmt::format("{}", owner.lane));
      if (owner.lane == mine) d.frame(left + 1.5, top + 1.5, cell - 3, tall - 3);
    }
  }
}

}  // namespace

std::string w8a8_gemm_dp4a_picture() {
  // Behind the row's six codes lies what nobody wrote.
  const std::vector<int> x{3, -1, 2, 5, 4, -6, 99, -77}, w{7, 2, -3, 1, -2, 8, 55, 44};
  constexpr std::size_t kK = 6, kCodes = 4;
  const std::size_t in_last_word = (kK - 1) % kCodes + 1;
  const std::uint32_t mask = 0xFFFF'FFFFU >> 8 * (kCodes - in_last_word);
  const std::vector<std::uint32_t> xs = words_of(x);
  std::vector<std::uint32_t> ws = words_of(w);
  ws.back() &= mask;

  Drawing d("Two words of a row, two lanes",
            "Two rows of eight bytes, six of which are codes of the row. Lane 0 multiplies the "
            "first words of both, lane 1 the second, where a mask has cleared the two bytes of W "
            "that are not the row's.");
  constexpr double kLeft = 50, kCell = 60, kTall = 28;
  const double top = d.bottom() + 20;
  const auto left_of = [&](std::size_t k) {
    return kLeft + kCell * static_cast<double>(k) + (k >= kCodes ? 16 : 0);
  };
  for (std::size_t k = 0; k < x.size(); ++k) {
    d.text(left_of(k) + kCell / 2, top - 6,
           k < kK ? fmt::format("k = {}", k) : std::string("behind"), Anchor::kMiddle, Ink::kQuiet,
           Drawing::kSmall);
    const auto byte_of = [&](const std::vector<std::uint32_t>& words) {
      return static_cast<int>(static_cast<std::int8_t>(words[k / kCodes] >> 8 * (k % kCodes)));
    };
    const Shade shade = k >= kK ? Shade::kGrey : k < kCodes ? Shade::kBlue : Shade::kOrange;
    d.cell(left_of(k), top, kCell, kTall, shade, fmt::format("{}", byte_of(xs)));
    d.cell(left_of(k), top + kTall + 8, kCell, kTall, shade,
           k < kK ? fmt::format("{}", byte_of(ws)) : fmt::format("{} → {}", w[k], byte_of(ws)));
  }
  d.text(kLeft - 10, top + 19, "X", Anchor::kEnd, Ink::kBold);
  d.text(kLeft - 10, top + kTall + 27, "W", Anchor::kEnd, Ink::kBold);
  int total = 0;
  const double y = top + 2 * kTall + 56;
  for (std::size_t p = 0; p < xs.size(); ++p) {
    const int sum = __dp4a(static_cast<int>(xs[p]), static_cast<int>(ws[p]), 0);
    total += sum;
    const double middle = left_of(p * kCodes) + 2 * kCell;
    d.arrow(middle, y - 44, middle, y - 16);
    d.text(middle, y, fmt::format("lane {}: one dp4a = {}", p, sum), Anchor::kMiddle);
  }
  int expected = 0;
  for (std::size_t k = 0; k < kK; ++k) expected += x[k] * w[k];
  QLAB_CHECK(total == expected, "the picture of w8a8_gemm_dp4a adds up to ", total, ", not ",
             expected);
  d.text(Drawing::kWidth / 2, y + 28, fmt::format("shuffles add up the lanes: {}", total),
         Anchor::kMiddle, Ink::kBold);
  d.gap(6);
  d.paragraph(
      fmt::format("Mask of the last word: 0x{:08X}. Lane 0 goes on with word {}.", mask, kLanes));
  return d.svg();
}

std::string w8a8_gemm_imma_picture() {
  constexpr std::size_t kMine = 13;
  const Fragments f = probe();
  Drawing d(
      "Who holds what in an INT8 mma",
      "Three grids: A with 16 rows of eight words, C with 16 rows of eight columns, and eight "
      "rows of the tile of W with eight words each. A cell has the number of the lane that "
      "holds it, its shade is the register. The cells of lane 13 are framed.");
  constexpr double kLeft = 40, kCell = 28, kTall = 20, kRight = kLeft + 8 * kCell + 46;
  const double top = d.bottom() + 40;
  d.text(kLeft, top - 24, "A: words of four k", Anchor::kStart, Ink::kBold);
  d.text(kRight, top - 24, "C: sums, int32", Anchor::kStart, Ink::kBold);
  for (std::size_t w = 0; w < kWords; ++w) {
    const double middle = kCell * (static_cast<double>(w) + 0.5);
    d.text(kLeft + middle, top - 5, fmt::format("{}", 4 * w), Anchor::kMiddle, Ink::kQuiet,
           Drawing::kSmall);
    d.text(kRight + middle, top - 5, fmt::format("{}", w), Anchor::kMiddle, Ink::kQuiet,
           Drawing::kSmall);
  }
  d.text(kLeft - 8, top - 5, "k", Anchor::kEnd, Ink::kQuiet, Drawing::kSmall);
  d.text(kRight - 8, top - 5, "n", Anchor::kEnd, Ink::kQuiet, Drawing::kSmall);
  for (std::size_t row = 0; row < kRows; ++row) {
    for (const double x : {kLeft, kRight}) {
      d.text(x - 8, top + kTall * static_cast<double>(row) + 15, fmt::format("{}", row),
             Anchor::kEnd, Ink::kQuiet, Drawing::kSmall);
    }
  }
  draw_grid(d, kLeft, top, kCell, kTall, kMine, f.a);
  draw_grid(d, kRight, top, kCell, kTall, kMine, f.c);

  const double below = top + kTall * kRows + 30;
  d.text(kLeft, below - 8, "B: eight rows of W's tile", Anchor::kStart, Ink::kBold);
  draw_grid(d, kLeft, below, kCell, kTall, kMine, f.b);
  for (std::size_t row = 0; row < kColumns; ++row) {
    d.text(kLeft - 8, below + kTall * static_cast<double>(row) + 15, fmt::format("{}", row),
           Anchor::kEnd, Ink::kQuiet, Drawing::kSmall);
  }
  for (std::size_t i = 0; i < 4; ++i) {
    const double y = below + 28 * static_cast<double>(i);
    d.cell(kRight, y, kCell, kTall, kShades[i], fmt::format("{}", i));
    d.text(kRight + kCell + 8, y + 15,
           fmt::format("a[{}], c[{}]{}", i, i, i < 2 ? fmt::format(", b[{}]", i) : ""));
  }
  d.frame(kRight + 1.5, below + 112 + 1.5, kCell - 3, kTall - 3);
  d.text(kRight + kCell + 8, below + 112 + 15, fmt::format("lane {}", kMine));
  d.gap(8);
  return d.svg();
}

}  // namespace qlab
