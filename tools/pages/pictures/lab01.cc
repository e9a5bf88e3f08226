// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of Lab 01.
#include "pages/pictures.h"

namespace qlab {

std::vector<PagePicture> pictures_of_lab01(const Measured& /*measured*/) { return {}; }

}  // namespace qlab
