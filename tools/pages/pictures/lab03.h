// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of Lab 03, one a page.
#pragma once

#include <string>

namespace qlab {

std::string picture_pack_int4();
std::string picture_rtn_group();
std::string picture_w4a16_gemv();
std::string picture_gptq();
std::string picture_awq();
std::string picture_dequant_bits();
std::string picture_w4a16_gemv_warp();
std::string picture_w4a16_gemm_mma();

}  // namespace qlab
