// SPDX-License-Identifier: Apache-2.0
/// \file
/// The oracle of roofline: it walks along a row of W and counts bits, and compares seconds where the
/// exercise may compare intensities.
#include "01_fp16_baseline/roofline.h"

namespace qlab {
namespace {

/// Bits of `count` weights in a row, and of the scales in front of their groups.
struct RowBits {
  std::int64_t codes = 0, scales = 0;
};

RowBits row_bits(std::int64_t count, WeightStorage storage) {
  RowBits bits;
  for (std::int64_t k = 0; k < count; ++k) {
    bits.codes += storage.bits;
    if (storage.group_size != 0 && k % storage.group_size == 0) bits.scales += 16;
  }
  return bits;
}

/// Seconds of one FLOP and of one byte, in more digits than the results have.
struct Price {
  explicit Price(Roofline machine)
      : flop(1.0L / machine.flops_per_second), byte(1.0L / machine.bytes_per_second) {}
  long double flop, byte;
};

}  // namespace

double bits_per_weight_ref(WeightStorage storage) {
  const int count = storage.group_size == 0 ? 1 : storage.group_size;  // one whole group
  const RowBits bits = row_bits(count, storage);
  return static_cast<double>(bits.codes + bits.scales) / count;
}

Cost gemm_cost_ref(GemmSides sides, WeightStorage storage) {
  const RowBits bits = row_bits(sides.K, storage);
  const std::int64_t whole_bytes = bits.codes / 8 + (bits.codes % 8 != 0 ? 1 : 0);
  Cost cost{.bytes = sides.N * (whole_bytes + bits.scales / 8), .flops = 0};
  for (std::int64_t m = 0; m < sides.M; ++m) {
    cost.bytes += sides.K * 2 + sides.N * 4;
    cost.flops +=
        sides.N * (sides.K + sides.K);  // products, and additions to a sum that starts at 0
  }
  return cost;
}

RooflineEstimate estimate_ref(Cost work, Roofline machine) {
  const Price price(machine);
  const long double flops = static_cast<long double>(work.flops);
  const long double bytes = static_cast<long double>(work.bytes);
  const long double compute = flops * price.flop, memory = bytes * price.byte;
  const bool waits = memory > compute;
  return {.intensity = static_cast<double>(flops / bytes),
          .ridge = static_cast<double>(price.byte / price.flop),
          .seconds = static_cast<double>(waits ? memory : compute),
          .bottleneck = waits ? Bottleneck::kMemory : Bottleneck::kCompute};
}

double turning_batch_ref(WeightStorage storage, Roofline machine) {
  const Price price(machine);
  // A weight is loaded once and used in one multiply-add for each row.
  const long double load = static_cast<long double>(bits_per_weight_ref(storage)) / 8 * price.byte;
  return static_cast<double>(load / (2 * price.flop));
}

}  // namespace qlab
