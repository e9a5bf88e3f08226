// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of Lab 02 that lab02.cc lists.
#pragma once

#include <string>

namespace qlab {

std::string picture_quantize_symmetric();
std::string picture_quantize_affine();
std::string picture_granularity();
std::string picture_calibrate();
std::string picture_w8a8_gemm();

}  // namespace qlab
