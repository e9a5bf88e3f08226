// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tensor cores do at most: products back to back, of operands that stay where they are.
#pragma once

#include "simt/enqueue.h"

namespace qlab::gpu {

/// FP16 products with FP32 sums, a second. On Hopper by wgmma out of shared memory, else by
/// mma.sync out of registers, which on what came after Hopper is not all that the tensor cores can
/// do.
/// \throws simt::Error when the sums show that products were left out
double fp16_flops_per_second(Stream stream);

/// INT8 products with 32-bit sums, the same.
double int8_flops_per_second(Stream stream);

}  // namespace qlab::gpu
