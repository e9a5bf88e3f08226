// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of Lab 04.
#include "pages/pictures.h"

namespace qlab {

std::vector<PagePicture> pictures_of_lab04(const Measured& /*measured*/) { return {}; }

}  // namespace qlab
