// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of Lab 01, one a page.
#pragma once

#include <string>

#include "pages/measured.h"

namespace qlab {

std::string picture_half_formats();
std::string picture_roofline(const Measured& measured);
std::string picture_fp16_gemm();
std::string picture_fp16_gemv();
std::string picture_fp16_gemm_tiled();
std::string picture_fp16_gemm_mma();

}  // namespace qlab
