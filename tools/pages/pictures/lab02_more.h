// SPDX-License-Identifier: Apache-2.0
/// \file
/// Pictures of the INT8 kernels on the GPU, drawn by the CPU models in kernels/simt.
#pragma once

#include <string>

namespace qlab {

std::string w8a8_gemm_dp4a_picture();
std::string w8a8_gemm_imma_picture();

}  // namespace qlab
