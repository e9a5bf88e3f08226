// SPDX-License-Identifier: Apache-2.0
/// \file
/// w8a8_gemm: your turn. Replace each todo() with your code, then run `./lab check w8a8_gemm`.
#include "02_int8_calibration/w8a8_gemm.h"

#include <cstdint>
#include <span>

namespace qlab::exercise {
namespace {

/// Σₖ w[k].
std::int32_t sum_of(std::span<const std::int8_t> w) {
  std::int32_t sum = 0;
  // TODO [w8a8_gemm_column_sum] Sum the codes of a channel
  // Add all codes of `w` to `sum`. It becomes the share that every constant offset of X has in a sum.
  todo("w8a8_gemm_column_sum");
  return sum;
}

/// Σₖ (x[k] + 128) · w[k] in 32 bits, modulo 2³².
std::uint32_t dot_unsigned(std::span<const std::int8_t> x, std::span<const std::int8_t> w) {
  std::uint32_t sum = 0;
  // TODO [w8a8_gemm_dot] Multiply unsigned by signed codes
  // Add (x[k] + 128) · w[k] to `sum`, for all k. The instructions for bytes want one operand unsigned:
  // adding 128 makes codes -128 … 127 into 0 … 255. The sum may pass 2^31, where unsigned wraps.
  todo("w8a8_gemm_dot");
  return sum;
}

/// Σₖ (x[k] - zero_point) · w[k], given dot = Σₖ (x[k] + 128) · w[k] and column_sum = Σₖ w[k].
std::int32_t without_offset(std::uint32_t dot, std::int32_t zero_point, std::int32_t column_sum) {
  std::uint32_t sum = dot;
  // TODO [w8a8_gemm_offset] Take the offsets out of the sum
  // `sum` holds x[k] + 128 in place of x[k] - zero_point. Subtract what is too much: the difference is
  // the same at every k.
  todo("w8a8_gemm_offset");
  return static_cast<std::int32_t>(sum);
}

}  // namespace

void w8a8_gemm(const Int8Rows& X, const Int8Rows& W, MatrixView<float> Y) {
  check_w8a8(X, W, Y);
  const std::int64_t M = X.codes.rows(), N = W.codes.rows(), K = X.codes.cols();
  const auto x_row = [&](std::int64_t m) { return X.codes.row(m, 0, K); };
  const auto w_row = [&](std::int64_t n) { return W.codes.row(n, 0, K); };
  // TODO [w8a8_gemm_product] Put the product together
  // Write Y(m, n) for all m < M and n < N: x_row(m) times w_row(n), its offsets taken out with
  // X.zero(m), which is 0 where X has no zero points; then scaled, in FP32. Each column sum is needed
  // once.
  todo("w8a8_gemm_product");
}

}  // namespace qlab::exercise
