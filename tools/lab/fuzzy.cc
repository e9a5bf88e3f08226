// SPDX-License-Identifier: Apache-2.0
/// \file
/// The edit distance by its recurrence; words here are short.
#include "lab/fuzzy.h"

#include <algorithm>
#include <cstddef>

namespace qlab {

int edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<int>> d(a.size() + 1, std::vector<int>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = static_cast<int>(i + j);
        continue;
      }
      const int replaced = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

std::string nearest_name(std::string_view typed, const std::vector<std::string>& names) {
  // One letter in three may be wrong, but two letters alone would be near to everything.
  int best = static_cast<int>(std::min<std::size_t>(typed.size() / 3, 3)) + 1;
  std::string nearest;
  const auto consider = [&](std::string_view part, const std::string& name) {
    const int now = edit_distance(typed, part);
    if (now < best) {
      best = now;
      nearest = name;
    }
  };
  for (const std::string& name : names) {
    consider(name, name);
    for (std::size_t from = 0; from < name.size();) {
      const std::size_t end = std::min(name.find('_', from), name.size());
      consider(std::string_view(name).substr(from, end - from), name);
      from = end + 1;
    }
  }
  return nearest;
}

}  // namespace qlab
