// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a page of docs/ does not write itself: numbers, code, mistakes, sentences. They stand in the
/// page between two comments, so that it reads the same in an editor and on a forge, and are written
/// again by `lab_docs write`; a test finds what is out of date.
///
///     <!--= C18 as 0.00 -->0.41<!--/-->     a measured number; the ways to name and write one: measured.h
///
///     <!-- code rtn_group_scale -->         the region of a solution, as it was compiled and tested
///     <!-- /code -->
///
/// Blocks without words of their own: `mutants`, the mistakes people make in this exercise; `say`, the
/// sentences of its sheet with their endings folded; `numbers`, where the page's numbers come from;
/// `steps`, the pages before and after it; `exercises NN`, the exercises of a module; `table` and
/// `claims`, the tradeoff table and its claims with the verdicts of the reference machine; `verdicts
/// FILE`, the claims that a device decides, with those of another run beside them; `ladder FILE
/// PROBLEM` and `counters FILE PROBLEM`, the rungs of one operation and shape on a GPU, as they were
/// timed and as the profiler saw them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lab/exercise.h"
#include "pages/measured.h"

namespace qlab {

struct Docs {
  Places places;
  std::vector<Exercise> exercises;
  Measured measured;

  /// Of the tree that this program was built from.
  static Docs here();
  /// The exercise whose page is docs/<module>/<id>.md, or null.
  const Exercise* exercise_of(const std::filesystem::path& page) const;
};

/// All pages, as paths from docs/, in reading order: what leads in, the modules and their exercises, what
/// is looked up.
std::vector<std::filesystem::path> all_pages(const Docs& docs);

/// The page with every number and block as of today. \throws InputError "docs/x.md:12: sentence".
std::string updated(const Docs& docs, const std::filesystem::path& page, const std::string& text);

}  // namespace qlab
