// SPDX-License-Identifier: Apache-2.0
/// \file
/// What Doxygen's HTML lacks for keyboards, screen readers and phones.
#pragma once

#include <string>

namespace qlab {

/// A page as Doxygen wrote it, with one first heading and the levels below it in order, a named table
/// of contents, names for the search's fields, and code and tables that scroll by themselves.
std::string polished(const std::string& html);

}  // namespace qlab
