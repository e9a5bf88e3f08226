// SPDX-License-Identifier: Apache-2.0
/// \file
/// narrow: matrices rounded to FP16 or BF16, for weights once and for activations in every call.
#pragma once

#include "common/contract.h"
#include "common/formats.h"
#include "common/isa.h"
#include "common/matrix.h"

namespace qlab {

/// x [rows, cols] rounded to nearest, ties to even.
/// \param what  names the operand in messages
/// \throws ContractError naming the first value that is not finite, or would not be after rounding:
///         the kernels take finite operands only.
template <class Format>
Matrix<Format> narrow(const char* what, MatrixView<const float> x, const Machine& machine);

}  // namespace qlab
