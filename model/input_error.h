// SPDX-License-Identifier: Apache-2.0
/// \file
/// InputError: a file that cannot be used, and how a reader says so in one sentence.
#pragma once

#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace qlab {

/// A file that cannot be used. what() names the file, the place in it, and what to do.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws InputError with "file: " and the parts joined.
template <class... Parts>
[[noreturn]] void fail_input(const std::filesystem::path& file, const Parts&... parts) {
  std::ostringstream text;
  text << file.string() << ": ";
  (text << ... << parts);
  throw InputError(text.str());
}

/// A name out of an untrusted file, in quotes, fit to print: at most 80 bytes, and '?' for each byte
/// that could move the cursor of a terminal.
std::string printable(std::string_view name);

}  // namespace qlab
