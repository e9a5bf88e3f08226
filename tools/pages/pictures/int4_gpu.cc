// SPDX-License-Identifier: Apache-2.0
/// \file
/// INT4 on a GPU: bits that become floats, and which lane has which codes, asked of the CPU models.
#include <fmt/format.h>

#include <array>
#include <cstdint>

#include "03_int4_weight_only/dequant_bits.h"
#include "03_int4_weight_only/int4_device.h"
#include "common/contract.h"
#include "common/formats.h"
#include "pages/drawing.h"
#include "pages/pictures/lab03.h"
#include "simt/cpu/tensor_core.h"

namespace qlab {
namespace {

constexpr int kLanes = 32;
constexpr Shade kShades[] = {Shade::kBlue, Shade::kOrange, Shade::kGreen, Shade::kPurple};

/// Sixteen bits as cells, those of `mask` in blue, sign and exponent in grey.
void draw_bits(Drawing& d, double y, std::uint32_t bits, std::uint32_t mask, unsigned mantissa,
               const std::string& left, const std::string& right) {
  constexpr double kLeft = 92, kCell = 19, kTall = 24;
  d.text(kLeft - 10, y + 17, left, Anchor::kEnd, Ink::kCode);
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned bit = 15 - i;
    const Shade shade = (mask >> bit & 1) != 0 ? Shade::kBlue
                        : bit >= mantissa      ? Shade::kGrey
                                               : Shade::kNone;
    d.cell(kLeft + kCell * i + (bit < mantissa ? 6 : 0), y, kCell, kTall, shade,
           fmt::format("{}", bits >> bit & 1));
  }
  d.text(kLeft + 16 * kCell + 18, y + 17, right);
}

}  // namespace

std::string picture_dequant_bits() {
  constexpr std::uint32_t kWord = 0x75316420;  // AWQ's word for the codes 0 … 7
  const auto nibble = [](int i) { return kWord >> 4 * i & 0xF; };
  Drawing d("A code below the right exponent is a float",
            "A word of eight codes whose nibbles leave in pairs that are 16 bits apart. Under it "
            "the bits of FP16 and BF16 with a code of four bits inserted below the exponent, and "
            "the value of each.");
  constexpr double kLeft = 28, kCell = 63, kTall = 28;
  const double top = d.bottom() + 20;
  for (int i = 7; i >= 0; --i) {
    const double x = kLeft + kCell * (7 - i);
    int out = 0;
    while (kDequantOrder[out] != i) ++out;
    d.text(x + kCell / 2, top - 6, fmt::format("nibble {}", i), Anchor::kMiddle, Ink::kQuiet,
           Drawing::kSmall);
    d.cell(x, top, kCell, kTall, kShades[out / 2], fmt::format("code {}", nibble(i)));
    d.text(x + kCell / 2, top + kTall + 17,
           fmt::format("out[{}].{}", out / 2, out % 2 == 0 ? 'x' : 'y'), Anchor::kMiddle,
           Ink::kPlain, Drawing::kSmall);
  }
  d.gap(12);

  const auto fp16 = [&](std::uint32_t bits, std::uint32_t mask, const std::string& left) {
    d.gap(8);
    draw_bits(d, d.bottom(), bits, mask, FormatLayout<half_t>::mantissa_bits, left,
              fmt::format("= {:g}", simt::cpu::decode_half(static_cast<std::uint16_t>(bits))));
  };
  constexpr std::uint32_t kCode = 13, kMagic = 0x6400, kMagicBf16 = 0x4300;
  d.paragraph(fmt::format("FP16, the code {} low and four bits higher", kCode), Ink::kBold);
  fp16(kMagic, 0, fmt::format("0x{:04X}", kMagic));
  fp16(kMagic | kCode, 0xF, fmt::format("0x{:04X}", kMagic | kCode));
  fp16(kMagic | kCode << 4, 0xF0, fmt::format("0x{:04X}", kMagic | kCode << 4));
  d.gap(8);
  d.paragraph("BF16: the high place would reach into the exponent", Ink::kBold);
  for (const unsigned shift : {0U, 4U}) {
    const std::uint32_t bits = kMagicBf16 | kCode << shift;
    d.gap(8);
    draw_bits(d, d.bottom(), bits, 0xFU << shift, FormatLayout<bf16_t>::mantissa_bits,
              fmt::format("0x{:04X}", bits),
              fmt::format("= {:g}", simt::cpu::decode_bfloat16(static_cast<std::uint16_t>(bits))));
  }
  d.gap(8);
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
  constexpr std::size_t kStep = 32;
  // For each k of a step: an x of 1 there, a code of 1 there, and which of the two mmas answers. The
  // words go to the lanes as they lie in memory: lane t has k = 8t … 8t + 7.
  std::array<int, kStep> answered{};
  for (std::size_t k = 0; k < kStep; ++k) {
    for (int mma = 0; mma < 2; ++mma) {
      std::array<std::array<std::uint32_t, 4>, kLanes> a{};
      std::array<std::array<std::uint32_t, 2>, kLanes> b{};
      std::array<std::array<float, 4>, kLanes> d{};
      const std::size_t lane = k / 8, pair = k % 8 / 2;
      const std::uint32_t one = 0x3C00U << 16 * (k % 2);
      if (static_cast<int>(pair / 2) == mma) {
        a[lane][pair % 2 * 2] = one;  // row g = 0: words 0 and 2, rows g + 8 have 1 and 3
        b[lane][pair % 2] = one;
      }
      std::array<simt::cpu::MmaOperands<float>, kLanes> operands;
      std::array<void*, kLanes> pointers;
      for (std::size_t l = 0; l < kLanes; ++l) {
        operands[l] = {d[l].data(), a[l].data(), b[l].data()};
        pointers[l] = &operands[l];
      }
      simt::cpu::execute_mma<simt::cpu::ReadF16, float>(0, pointers.data());
      if (d[0][0] == 1) answered[k] = mma + 1;
    }
    QLAB_CHECK(answered[k] != 0, "the picture of w4a16_gemm_mma: no mma has k = ", k);
  }

  Drawing d("A word of codes serves one lane, as it lies",
            "One step of 32 k. A row of W is four words of eight codes, a row of X four pieces of "
            "eight halves; lane t takes word t of both. The first mma takes the first two pairs of "
            "each word, the second the other two.");
  constexpr double kLeft = 62, kCell = 15, kGap = 4, kTall = 26;
  const auto left_of = [](std::size_t k) {
    return kLeft + kCell * static_cast<double>(k) + kGap * static_cast<double>(k / 8);
  };
  const double top = d.bottom() + 20;
  for (std::size_t t = 0; t < 4; ++t) {
    d.text(left_of(8 * t) + 4 * kCell, top - 6, fmt::format("k = {} … {}", 8 * t, 8 * t + 7),
           Anchor::kMiddle, Ink::kQuiet, Drawing::kSmall);
    d.cell(left_of(8 * t), top, 8 * kCell, kTall, kShades[t], fmt::format("lane {}: 4 bytes", t));
    d.cell(left_of(8 * t), top + kTall + 8, 8 * kCell, kTall, kShades[t],
           fmt::format("lane {}: 16 bytes", t));
  }
  d.text(kLeft - 8, top + 18, "W", Anchor::kEnd, Ink::kBold);
  d.text(kLeft - 8, top + kTall + 26, "X", Anchor::kEnd, Ink::kBold);
  for (int mma = 1; mma <= 2; ++mma) {
    const double y = top + (kTall + 8) * (mma + 1) + 6;
    d.text(kLeft - 8, y + 18, fmt::format("mma {}", mma), Anchor::kEnd, Ink::kQuiet,
           Drawing::kSmall);
    for (std::size_t k = 0; k < kStep; k += 2) {
      const bool mine = answered[k] == mma && answered[k + 1] == mma;
      d.cell(left_of(k), y, 2 * kCell, kTall, mine ? kShades[k / 8] : Shade::kNone,
             mine ? fmt::format("{}", k % 8 / 2) : "");
    }
  }

  d.gap(4);
  d.paragraph("Number j: pair j of the word, k = 8t + 2j and the next.");

  // The byte of two codes as it stands in both halves of a register, masked and below 0x64.
  constexpr std::uint32_t kSecond = 0xB, kFirst = 0x6, kByte = kSecond << 4 | kFirst;
  constexpr std::uint32_t kTwice = kByte * 0x01010101U;
  constexpr std::uint32_t kBits = (kTwice & 0x00F0000F) | 0x64006400;
  d.gap(12);
  d.paragraph(fmt::format("Byte j holds codes 2j and 2j + 1, here {} and {}", kFirst, kSecond),
              Ink::kBold);
  const auto row = [&](const std::string& what, std::uint32_t word, const std::string& value) {
    d.gap(22);
    const double y = d.bottom();
    d.text(Drawing::kEdge, y, what);
    d.text(210, y, fmt::format("{:08X}", word), Anchor::kStart, Ink::kCode);
    d.text(308, y, value);
  };
  row("the byte, four times", kTwice, "both codes a half");
  row("mask 0x00F0000F", kTwice & 0x00F0000F, "one code a half");
  row("below 0x6400", kBits,
      fmt::format("{:g} and {:g}", simt::cpu::decode_half(kBits & 0xFFFF),
                  simt::cpu::decode_half(kBits >> 16)));
  d.gap(6);
  return d.svg();
}

}  // namespace qlab
