// SPDX-License-Identifier: Apache-2.0
/// \file
/// read_golden: the rows of a file in tests/common/golden.
#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "common/contract.h"

namespace qlab::test {

/// The cells of each line under the header. A file that is missing or torn is an error, never an
/// empty test.
inline std::vector<std::vector<std::string>> read_golden(const std::string& name,
                                                         std::size_t columns) {
  const std::string path = QLAB_SOURCE_DIR "/tests/common/golden/" + name;
  std::ifstream file(path);
  QLAB_CHECK(file.good(), path, ": cannot be read");
  std::vector<std::vector<std::string>> rows;
  std::string line;
  std::getline(file, line);  // the header
  while (std::getline(file, line)) {
    std::vector<std::string> row;
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, ',');) row.push_back(cell);
    QLAB_CHECK(row.size() == columns, path, ": '", line, "' has ", row.size(), " cells, not ",
               columns);
    rows.push_back(row);
  }
  QLAB_CHECK(!rows.empty(), path, ": has no rows");
  return rows;
}

}  // namespace qlab::test
