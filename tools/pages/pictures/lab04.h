// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of Lab 04, one a page.
#pragma once

#include <string>

#include "pages/measured.h"

namespace qlab {

std::string picture_kv_budget(const Measured& measured);
std::string picture_fp8_formats();
std::string picture_kv_int8();
std::string picture_attention_decode();
std::string picture_kivi();
std::string picture_paged_kv();
std::string picture_attention_decode_split();

}  // namespace qlab
