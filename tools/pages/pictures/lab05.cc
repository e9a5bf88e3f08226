// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of Lab 05.
#include "pages/pictures.h"

namespace qlab {

std::vector<PagePicture> pictures_of_lab05(const Measured& /*measured*/) { return {}; }

}  // namespace qlab
