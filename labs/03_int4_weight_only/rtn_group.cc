// SPDX-License-Identifier: Apache-2.0
/// \file
/// rtn_group: your turn. Replace each todo() with your code, then run `./lab check rtn_group`.
#include "03_int4_weight_only/rtn_group.h"

#include <algorithm>
#include <cmath>

namespace qlab::exercise {
namespace {

// w      lo ……… 0 …………………… hi         15 steps between 16 codes
// code    0 … zero_point … 15         symmetric: -7 … 0 … 7, seven steps on either side

struct GroupPlace {
  std::int64_t n, g;
};

/// Refuses a scale that FP16 has rounded away.
void check_scale(half_t stored, float low, float high, GroupPlace at) {
  const float scale = to_float(stored);
  QLAB_CHECK(scale > 0, "rtn_group: the range ", low, " … ", high, " of group ", at.g, " of row ",
             at.n, " is too narrow: its scale rounds to 0 in FP16; scale the weights up");
  QLAB_CHECK(std::isfinite(scale), "rtn_group: the range ", low, " … ", high, " of group ", at.g,
             " of row ", at.n, " is too wide: its scale overflows FP16; scale the weights down");
}

void quantize_group(std::span<const float> group, Int4Range range, GroupPlace at,
                    std::span<std::int8_t> codes, half_t& stored, std::uint8_t& zero_point) {
  const bool symmetric = range == Int4Range::kSymmetric;
  float low = 0, high = 0;  // the ends of the range
  float scale = 1;
  // TODO [rtn_group_scale] Spread the codes over the range
  // Set `low` and `high` to the smallest and the largest weight, 0 counted in, and `scale` to a step:
  // symmetric codes go up to 7 on the side that reaches further, the others from low to high in 15.
  // For a group of zeros all three are right already.
  todo("rtn_group_scale");
  stored = from_float<half_t>(scale);
  check_scale(stored, low, high, at);
  int code_of_zero = 0;
  // TODO [rtn_group_zero_point] Find the code of 0
  // Set `code_of_zero` to the whole number of steps, 0 … 15, from low up to 0: for asymmetric codes
  // only. Whoever reads the weights again has no other scale than `stored`.
  todo("rtn_group_zero_point");
  zero_point = static_cast<std::uint8_t>(code_of_zero);
  const float first = symmetric ? -7.0F : 0.0F, last = symmetric ? 7.0F : 15.0F;
  // TODO [rtn_group_codes] Round every weight to its code
  // Write codes[i], from `first` to `last`, for every group[i]: steps of the stored scale, ties to
  // even, counted from the code of 0.
  todo("rtn_group_codes");
}

}  // namespace

void rtn_group(MatrixView<const float> weight,  // [N, K]
               std::int64_t group_size, Int4Range range, GroupQuantized out) {
  QLAB_CHECK(group_size >= 1, "rtn_group: group_size is ", group_size,
             "; choose 1 or more, for example 128");
  const std::int64_t N = weight.rows(), K = weight.cols(), groups = int4_groups(K, group_size);
  check_shape("rtn_group", "codes", out.codes, N, K);
  check_shape("rtn_group", "scale", out.scale, N, groups);
  check_shape("rtn_group", "zero_point", out.zero_point, N, groups);
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t k = 0; k < K; ++k) {
      QLAB_CHECK(std::isfinite(weight(n, k)), "rtn_group: weight[", n, ", ", k, "] is ",
                 weight(n, k), "; only finite weights have codes");
    }
  }
  // TODO [rtn_group_groups] Cut every row into groups
  // Call quantize_group() for all `groups` of every row: columns from g * group_size on, group_size of
  // them or what is left. weight.row(n, first, count) is such a stretch; out.codes has it too.
  todo("rtn_group_groups");
}

}  // namespace qlab::exercise
