// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of the pages: each is drawn from the code or the measurements that its page explains.
#pragma once

#include <string>
#include <vector>

#include "pages/measured.h"

namespace qlab {

struct PagePicture {
  std::string name;  ///< docs/pictures/<name>.svg; an exercise's main picture has its id as name
  std::string svg;
};

// One function a module and one for the pages that belong to none; see pictures/.
std::vector<PagePicture> pictures_of_lab01(const Measured& measured);
std::vector<PagePicture> pictures_of_lab02(const Measured& measured);
std::vector<PagePicture> pictures_of_lab02_more(const Measured& measured);
std::vector<PagePicture> pictures_of_lab03(const Measured& measured);
std::vector<PagePicture> pictures_of_lab04(const Measured& measured);
std::vector<PagePicture> pictures_of_lab05(const Measured& measured);
std::vector<PagePicture> pictures_of_guides(const Measured& measured);

/// All of them.
std::vector<PagePicture> all_pictures(const Measured& measured);

}  // namespace qlab
