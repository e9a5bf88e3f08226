// SPDX-License-Identifier: Apache-2.0
/// \file
/// The outputs that a program's tests left in LAB_DUMP (tests/support/exercise.h), and whether two
/// programs computed the same.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace qlab {

/// One judged output.
struct Dump {
  std::int64_t rows = 0, cols = 0;
  std::vector<double> got, expected, allowed;  // [rows, cols] each

  /// Whether an element is not within what is allowed.
  bool is_wrong() const;
};

/// Nothing when the file is missing, cut off, or of another size than its shape says.
std::optional<Dump> read_dump(const std::filesystem::path& file);

/// The outputs of one test, in their order.
std::vector<Dump> dumps_of_test(const std::filesystem::path& folder, std::string_view test);

/// Whether the outputs have the same shape, and every two elements differ by no more than either
/// allows. NaN equals NaN, infinity the same infinity, and neither anything else.
bool same_output(const Dump& one, const Dump& other);

/// Whether the outputs are the same bit by bit, as memory is that nobody wrote: a NaN that was
/// computed has other bits than the NaN that was there before.
bool same_bits(const Dump& one, const Dump& other);

}  // namespace qlab
