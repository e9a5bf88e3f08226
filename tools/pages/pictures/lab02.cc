// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of Lab 02.
#include "pages/pictures.h"
#include "pages/pictures/int8_pictures.h"

namespace qlab {

std::vector<PagePicture> pictures_of_lab02(const Measured& /*measured*/) {
  return {{"quantize_symmetric", picture_quantize_symmetric()},
          {"quantize_affine", picture_quantize_affine()},
          {"granularity", picture_granularity()},
          {"calibrate", picture_calibrate()},
          {"w8a8_gemm", picture_w8a8_gemm()}};
}

}  // namespace qlab
