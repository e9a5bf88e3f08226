// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lab 03: how codes stand in memory; and the list of the module's pictures.
#include "pages/pictures/lab03.h"

#include <fmt/format.h>

#include "03_int4_weight_only/int4_weights.h"
#include "03_int4_weight_only/pack_int4.h"
#include "common/random.h"
#include "pages/drawing.h"
#include "pages/pictures.h"

namespace qlab {
namespace {

constexpr Shade kGroupShades[] = {Shade::kBlue, Shade::kOrange, Shade::kGreen, Shade::kPurple};

Shade shade_of_group(std::int64_t g) { return kGroupShades[g % static_cast<std::int64_t>(4)]; }

}  // namespace

std::string picture_pack_int4() {
  Drawing d("Which eight share a word",
            "Three words of eight nibbles, the highest bits left. GPTQ and compressed-tensors hold "
            "eight k of one n, AWQ eight n of one k in an order of its own.");
  constexpr double kLeft = 12, kCell = 66, kTall = 44;
  constexpr int kNibbles = 8;
  for (const PackedTensor tensor :
       {PackedTensor::kGptqQweight, PackedTensor::kAwqQweight, PackedTensor::kWeightPacked}) {
    const PackedLayout& layout = packed_layout(tensor);
    const double y = d.bottom() + 30;
    d.text(kLeft, y - 8, fmt::format("{} {}", layout.format, layout.name), Anchor::kStart,
           Ink::kBold);
    for (int place = 0; place < kNibbles; ++place) {
      const int nibble = kNibbles - 1 - place;
      const PackedElement at = packed_element(tensor, 0, 0, nibble);
      const double x = kLeft + kCell * place;
      d.cell(x, y, kCell, kTall, nibble % 2 == 0 ? Shade::kBlue : Shade::kGreen);
      d.text(x + kCell / 2, y + 18, fmt::format("n {}  k {}", at.n, at.k), Anchor::kMiddle,
             Ink::kPlain, 13);
      d.text(x + kCell / 2, y + 36, fmt::format("{}-{}", 4 * nibble + 3, 4 * nibble),
             Anchor::kMiddle, Ink::kQuiet, Drawing::kSmall);
    }
  }
  d.gap(2);
  d.paragraph("Under each place its bits.");
  return d.svg();
}

std::string picture_rtn_group() {
  constexpr std::int64_t kN = 2, kK = 10, kGroupSize = 4;
  Random random(3);
  Matrix<float> weight(kN, kK);
  for (std::int64_t n = 0; n < kN; ++n) {
    for (std::int64_t k = 0; k < kK; ++k) weight(n, k) = static_cast<float>(random.normal());
  }
  const Int4Matrix quantized = quantize_int4_rtn(weight.view(), kGroupSize);
  Drawing d("Groups along K",
            "Two rows of ten weights. Each row is cut into groups of four, the last one of two; "
            "every group has a scale and a zero point of its own.");
  constexpr double kLeft = 66, kCell = 47, kTall = 44;
  for (std::int64_t n = 0; n < kN; ++n) {
    const double y = d.bottom() + 14;
    d.text(kLeft - 10, y + 28, fmt::format("n = {}", n), Anchor::kEnd, Ink::kQuiet);
    for (std::int64_t k = 0; k < kK; ++k) {
      const double x = kLeft + kCell * static_cast<double>(k);
      const int code = quantized.qweight(n, k / 2) >> (k % 2 * 4) & 0xF;
      d.cell(x, y, kCell, kTall, shade_of_group(k / kGroupSize));
      d.text(x + kCell / 2, y + 18, fmt::format("{:.2f}", weight(n, k)), Anchor::kMiddle,
             Ink::kPlain, 13);
      d.text(x + kCell / 2, y + 36, std::to_string(code), Anchor::kMiddle, Ink::kBold, 13);
    }
    for (std::int64_t g = 0; g < int4_groups(kK, kGroupSize); ++g) {
      const double x = kLeft + kCell * static_cast<double>(g * kGroupSize);
      d.text(x + 2, y + kTall + 17,
             fmt::format("{:.3f}, zero {}", to_float(quantized.scale(n, g)),
                         quantized.zero_point(n, g)),
             Anchor::kStart, Ink::kPlain, Drawing::kSmall);
    }
  }
  d.gap(4);
  d.paragraph("Each weight with its code in bold; under a group its scale and zero point.");
  return d.svg();
}

std::string picture_w4a16_gemv() {
  constexpr std::int64_t kK = 5, kGroupSize = 2;
  Matrix<float> weight(1, kK);
  for (std::int64_t k = 0; k < kK; ++k) weight(0, k) = static_cast<float>(k) - 2;
  const Int4Matrix quantized = quantize_int4_rtn(weight.view(), kGroupSize);
  Drawing d(
      "Five codes in three bytes",
      "Three bytes with two nibbles each, the even k in bits 0 to 3. The last nibble holds no "
      "code. Colours mark groups of two.");
  constexpr double kLeft = 40, kCell = 78, kTall = 48;
  const double y = d.bottom() + 26;
  for (std::int64_t byte = 0; byte < quantized.qweight.cols(); ++byte) {
    const double x = kLeft + (2 * kCell + 10) * static_cast<double>(byte);
    d.text(x + kCell, y - 8, fmt::format("byte {}", byte), Anchor::kMiddle, Ink::kQuiet);
    for (int high = 1; high >= 0; --high) {
      const std::int64_t k = 2 * byte + high;
      const double left = x + (high == 1 ? 0 : kCell);
      const bool code = k < kK;
      d.cell(left, y, kCell, kTall, code ? shade_of_group(k / kGroupSize) : Shade::kNone,
             code ? fmt::format("k = {}", k) : "–");
      d.text(left + kCell / 2, y + kTall + 16, high == 1 ? "7654" : "3210", Anchor::kMiddle,
             Ink::kQuiet, Drawing::kSmall);
    }
  }
  d.gap(8);
  d.paragraph("Blue, orange and green: groups 0, 1 and 2, each with a scale and a zero point.");
  return d.svg();
}

std::vector<PagePicture> pictures_of_lab03(const Measured& /*measured*/) {
  return {{"pack_int4", picture_pack_int4()},
          {"rtn_group", picture_rtn_group()},
          {"w4a16_gemv", picture_w4a16_gemv()},
          {"gptq", picture_gptq()},
          {"awq", picture_awq()},
          {"dequant_bits", picture_dequant_bits()},
          {"w4a16_gemv_warp", picture_w4a16_gemv_warp()},
          {"w4a16_gemm_mma", picture_w4a16_gemm_mma()}};
}

}  // namespace qlab
