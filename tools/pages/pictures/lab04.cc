// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lab 04: what a cache costs and how a value is stored; and the list of the module's pictures.
#include "pages/pictures/lab04.h"

#include <array>
#include <span>

#include "04_kv_cache/kivi.h"
#include "04_kv_cache/kv_int8.h"
#include "common/random.h"
#include "pages/drawing.h"
#include "pages/pictures.h"
#include "pages/pictures/format_bits.h"

namespace qlab {

std::string picture_kv_budget(const Measured& measured) {
  Drawing d("Bytes of a token of Llama 2 7B",
            "Bars, one a format of the cache: FP16 is the longest, eight bits are half of it, four "
            "bits near a quarter, two bits with their scales near a fifth.");
  constexpr double kLeft = 130, kLongest = 330, kTall = 24;
  const auto bytes = [&](const std::string& config) {
    return measured.number("memory[config=" + config + "].7b_kv_bytes_per_token");
  };
  const double longest = bytes("fp16");
  for (const char* const config :
       {"fp16", "kv_fp8", "kv_int8", "kv_int4_head", "kv_int4", "kv_kivi4", "kv_kivi2"}) {
    const double y = d.bottom() + 6, width = kLongest * bytes(config) / longest;
    d.text(kLeft - 8, y + 17, config, Anchor::kEnd, Ink::kCode, 13);
    d.cell(kLeft, y, width, kTall, Shade::kBlue);
    d.text(kLeft + width + 8, y + 17, fmt::format("{:.0f} KiB", bytes(config) / 1024));
  }
  return d.svg();
}

std::string picture_fp8_formats() {
  Drawing d("Eight bits, two ways",
            "FP16, E5M2 and E4M3 as rows of bits. E5M2 is the upper byte of FP16; E4M3 has one bit "
            "of exponent less and one of mantissa more.");
  constexpr double kBit = 26;
  draw_format<half_t>(d, "FP16", kBit);
  draw_format<fp8_e5m2_t>(d, "E5M2", kBit);
  draw_format<fp8_e4m3_t>(d, "E4M3", kBit);
  d.gap(6);
  d.paragraph("s: sign, e: exponent, m: mantissa");
  return d.svg();
}

std::string picture_kv_int8() {
  constexpr std::size_t kHeads = 2, kTokens = 5, kHeadDim = 3, kLoud = 2;
  Drawing d("A scale for each token and head",
            "Two heads as rows, five tokens as boxes, each with the scale and codes that the real "
            "function gave it. A third row has the first head's values with one scale for all.");
  constexpr double kLeft = 86, kCell = 92, kTall = 50;
  const double names = d.bottom() + 16;
  for (std::size_t t = 0; t < kTokens; ++t) {
    d.text(kLeft + kCell * (static_cast<double>(t) + 0.5), names, fmt::format("token {}", t),
           Anchor::kMiddle, Ink::kQuiet, 13);
  }
  const auto boxes = [&](double y, std::span<const std::int8_t> codes,
                         std::span<const half_t> scales) {
    for (std::size_t t = 0; t < kTokens; ++t) {
      const double left = kLeft + kCell * static_cast<double>(t);
      const std::int8_t* const code = &codes[t * kHeadDim];
      d.cell(left, y, kCell, kTall, t == kLoud ? Shade::kOrange : Shade::kBlue);
      d.text(left + kCell / 2, y + 19, fmt::format("{} {} {}", code[0], code[1], code[2]),
             Anchor::kMiddle, Ink::kPlain, Drawing::kSmall);
      d.text(left + kCell / 2, y + 40, fmt::format("scale {:.4f}", to_float(scales[t])),
             Anchor::kMiddle, Ink::kPlain, Drawing::kSmall);
    }
  };
  Random random(7);
  const double top = d.bottom() + 6;
  std::array<std::array<float, kTokens * kHeadDim>, kHeads> x;
  for (std::size_t head = 0; head < kHeads; ++head) {
    const double y = top + (kTall + 8) * static_cast<double>(head);
    d.text(kLeft - 8, y + 30, fmt::format("head {}", head), Anchor::kEnd, Ink::kQuiet, 13);
    std::array<std::int8_t, kTokens * kHeadDim> codes;
    std::array<half_t, kTokens> scales;
    for (std::size_t t = 0; t < kTokens; ++t) {
      for (std::size_t i = t * kHeadDim; i < (t + 1) * kHeadDim; ++i) {
        x[head][i] = (t == kLoud ? 10.0F : 1.0F) * static_cast<float>(random.normal());
      }
      scales[t] = quantize_kv_int8_ref(std::span(x[head]).subspan(t * kHeadDim, kHeadDim),
                                       std::span(codes).subspan(t * kHeadDim, kHeadDim));
    }
    boxes(y, codes, scales);
  }
  const double below = d.bottom() + 24;
  d.text(kLeft - 8, below + 22, "head 0,", Anchor::kEnd, Ink::kQuiet, 13);
  d.text(kLeft - 8, below + 38, "one scale", Anchor::kEnd, Ink::kQuiet, 13);
  std::array<std::int8_t, kTokens * kHeadDim> codes;
  std::array<half_t, kTokens> scales;
  scales.fill(quantize_kv_int8_ref(x[0], codes));
  boxes(below, codes, scales);
  d.gap(4);
  d.paragraph(
      "In each box the codes of three channels. Token 2 (orange) is about ten times as loud. Last "
      "row: what its scale would leave of the others.");
  return d.svg();
}

std::string picture_kivi() {
  constexpr std::int64_t kTokens = 10, kHeadDim = 8, kGroup = 4, kWindow = 4;
  KiviCache cache({.head_dim = kHeadDim, .capacity = 16, .group = kGroup, .window = kWindow});
  cache.length = kTokens;
  Drawing d("Which values share a scale",
            "Keys and values of ten tokens as grids, tokens to the right, channels down. Groups of "
            "keys are one channel of four tokens, groups of values four channels of one token.");
  constexpr double kLeft = 84, kCell = 22, kApart = 290;
  const double top = d.bottom() + 24;
  const auto grid = [&](double left, const char* name, std::int64_t coded, bool keys) {
    d.text(left, top - 10, name, Anchor::kStart, Ink::kBold);
    for (std::int64_t t = 0; t < kTokens; ++t) {
      for (std::int64_t c = 0; c < kHeadDim; ++c) {
        const std::int64_t group = keys ? t / kGroup + c : t + c / kGroup;
        const Shade shade = t >= coded       ? Shade::kGrey
                            : group % 2 == 0 ? Shade::kBlue
                                             : Shade::kGreen;
        d.cell(left + kCell * static_cast<double>(t), top + kCell * static_cast<double>(c), kCell,
               kCell, shade, t >= coded ? "h" : "");
      }
    }
    const double wide = kCell * static_cast<double>(keys ? kGroup : 1);
    const double tall = kCell * static_cast<double>(keys ? 1 : kGroup);
    d.frame(left, top, wide, tall);
  };
  d.text(kLeft - 10, top + 16, "channel 0", Anchor::kEnd, Ink::kQuiet, Drawing::kSmall);
  d.text(kLeft - 10, top + kCell * kHeadDim - 6, fmt::format("{}", kHeadDim - 1), Anchor::kEnd,
         Ink::kQuiet, Drawing::kSmall);
  grid(kLeft, "keys", cache.coded_keys(), true);
  grid(kLeft + kApart - 40, "values", cache.coded_values(), false);
  d.gap(4);
  d.paragraph(
      "Each stretch of one colour is a group with a scale and a minimum; the first of each "
      "has a frame. h: still in FP16.");
  return d.svg();
}

std::vector<PagePicture> pictures_of_lab04(const Measured& measured) {
  return {{"kv_budget", picture_kv_budget(measured)},
          {"fp8_formats", picture_fp8_formats()},
          {"kv_int8", picture_kv_int8()},
          {"attention_decode", picture_attention_decode()},
          {"kivi", picture_kivi()},
          {"paged_kv", picture_paged_kv()},
          {"attention_decode_split", picture_attention_decode_split()}};
}

}  // namespace qlab
