// SPDX-License-Identifier: Apache-2.0
/// \file
/// Pictures of the guides that have a file of their own.
#pragma once

#include <string>

#include "pages/measured.h"

namespace qlab {

std::string picture_curves(const Measured& measured);

}  // namespace qlab
