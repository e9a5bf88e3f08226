// SPDX-License-Identifier: Apache-2.0
/// \file
/// make_stub: turns an annotated solution into the stub that a learner completes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qlab {

/// Between `// BEGIN SOLUTION [id] Title` and `// END SOLUTION [id]` it keeps the title and the
/// comment directly under it (the task), and puts todo("id") in place of the rest. The file's header,
/// which explains the solution, gives way to one that names the command that checks the stub.
/// \throws std::runtime_error that names the line of a marker which is not closed, not open, nested,
/// used twice, or without a task.
std::string make_stub(std::string_view solution, std::string_view exercise);

/// Whether two sources are the same but for comments and blanks: a learner who only added a note has
/// not started.
bool same_code(std::string_view one, std::string_view other);

/// One region of a solution.
struct Region {
  std::string id, title;
  int begin, end;  ///< lines of its markers
};
std::vector<Region> regions(std::string_view solution);

}  // namespace qlab
