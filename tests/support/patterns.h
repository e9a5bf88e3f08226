// SPDX-License-Identifier: Apache-2.0
/// \file
/// pattern_of: what a wrong output has in common with the right one, in words.
#pragma once

#include <string>

#include "common/contract.h"

namespace qlab::test {

/// One sentence without a full stop, or nothing: "it is the expected matrix, transposed", "every wrong
/// value is 2 times the expected one", "row r holds what belongs in row r - 8 (from row 8 on)".
/// A pattern is named only where all wrong values follow it and the expected ones would show it:
/// a constant matrix is its own transpose.
std::string pattern_of(MatrixView<const float> got, MatrixView<const double> expected);

}  // namespace qlab::test
