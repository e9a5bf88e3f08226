// SPDX-License-Identifier: Apache-2.0
/// \file
/// roofline: your turn. Replace each todo() with your code, then run `./lab check roofline`.
#include "01_fp16_baseline/roofline.h"

#include <algorithm>
#include <cstdint>

namespace qlab::exercise {

double bits_per_weight(WeightStorage storage) {
  double bits = 0;
  // TODO [roofline_bits] Spread a scale over its group
  // Set `bits` to what one weight takes: its code, and its share of the 16-bit scale of its group.
  // A group_size of 0 means that there are no scales.
  todo("roofline_bits");
  return bits;
}

Cost gemm_cost(GemmSides sides, WeightStorage storage) {
  const auto [M, N, K] = sides;
  std::int64_t weight_bytes = 0;      // W [N, K]: codes and scales
  std::int64_t activation_bytes = 0;  // X [M, K] and Y [M, N]
  std::int64_t flops = 0;
  // TODO [roofline_cost] Count what a product moves and computes
  // Set the three numbers above; X takes 2 bytes an element, Y 4. A row of W begins at a whole byte,
  // and its last group, which may be shorter than the others, has a scale as well.
  todo("roofline_cost");
  return {.bytes = weight_bytes + activation_bytes, .flops = flops};
}

RooflineEstimate estimate(Cost work, Roofline machine) {
  const auto flops = static_cast<double>(work.flops);
  const auto bytes = static_cast<double>(work.bytes);
  RooflineEstimate result{};
  // TODO [roofline_estimate] Find the ceiling that the work meets
  // Set all four members of `result` from `flops`, `bytes` and the two speeds of `machine`. Loads and
  // arithmetic run at the same time. When both take equally long, name kCompute.
  todo("roofline_estimate");
  return result;
}

double turning_batch(WeightStorage storage, Roofline machine) {
  double rows = 0;
  // TODO [roofline_turning_batch] Find the batch at which compute takes over
  // Set `rows` to the M at which both times are equal. Count only the weights as bytes. It need not
  // be a whole number.
  todo("roofline_turning_batch");
  return rows;
}

}  // namespace qlab::exercise
