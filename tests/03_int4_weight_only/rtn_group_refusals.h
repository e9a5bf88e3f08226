// SPDX-License-Identifier: Apache-2.0
/// \file
/// What rtn_group must refuse, and the nearest that it must not.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "03_int4_weight_only/rtn_group_checks.h"

namespace qlab::test {

inline void check_rtn_group_refusals() {
  std::vector<Refusal> refusals;
  const auto refuse = [&](const std::string& what, const std::string& words,
                          std::vector<float> weights, std::int64_t group_size, Int4Range range) {
    refusals.push_back(
        {what, words, [=] {
           const auto K = std::ssize(weights);
           Quantized out(1, K, std::max<std::int64_t>(group_size, 1));
           exercise::rtn_group({weights.data(), 1, K, K}, group_size, range, out.view());
         }});
  };
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  refuse("a group_size of 0", "rtn_group: group_size is 0; choose 1", {1, 2}, 0, kSymmetric);
  refuse("a group_size of -8", "group_size is -8", {1, 2}, -8, kAsymmetric);
  for (const Int4Range range : kBoth) {
    refuse("NaN at the end of a group", "rtn_group: weight[0, 1] is nan", {1, kNan, 3}, 2, range);
    refuse("NaN at the start of a group", "weight[0, 2] is nan", {1, 2, kNan}, 2, range);
    refuse("an infinite weight", "weight[0, 1] is -inf", {1, -HUGE_VALF}, 2, range);
    // 65520 is the tie between 65504 and infinity, and goes to infinity; 2⁻²⁵ that between 0 and 2⁻²⁴.
    const float steps = range == kSymmetric ? 7 : 15;
    refuse("a wide range", "of group 1 of row 0 is too wide", {1, 2, steps * 65520, 0}, 2, range);
    refuse("the widest range", "of group 0 of row 0 is too wide", {-3e38F, 3e38F}, 2, range);
    refuse("a narrow range", "of group 1 of row 0 is too narrow", {1, 2, 0, steps * 0x1p-25F}, 2,
           range);
  }
  Matrix<float> weight(2, 9);
  Quantized fits(2, 9, 4), wide(2, 10, 4), coarse(2, 9, 8);
  const auto call = [&](GroupQuantized out) {
    return [=, &weight] { exercise::rtn_group(weight.view(), 4, kSymmetric, out); };
  };
  refusals.push_back({"codes of another shape", "codes is [2, 10], expected [2, 9]",
                      call({wide.codes.view(), fits.scale.view(), fits.zero_point.view()})});
  refusals.push_back({"2 scales for 3 groups", "scale is [2, 2], expected [2, 3]",
                      call({fits.codes.view(), coarse.scale.view(), fits.zero_point.view()})});
  refusals.push_back({"2 zero points for 3 groups", "zero_point is [2, 2], expected [2, 3]",
                      call({fits.codes.view(), fits.scale.view(), coarse.zero_point.view()})});
  check_refusals("refusals", refusals);
  // The nearest that FP16 can hold.
  check_groups("the widest and the narrowest", kSymmetric,
               {{7 * 65504.0F, -1}, {-7 * 0x1p-24F, 0x1p-24F}});
  check_groups("the widest and the narrowest", kAsymmetric,
               {{-7 * 65504.0F, 8 * 65504.0F}, {15 * 0x1p-24F, 0}});
}

}  // namespace qlab::test
