// SPDX-License-Identifier: Apache-2.0
/// \file
/// Collects the pictures of all modules.
#include "pages/pictures.h"

#include <iterator>

namespace qlab {

std::vector<PagePicture> all_pictures(const Measured& measured) {
  std::vector<PagePicture> all;
  for (const auto pictures :
       {pictures_of_lab01, pictures_of_lab02, pictures_of_lab02_more, pictures_of_lab03,
        pictures_of_lab04, pictures_of_lab05, pictures_of_guides}) {
    std::vector<PagePicture> some = pictures(measured);
    all.insert(all.end(), std::make_move_iterator(some.begin()),
               std::make_move_iterator(some.end()));
  }
  return all;
}

}  // namespace qlab
