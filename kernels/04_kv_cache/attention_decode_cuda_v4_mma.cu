// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode_cuda_v4_mma: the query heads of a group as the eight columns of mma.m16n8k16.
///
/// Idea     S = K·qᵀ and Oᵀ = Vᵀ·Pᵀ: the cache is the operand of 16 rows, heads that of 8 columns
/// Before   CUDA cores did group FMA a code, after widening it to FP32 for itself
/// Needs    any GPU from Ampere on
///
/// Bottleneck   memory; at INT4 instructions come close
/// Teaches      fragments decide the order of channels, not the other way round; each warp copies
///              tiles ahead for itself, so nothing in the loop waits for another warp
/// Leaves out   pages (v5); wgmma and TMA, which would need V of 8 bits transposed in memory
#include "04_kv_cache/attention_decode_cuda_mma.h"

namespace qlab {

/// One call; attention_decode_cuda.h says what it takes and gives.
void attention_decode_cuda_v4_mma(const DecodeAttention& a, Stream stream) {
  decode::run_mma<decode::ContiguousRows>("attention_decode_cuda_v4_mma", a, stream);
}

}  // namespace qlab
