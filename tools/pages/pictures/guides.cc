// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of the pages that belong to no module.
#include "pages/pictures.h"

namespace qlab {

std::vector<PagePicture> pictures_of_guides(const Measured& /*measured*/) { return {}; }

}  // namespace qlab
