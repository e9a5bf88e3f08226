// SPDX-License-Identifier: Apache-2.0
/// \file
/// quantize_rows_cuda: FP16 activations to INT8 codes with a scale a token, on a GPU: what comes
/// before w8a8_gemm_cuda.
///
/// Bottleneck   memory; with few tokens, the time until a block knows its row's largest value
/// Bytes moved  read 2·M·K (the second reading of a row finds it in the cache), written M·K + 4·M
/// FLOPs        3·M·K: absolute maximum, divide, round
/// Teaches      the largest magnitude of a row is an integer maximum: without their signs, floats
///              are ordered as their bits are, and NaN is above all of them
/// Leaves out   one scale for all rows, FP32 (quantize_rows); doing it where X is made, by the
///              kernel before
#pragma once

#include <cstdint>

#include "common/contract.h"
#include "simt/enqueue.h"

namespace qlab {

/// codes[m, k] = nearest(X[m, k] / scale[m]) in -127 … 127, ties to even. scale[m] is a 127th of the
/// largest |X[m, k]|, or 1 for a row of zeros. Bit for bit what quantize_rows gives for a row.
///
/// Whoever launches a kernel cannot ask what is in X: a row with a value that is not finite gets a
/// scale that is not finite, and codes 0.
///
/// \param X      [M, K] on the device, 16-byte aligned
/// \param codes  [M, K] on the device, 8-byte aligned, written in full, nothing outside it
/// \param scale  [M]    on the device, written in full
/// \throws ContractError when M or K is below 1, or K no multiple of 8 (rows are read in pieces of
///         16 bytes); simt::Error when the launch fails
void quantize_rows_cuda(const half* X, std::int8_t* codes, float* scale, int M, int K,
                        Stream stream);

/// Bytes and FLOPs of one call, as the head of this file has them.
constexpr Cost quantize_rows_cuda_cost(std::int64_t M, std::int64_t K) {
  return {.bytes = 2 * M * K + M * K + 4 * M, .flops = 3 * M * K};
}

}  // namespace qlab
