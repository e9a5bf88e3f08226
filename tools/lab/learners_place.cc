// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads "path:line" and "path:line:column".
#include "lab/learners_place.h"

namespace qlab {

std::string learners_place(std::string_view text, std::string_view lab_file) {
  const std::size_t begin = text.find(std::string(lab_file) + ":");
  if (begin == std::string_view::npos) return "";
  std::size_t end = text.find_first_not_of("0123456789:", begin + lab_file.size());
  if (end == std::string_view::npos) end = text.size();
  while (text[end - 1] == ':') --end;
  return std::string(text.substr(begin, end - begin));
}

}  // namespace qlab
