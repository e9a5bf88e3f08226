// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_static, rung 1: divide, clip, round.
///
/// Idea    the definition, one value after the other
/// Before  nothing
/// Needs   nothing
#include <algorithm>
#include <atomic>
#include <cmath>

#include "02_int8_calibration/quantize_static.h"

namespace qlab {
namespace {

/// False if there was a NaN. The clamp comes before the conversion, which is undefined for a float
/// beyond the integer; ±127 are integers, so it may also come before the rounding.
bool round_row(const float* x, float scale, std::int64_t count, std::int8_t* codes) {
  bool ordered = true;
  for (std::int64_t i = 0; i < count; ++i) {
    const bool number = !std::isnan(x[i]);
    const float quotient = number ? std::clamp(x[i] / scale, -127.0F, 127.0F) : 0;
    codes[i] = static_cast<std::int8_t>(std::nearbyint(quotient));  // ties to even
    ordered = ordered && number;
  }
  return ordered;
}

}  // namespace

bool quantize_static_v1_scalar(MatrixView<const float> x, float scale,
                               MatrixView<std::int8_t> codes, ThreadPool& threads) {
  std::atomic<bool> ordered = true;
  threads.run(x.rows(), [&](std::int64_t r) {
    if (!round_row(x.row(r), scale, x.cols(), codes.row(r))) ordered = false;
  });
  return ordered;
}

}  // namespace qlab
