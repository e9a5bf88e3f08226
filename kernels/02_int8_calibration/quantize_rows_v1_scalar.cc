// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_rows, rung 1: one pass over a row for its largest magnitude, one to round it.
///
/// Idea    the definition, one value after the other
/// Before  nothing
/// Needs   nothing
#include <algorithm>
#include <bit>
#include <cmath>

#include "02_int8_calibration/quantize_rows.h"

namespace qlab {
namespace {

/// The largest magnitude. Bits of floats without their sign rise with the magnitude and end with
/// infinity and NaN, so a NaN wins here, where std::max would drop it.
float absmax(const float* x, std::int64_t count) {
  std::uint32_t largest = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::bit_cast<std::uint32_t>(x[i]) & 0x7FFFFFFF);
  }
  return std::bit_cast<float>(largest);
}

/// No clamp: |x| / scale ≤ 127 · (1 + 2⁻²³), which rounds to 127.
void round_row(const float* x, float scale, std::int64_t count, std::int8_t* codes) {
  for (std::int64_t i = 0; i < count; ++i) {
    codes[i] = static_cast<std::int8_t>(std::nearbyint(x[i] / scale));  // ties to even
  }
}

}  // namespace

void quantize_rows_v1_scalar(MatrixView<const float> x, Granularity granularity,
                             MatrixView<std::int8_t> codes, float* scale, ThreadPool& threads) {
  if (granularity == Granularity::kPerTensor) {
    threads.run(x.rows(), [&](std::int64_t r) { scale[r] = absmax(x.row(r), x.cols()); });
    std::fill_n(scale, x.rows(), int8_scale(absmax(scale, x.rows())));
  }
  threads.run(x.rows(), [&](std::int64_t r) {
    if (granularity == Granularity::kPerRow) scale[r] = int8_scale(absmax(x.row(r), x.cols()));
    if (std::isfinite(scale[r])) round_row(x.row(r), scale[r], x.cols(), codes.row(r));
  });
}

}  // namespace qlab
