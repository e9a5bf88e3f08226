// SPDX-License-Identifier: Apache-2.0
/// \file
/// A small tree of exercises in a temporary folder: files as the lab's own, but nothing to build.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "lab/exercise.h"
#include "lab/stub.h"
#include "tools/run_program.h"

namespace qlab::test {

inline constexpr const char* kToySolution = R"text(// SPDX-License-Identifier: Apache-2.0
/// \file
/// Ours.
int twice(int x) {
  int result = 0;
  // BEGIN SOLUTION [@_sum] Add it to itself
  // Set `result`.

  result = x + x;
  // END SOLUTION [@_sum]
  return result;
}
)text";

inline constexpr const char* kToySheet = R"text(# @: double a number

About 10 minutes. C++.

Adds a number to itself,
which is the start of everything.

## What you write

1. `@_sum`: the sum.

## The data

None.

## Before you run

How much larger is
the sum?
- a: 2 times
- b: 4 times

## Done when

It is doubled.

## Say it out loud

1. "Doubling is
   an addition of …"
2. "Twice as …"
)text";

inline constexpr const char* kToyHints = R"text(# Hints for @

## Hint 1

Which sum?

## Hint 2

Add x.

```cpp
## not a heading
```

## Hint 3

result = x + …;

## Before you run

b: It is
twice two.

## Say it out loud

1. "Doubling is an addition of x to x."
2. "Twice as much."
)text";

inline constexpr const char* kToyPage = R"text(# @: double a number

<!-- say -->

<details>
<summary>"Doubling is an addition of …"</summary>

"Doubling is an addition of x to x."

</details>

<!-- /say -->
)text";

/// Modules 01_first (alpha_gemv, alpha_gemv_warp.cu) and 02_second (beta_sum).
class ExerciseTree {
 public:
  ExerciseTree() {
    write("build/exercises.txt",
          "01_first/alpha_gemv.cc\n01_first/alpha_gemv_warp.cu\n02_second/beta_sum.cc\n");
    for (const Exercise& exercise : read_exercises(places())) {
      write(exercise.solution_file(), named(kToySolution, exercise));
      write(exercise.lab_file(), stub(exercise));
      write(exercise.sheet(), named(kToySheet, exercise));
      write(exercise.hints(), named(kToyHints, exercise));
      write(exercise.page(), named(kToyPage, exercise));
      write(exercise.test_file(), "// no tests\n");
      write(exercise.contract(), "// no contract\n");
    }
  }

  Places places() const { return {.root = folder_.path(), .build = folder_.path() / "build"}; }
  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  std::string read(const std::string& name) const { return folder_.read(name); }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(path(name).parent_path());
    folder_.write(name, text);
  }

  /// `text` with the exercise's id wherever it says '@'.
  static std::string named(std::string text, const Exercise& exercise) {
    for (std::size_t at; (at = text.find('@')) != std::string::npos;) {
      text.replace(at, 1, exercise.id);
    }
    return text;
  }
  static std::string stub(const Exercise& exercise) {
    return make_stub(named(kToySolution, exercise), exercise.id);
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace qlab::test
