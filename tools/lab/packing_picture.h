// SPDX-License-Identifier: Apache-2.0
/// \file
/// Pictures of the word orders of 4-bit checkpoints, drawn from packed_element: no place is typed by hand.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace qlab {

/// File name and SVG text of each: "packing_gptq.svg", "packing_awq.svg",
/// "packing_compressed_tensors.svg". Each shows the weights' tensor and that of the zero points: the
/// first word with its eight nibbles, and where their values stand in the matrix.
std::vector<std::pair<std::string, std::string>> packing_pictures();

}  // namespace qlab
