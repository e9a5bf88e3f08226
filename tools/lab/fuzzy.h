// SPDX-License-Identifier: Apache-2.0
/// \file
/// How far a typed word is from the name that was meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qlab {

/// Letters to insert, to leave out, to replace or to swap with their neighbour until `a` is `b`.
int edit_distance(std::string_view a, std::string_view b);

/// The name nearest to `typed`, where a part of a name between underscores counts as the name; empty
/// when none is near enough to have been meant.
std::string nearest_name(std::string_view typed, const std::vector<std::string>& names);

}  // namespace qlab
