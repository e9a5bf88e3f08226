// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm: sums of bytes in 32 bits, and what constants along K add to them, taken out at the end.
///
/// Bottleneck   the multiply-adds, one at a time; vpdpbusd does 64 (w8a8_gemm_v4_vnni.cc)
/// Bytes moved  read N·K (W) + M·K (X), X once for each row of W; written 4·M·N (Y)
/// FLOPs        2·M·N·K integer operations, N·K more for the column sums
/// Teaches      an unsigned operand and a zero point are one offset, and one product corrects both;
///              integers wrap around and back, so no sum on the way needs to fit
/// Leaves out   tiles of sums in registers, vector instructions and threads (the rungs)
#include "02_int8_calibration/w8a8_gemm.h"

#include <cstdint>
#include <span>

namespace qlab::exercise {
namespace {

/// Σₖ w[k].
std::int32_t sum_of(std::span<const std::int8_t> w) {
  std::int32_t sum = 0;
  // BEGIN SOLUTION [w8a8_gemm_column_sum] Sum the codes of a channel
  // Add all codes of `w` to `sum`. It becomes the share that every constant offset of X has in a sum.

  // In 32 bits: two codes of 127 are too many for eight, 259 for sixteen.
  for (const std::int8_t code : w) sum += code;
  // END SOLUTION [w8a8_gemm_column_sum]
  return sum;
}

/// Σₖ (x[k] + 128) · w[k] in 32 bits, modulo 2³².
std::uint32_t dot_unsigned(std::span<const std::int8_t> x, std::span<const std::int8_t> w) {
  std::uint32_t sum = 0;
  // BEGIN SOLUTION [w8a8_gemm_dot] Multiply unsigned by signed codes
  // Add (x[k] + 128) · w[k] to `sum`, for all k. The instructions for bytes want one operand unsigned:
  // adding 128 makes codes -128 … 127 into 0 … 255. The sum may pass 2^31, where unsigned wraps.

  for (std::size_t k = 0; k < x.size(); ++k) {
    // int is wide enough for one product. A negative one becomes 2³² - |product|, and adding that is
    // subtracting modulo 2³²: what vpdpbusd does with its 32-bit lanes.
    sum += static_cast<std::uint32_t>((x[k] + 128) * w[k]);
  }
  // END SOLUTION [w8a8_gemm_dot]
  return sum;
}

/// Σₖ (x[k] - zero_point) · w[k], given dot = Σₖ (x[k] + 128) · w[k] and column_sum = Σₖ w[k].
std::int32_t without_offset(std::uint32_t dot, std::int32_t zero_point, std::int32_t column_sum) {
  std::uint32_t sum = dot;
  // BEGIN SOLUTION [w8a8_gemm_offset] Take the offsets out of the sum
  // `sum` holds x[k] + 128 in place of x[k] - zero_point. Subtract what is too much: the difference is
  // the same at every k.

  // (x + 128) - (x - zero_point) does not depend on k, so it leaves the sum, and Σ w stays. The
  // product fits; the subtraction may wrap, back to a result that fits.
  sum -= static_cast<std::uint32_t>((128 + zero_point) * column_sum);
  // END SOLUTION [w8a8_gemm_offset]
  return static_cast<std::int32_t>(sum);
}

}  // namespace

void w8a8_gemm(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y) {
  check_w8a8(X, W, Y);
  const std::int64_t M = X.codes.rows(), N = W.codes.rows(), K = X.codes.cols();
  const auto x_row = [&](std::int64_t m) { return X.codes.row(m, 0, K); };
  const auto w_row = [&](std::int64_t n) { return W.codes.row(n, 0, K); };
  // BEGIN SOLUTION [w8a8_gemm_product] Put the product together
  // Write Y(m, n) for all m < M and n < N: x_row(m) times w_row(n), its offsets taken out with
  // X.zero(m), which is 0 where X has no zero points; then scaled, in FP32. Each column sum is needed
  // once.

  // n outside: a row of W and its sum serve all rows of X.
  for (std::int64_t n = 0; n < N; ++n) {
    const std::int32_t column_sum = sum_of(w_row(n));
    for (std::int64_t m = 0; m < M; ++m) {
      const std::uint32_t dot = dot_unsigned(x_row(m), w_row(n));
      const std::int32_t sum = without_offset(dot, X.zero(m), column_sum);
      // The first rounding of all is here, when the integer is complete.
      Y(m, n) = static_cast<float>(sum) * X.scale[m] * W.scale[n];
    }
  }
  // END SOLUTION [w8a8_gemm_product]
}

}  // namespace qlab::exercise
