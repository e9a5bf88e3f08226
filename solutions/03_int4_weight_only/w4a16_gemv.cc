// SPDX-License-Identifier: Apache-2.0
/// \file
/// w4a16_gemv: codes are multiplied as they are, and a group's sum is put right once, by its scale
/// and zero point.
///
/// Bottleneck   unpacking: a shift, a mask and a conversion for each multiply-add
/// Bytes moved  read N·⌈K/2⌉ + 3·N·⌈K/group_size⌉ (W) + 2·K (x), written 4·N (y)
/// FLOPs        2·N·K, K for the sums of x, 4·N·⌈K/group_size⌉ for scales and zero points
/// Teaches      dequantizing need not make weights: Σ s(q - z)x = s(Σ qx - zΣ x)
/// Leaves out   SIMD, threads and several tokens (w4a16_gemm)
#include "03_int4_weight_only/w4a16_gemv.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace qlab::exercise {
namespace {

/// Σ x[k] · code k, for k from `first` on and under `last`.
/// \param codes  one row: two codes a byte
float times_codes(std::span<const float> x, const std::uint8_t* codes, std::int64_t first,
                  std::int64_t last) {
  float sum = 0;
  // BEGIN SOLUTION [w4a16_gemv_codes] Multiply codes with x
  // Add x[k] times code k to `sum`, for each k from `first` on and under `last`. Code 2j stands in
  // bits 0 … 3 of codes[j], code 2j + 1 in bits 4 … 7. `first` may be odd.

  for (std::int64_t k = first; k < last; ++k) {
    const int two_codes = codes[k / 2];
    const int code = k % 2 == 0 ? two_codes & 0xF : two_codes >> 4;
    // Exact in FP32: 11 bits times 4. Only the sum rounds.
    sum += x[k] * static_cast<float>(code);
  }
  // END SOLUTION [w4a16_gemv_codes]
  return sum;
}

}  // namespace

void w4a16_gemv(const Int4Weights& W, std::span<const half_t> x, std::span<float> y) {
  const std::int64_t N = W.N(), K = W.K;
  check_int4_weights("w4a16_gemv", W);
  QLAB_CHECK(std::ssize(x) == K, "w4a16_gemv: x has ", x.size(), " elements, W ", K,
             " columns; give one for each");
  QLAB_CHECK(std::ssize(y) == N, "w4a16_gemv: y has ", y.size(), " elements, W ", N,
             " rows; give one for each");
  std::vector<float> wide;  // [K] x, widened once for all rows
  for (const half_t value : x) wide.push_back(to_float(value));
  const std::int64_t groups = int4_groups(K, W.group_size);
  std::vector<float> x_sum(groups, 0);  // [groups]
  // BEGIN SOLUTION [w4a16_gemv_sums] Add up x group by group
  // Set x_sum[g] to the sum of `wide` over group g, which holds W.group_size elements, or what K
  // leaves the last one.

  // Once for all rows: this is what makes a zero point cost a group, not a weight.
  for (std::int64_t k = 0; k < K; ++k) x_sum[k / W.group_size] += wide[k];
  // END SOLUTION [w4a16_gemv_sums]

  for (std::int64_t n = 0; n < N; ++n) {
    float sum = 0;
    // BEGIN SOLUTION [w4a16_gemv_groups] Put the groups of a row together
    // For each group g of row n, take times_codes() and subtract zero_point(n, g) times x_sum[g];
    // add that, times scale(n, g) as a float, to `sum`.

    for (std::int64_t g = 0; g < groups; ++g) {
      const std::int64_t first = g * W.group_size;
      const std::int64_t last = std::min(first + W.group_size, K);
      const float codes = times_codes(wide, W.qweight.row(n), first, last);
      const float zeros = static_cast<float>(W.zero_point(n, g)) * x_sum[g];
      sum += to_float(W.scale(n, g)) * (codes - zeros);
    }
    // END SOLUTION [w4a16_gemv_groups]
    y[n] = sum;
  }
}

}  // namespace qlab::exercise
