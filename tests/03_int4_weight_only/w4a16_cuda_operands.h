// SPDX-License-Identifier: Apache-2.0
/// \file
/// 4-bit weights in all orders that the rungs of w4a16_gemm_cuda read, in the memory of a device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "03_int4_weight_only/w4a16_gemm_cuda_pack.h"

namespace qlab::test {

/// What quantization makes, on the host.
struct W4A16HostWeights {
  int N, K, group_size;
  std::vector<std::uint8_t> qweight;     // [N, K / 2]
  std::vector<half> scale;               // [N, K / group_size]
  std::vector<std::uint8_t> zero_point;  // [N, K / group_size]

  float scale_of(int n, int k) const { return __half2float(scale[group(n, k)]); }
  float weight(int n, int k) const {
    const std::uint8_t* const row = qweight.data() + static_cast<std::size_t>(n) * (K / 2);
    return scale_of(n, k) * static_cast<float>(static_cast<int>(int4_code(row, k)) -
                                               static_cast<int>(zero_point[group(n, k)]));
  }

 private:
  std::size_t group(int n, int k) const {
    return static_cast<std::size_t>(n) * (K / group_size) + k / group_size;
  }
};

/// The same, packed for the fast rungs.
struct W4A16PackedWeights {
  explicit W4A16PackedWeights(const W4A16HostWeights& w)
      : pairs(pack_int4_pairs(w.qweight.data(), w.N, w.K)),
        fragments(pack_int4_fragments(w.qweight.data(), w.N, w.K)),
        groups(pack_int4_groups(w.scale.data(), w.zero_point.data(), w.N, w.K, w.group_size)) {}
  std::vector<uint4> pairs, fragments;
  std::vector<uint2> groups;
};

/// What blocks of v5_mma that share rows leave for each other; any number of weights may use it, one
/// call after the other.
struct W4A16Scratch {
  W4A16Scratch(int N, int blocks_at_a_time)
      : blocks(blocks_at_a_time),
        partial(w4a16_partial_floats(blocks), "partial"),
        arrived(std::vector<unsigned>(w4a16_tickets(N)), "arrived") {}
  int blocks;
  simt::Buffer<float> partial;
  simt::Buffer<unsigned> arrived;
};

/// A copy of all weights on the device, each operand at the end of its memory.
class W4A16DeviceWeights {
 public:
  W4A16DeviceWeights(const W4A16HostWeights& w, const W4A16PackedWeights& packed)
      : group_size_(w.group_size),
        qweight_(w.qweight, "qweight"),
        zero_point_(w.zero_point, "zero_point"),
        scale_(w.scale, "scale"),
        pairs_(packed.pairs, "pairs"),
        fragments_(packed.fragments, "fragments"),
        groups_(packed.groups, "groups") {}

  W4A16CudaWeights with(W4A16Scratch& scratch) const {
    return {.rows = {.qweight = qweight_.data(),
                     .scale = scale_.data(),
                     .zero_point = zero_point_.data(),
                     .group_size = group_size_},
            .pairs = pairs_.data(),
            .fragments = fragments_.data(),
            .groups = groups_.data(),
            .partial = scratch.partial.data(),
            .arrived = scratch.arrived.data(),
            .blocks = scratch.blocks};
  }

 private:
  int group_size_;
  simt::Buffer<std::uint8_t> qweight_, zero_point_;
  simt::Buffer<half> scale_;
  simt::Buffer<uint4> pairs_, fragments_;
  simt::Buffer<uint2> groups_;
};

}  // namespace qlab::test
