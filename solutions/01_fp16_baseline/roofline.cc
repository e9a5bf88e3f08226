// SPDX-License-Identifier: Apache-2.0
/// \file
/// roofline: bytes, FLOPs, and the larger of two times.
///
/// Bottleneck   none: a handful of operations for each question
/// Teaches      weights are read once for all rows of X, so M decides what a product waits for
/// Leaves out   what a kernel adds to this bound: launches, dequantization, caches that miss
#include "01_fp16_baseline/roofline.h"

#include <algorithm>
#include <cstdint>

namespace qlab::exercise {

double bits_per_weight(WeightStorage storage) {
  double bits = 0;
  // BEGIN SOLUTION [roofline_bits] Spread a scale over its group
  // Set `bits` to what one weight takes: its code, and its share of the 16-bit scale of its group.
  // A group_size of 0 means that there are no scales.

  // "4-bit" weights in groups of 128 take 4 + 16/128 = 4.125 bits; in groups of 32 it is 4.5.
  bits = storage.bits;
  if (storage.group_size != 0) bits += 16.0 / storage.group_size;
  // END SOLUTION [roofline_bits]
  return bits;
}

Cost gemm_cost(GemmSides sides, WeightStorage storage) {
  const auto [M, N, K] = sides;
  std::int64_t weight_bytes = 0;      // W [N, K]: codes and scales
  std::int64_t activation_bytes = 0;  // X [M, K] and Y [M, N]
  std::int64_t flops = 0;
  // BEGIN SOLUTION [roofline_cost] Count what a product moves and computes
  // Set the three numbers above; X takes 2 bytes an element, Y 4. A row of W begins at a whole byte,
  // and its last group, which may be shorter than the others, has a scale as well.

  const std::int64_t code_bytes = (K * storage.bits + 7) / 8;
  // Rounded up: K = 100 in groups of 32 has four scales a row.
  std::int64_t groups = 0;
  if (storage.group_size != 0) groups = (K + storage.group_size - 1) / storage.group_size;
  // No M here: a block of W is used for every row of X before it leaves the cache.
  weight_bytes = N * (code_bytes + 2 * groups);
  activation_bytes = 2 * M * K + 4 * M * N;
  flops = 2 * M * N * K;  // a product and an addition for each weight and row
  // END SOLUTION [roofline_cost]
  return {.bytes = weight_bytes + activation_bytes, .flops = flops};
}

RooflineEstimate estimate(Cost work, Roofline machine) {
  const auto flops = static_cast<double>(work.flops);
  const auto bytes = static_cast<double>(work.bytes);
  RooflineEstimate result{};
  // BEGIN SOLUTION [roofline_estimate] Find the ceiling that the work meets
  // Set all four members of `result` from `flops`, `bytes` and the two speeds of `machine`. Loads and
  // arithmetic run at the same time. When both take equally long, name kCompute.

  result.intensity = flops / bytes;
  result.ridge = machine.flops_per_second / machine.bytes_per_second;
  const double compute = flops / machine.flops_per_second;
  const double memory = bytes / machine.bytes_per_second;
  // Overlapped: the shorter one hides behind the longer one.
  result.seconds = std::max(compute, memory);
  // The same as intensity < ridge: both sides times bytes, over flops_per_second.
  result.bottleneck = memory > compute ? Bottleneck::kMemory : Bottleneck::kCompute;
  // END SOLUTION [roofline_estimate]
  return result;
}

double turning_batch(WeightStorage storage, Roofline machine) {
  double rows = 0;
  // BEGIN SOLUTION [roofline_turning_batch] Find the batch at which compute takes over
  // Set `rows` to the M at which both times are equal. Count only the weights as bytes. It need not
  // be a whole number.

  // M rows do 2·M FLOPs with a weight of bits/8 bytes: an intensity of 16·M/bits. Set it equal to
  // the ridge. Fewer bits turn earlier, so a small format pays in decode and not in prefill.
  const double ridge = machine.flops_per_second / machine.bytes_per_second;
  rows = ridge * bits_per_weight(storage) / 16;
  // END SOLUTION [roofline_turning_batch]
  return rows;
}

}  // namespace qlab::exercise
