// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads the lines of ld, gold and lld about missing and repeated definitions.
#include "lab/link_error.h"

#include <fmt/format.h>

#include <array>

namespace qlab {
namespace {

struct LinkError {
  bool missing = false, twice = false;
  std::string symbol;  ///< "qlab::exercise::half_from_float(float)"
};

LinkError read(std::string_view line) {
  struct Form {
    std::string_view begin;
    bool missing;
  };
  constexpr std::array kForms = {
      Form{"undefined reference to `", true},  Form{"undefined reference to '", true},
      Form{"undefined symbol: ", true},        Form{"multiple definition of `", false},
      Form{"multiple definition of '", false}, Form{"duplicate symbol: ", false}};
  for (const Form& form : kForms) {
    const std::size_t at = line.find(form.begin);
    if (at == std::string_view::npos) continue;
    const std::size_t begin = at + form.begin.size();
    const std::size_t end = form.begin.ends_with(' ') ? line.size() : line.find('\'', begin);
    return {.missing = form.missing,
            .twice = !form.missing,
            .symbol = std::string(line.substr(begin, end - begin))};
  }
  return {};
}

/// "half_from_float" of "qlab::exercise::half_from_float(float)".
std::string plain_name(std::string_view symbol) {
  const std::string_view name = symbol.substr(0, symbol.find('('));
  const std::size_t colon = name.rfind("::");
  return std::string(colon == std::string_view::npos ? name : name.substr(colon + 2));
}

}  // namespace

std::string refused_symbol(std::string_view line) { return read(line).symbol; }

std::string link_error(std::string_view line, const Exercise& exercise, std::string_view stub) {
  const LinkError error = read(line);
  if (error.twice) {
    return fmt::format(
        "{} defines {}, which is already defined elsewhere; give it another name, or put it in the "
        "unnamed namespace",
        exercise.lab_file(), error.symbol);
  }
  if (!error.missing) return "";
  if (stub.find(plain_name(error.symbol) + "(") == std::string_view::npos) {
    return fmt::format("{} calls {}, which is declared but defined nowhere", exercise.lab_file(),
                       error.symbol);
  }
  return fmt::format("{} defines no {}; it was there in the stub: ./lab reset {}",
                     exercise.lab_file(), error.symbol, exercise.id);
}

}  // namespace qlab
