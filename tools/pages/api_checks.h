// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the comments of public headers must say.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace qlab {

/// Of a log of Doxygen's warnings those that are errors to us, as "kernels/x.h:12: sentence": all, but
/// that a variable, an enumeration's value, a type's other name or a macro has no comment. Its name may
/// say enough; a function's or a struct's never does.
std::vector<std::string> api_complaints(const std::string& log, const std::filesystem::path& root);

/// Functions of a header that take matrices or pointers to numbers, and whose comment has no shape:
/// nothing in brackets, and no word of a neighbour that has it (the oracle, the same, as below).
/// "kernels/x.h:12: sentence".
std::vector<std::string> shape_complaints(const std::string& header, const std::string& name);

}  // namespace qlab
