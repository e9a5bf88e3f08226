// SPDX-License-Identifier: Apache-2.0
/// \file
/// INT4 on a GPU: bits that become floats, and which lane has which codes.
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "03_int4_weight_only/int4_device.h"
#include "common/formats.h"
#include "pages/drawing.h"
#include "pages/pictures/lab03.h"

namespace qlab {
namespace {

constexpr int kLanes = 32;
constexpr Shade kShades[] = {Shade::kBlue, Shade::kOrange, Shade::kGreen, Shade::kPurple,
                             Shade::kYellow};

}  // namespace

std::string picture_dequant_bits() {
  Drawing d("A code below the right exponent is a float",
            "The sixteen bits of three halves: 1024, 1024 and the code 13, 1024 and sixteen times "
            "the code 13.");
  constexpr double kLeft = 100, kBit = 19, kTall = 26;
  constexpr int kCode = 13, kBits = 16;
  const auto row = [&](const char* name, std::uint16_t bits, int code_at) {
    const double y = d.bottom() + 10;
    d.text(kLeft - 10, y + 18, name, Anchor::kEnd, Ink::kCode, 13);
    for (int place = 0; place < kBits; ++place) {
      const int bit = kBits - 1 - place;
      const Shade shade = bit == kBits - 1                             ? Shade::kGrey
                          : bit >= FormatLayout<half_t>::mantissa_bits ? Shade::kOrange
                          : bit / 4 == code_at                         ? Shade::kGreen
                                                                       : Shade::kBlue;
      d.cell(kLeft + kBit * place, y, kBit, kTall, shade, std::to_string(bits >> bit & 1));
    }
    d.text(kLeft + kBit * kBits + 10, y + 18, fmt::format("= {:.0f}", to_float(half_t{bits})));
  };
  constexpr std::uint16_t kMagic = 0x6400;
  row("0x6400", kMagic, -1);
  row("| code", kMagic | kCode, 0);
  row("| code << 4", kMagic | kCode << 4, 1);
  d.gap(4);
  d.paragraph(
      fmt::format("The code is {} (green). Orange: exponent. 1024 is subtracted afterwards, "
                  "and 16 divided out.",
                  kCode));
  return d.svg();
}

std::string picture_w4a16_gemv_warp() {
  constexpr int kK = 1056, kGroupSize = 128, kPieces = kK / kInt4Piece;
  Drawing d("A warp walks along a row",
            "Thirty-two lanes over two steps. In the first every lane has a piece of 32 codes, in "
            "the second only lane 0. Four lanes beside each other share a group.");
  constexpr double kLeft = 62, kCell = 15, kTall = 30;
  const double names = d.bottom() + 16;
  for (const int lane : {0, 8, 16, 24, 31}) {
    d.text(kLeft + kCell * (lane + 0.5), names, std::to_string(lane), Anchor::kMiddle, Ink::kQuiet,
           Drawing::kSmall);
  }
  d.text(kLeft - 8, names, "lane", Anchor::kEnd, Ink::kQuiet, Drawing::kSmall);
  for (int step = 0; step * kLanes < kPieces; ++step) {
    const double y = d.bottom() + 8;
    d.text(kLeft - 8, y + 19, fmt::format("step {}", step), Anchor::kEnd, Ink::kQuiet, 13);
    for (int lane = 0; lane < kLanes; ++lane) {
      const int piece = step * kLanes + lane;
      const int group = piece * kInt4Piece / kGroupSize;
      d.cell(kLeft + kCell * lane, y, kCell, kTall,
             piece < kPieces ? kShades[group % 2] : Shade::kNone);
    }
    for (int group = 0; group * kGroupSize < kK; ++group) {
      const int lane = group * kGroupSize / kInt4Piece - step * kLanes;
      if (lane < 0 || lane >= kLanes) continue;
      d.text(kLeft + kCell * lane + 2, y + 19, fmt::format("g {}", group), Anchor::kStart,
             Ink::kPlain, Drawing::kSmall);
    }
  }
  d.gap(4);
  d.paragraph(
      fmt::format("K = {}: {} pieces of {} codes, 16 bytes each. g: the group, whose scale "
                  "multiplies a piece's sum.",
                  kK, kPieces, kInt4Piece));
  return d.svg();
}

std::string picture_w4a16_gemm_mma() {
  constexpr int kStep = 32, kLaneK = 8;  // of K: both mmas of a step, and what a lane has of it
  Drawing d("The same eight k for codes and activations",
            "A row of 32 k, coloured by the lane of four that takes them, for the weights and for "
            "the activations: lane t has k from 8 t on in both.");
  constexpr double kLeft = 84, kCell = 14.2, kTall = 30;
  for (const char* const name : {"codes of W", "halves of X"}) {
    const double y = d.bottom() + 12;
    d.text(kLeft - 6, y + 19, name, Anchor::kEnd, Ink::kQuiet, 11.5);
    for (int k = 0; k < kStep; ++k) {
      d.cell(kLeft + kCell * k, y, kCell, kTall, kShades[k / kLaneK]);
    }
    for (int lane = 0; lane < kStep / kLaneK; ++lane) {
      d.text(kLeft + kCell * kLaneK * (lane + 0.5), y + 20, fmt::format("lane {}", lane),
             Anchor::kMiddle);
    }
  }
  const double y = d.bottom() + 16;
  for (int lane = 0; lane < kStep / kLaneK; ++lane) {
    d.text(kLeft + kCell * kLaneK * (lane + 0.5), y,
           fmt::format("k {} … {}", lane * kLaneK, lane * kLaneK + kLaneK - 1), Anchor::kMiddle,
           Ink::kQuiet, 13);
  }
  d.gap(4);
  d.paragraph(
      "One word of eight codes and 16 bytes of X a lane. The first mma takes four of each "
      "lane's k, the second the other four.");
  return d.svg();
}

}  // namespace qlab
