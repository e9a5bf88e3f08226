// SPDX-License-Identifier: Apache-2.0
/// \file
/// Exercise: one operation that a learner completes, and where everything about it lies.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace qlab {

/// Where an exercise's files and programs are. The lab's own are kRoot and kBuild of the program;
/// the gate's test has others.
struct Places {
  std::filesystem::path root;   ///< holds labs/, solutions/, tests/, kernels/
  std::filesystem::path build;  ///< holds exercises.txt and exercises/

  /// The tree this program was built from, and the build it is part of.
  static Places of_this_program();
};

/// The program variants that are built of one exercise; each is linked with the same tests.
inline constexpr std::string_view kLabVariant = "lab";            // the learner's file
inline constexpr std::string_view kSolutionVariant = "solution";  // ours
inline constexpr std::string_view kStubVariant = "stub";          // as generated, untouched
inline constexpr std::string_view kEmptyVariant = "empty";  // the stub, whose todo() does nothing

struct Exercise {
  std::string id;         ///< half_formats
  std::string module;     ///< 01_fp16_baseline
  std::string number;     ///< 1.1: the module, and the place in it
  std::string extension;  ///< .cc or .cu

  bool is_cuda() const { return extension == ".cu"; }

  // Paths from the root, as messages name them.
  std::string lab_file() const { return "labs/" + module + "/" + id + extension; }
  std::string solution_file() const { return "solutions/" + module + "/" + id + extension; }
  std::string sheet() const { return "labs/" + module + "/" + id + ".md"; }
  std::string hints() const { return "labs/" + module + "/" + id + ".hints.md"; }
  std::string page() const { return "docs/" + module + "/" + id + ".md"; }
  std::string contract() const { return "kernels/" + module + "/" + id + ".h"; }
  std::string test_file() const {
    return "tests/" + module + "/" + id + "_exercise_test" + extension;
  }
  std::string mutants() const {
    return "tests/" + module + "/mutants/" + id;
  }  // a folder of .patch

  /// build/exercises/<id>/<variant>; a mutant's variant is "mutant." and the stem of its patch.
  std::filesystem::path program(const Places& places, std::string_view variant) const {
    return places.build / "exercises" / id / variant;
  }
  /// The target of the build: lab.half_formats, solution.half_formats, mutant.half_formats.truncates.
  /// given.half_formats is all that the learner's program is linked with; mutants.half_formats all
  /// mutants; gate.half_formats everything but the learner's program.
  std::string target(std::string_view variant) const { return std::string(variant) + "." + id; }
};

/// The exercises in their order, from build/exercises.txt, which CMake writes: a line
/// "01_fp16_baseline/half_formats.cc" each. \throws InputError when it cannot be read.
std::vector<Exercise> read_exercises(const Places& places);

/// The exercise that `typed` means: "half_formats", "1.1" or any part of one id. \throws InputError
/// that lists the exercises that match, or names the nearest one.
const Exercise& find_exercise(const std::vector<Exercise>& all, std::string_view typed);

/// What the task sheet says (labs/NN_topic/id.md). Its form: CONTRIBUTING, "Add an exercise".
struct Sheet {
  std::string title;                 ///< of its first line, after "id: "
  int minutes = 0;                   ///< of "About 10 minutes"
  std::string what;                  ///< the first paragraph: two lines of what and why
  std::string question;              ///< of "Before you run"; empty when there is none
  std::vector<std::string> choices;  ///< the lines "- a: …", without their letters
  std::vector<std::string> spoken;   ///< of "Say it out loud": how the sentences begin
};
Sheet read_sheet(const Places& places, const Exercise& exercise);

/// What the hints file says (labs/NN_topic/id.hints.md).
struct Hints {
  std::vector<std::string> levels;  ///< three
  char answer = 'a';                ///< of the question
  std::string because;              ///< and why
  std::vector<std::string> spoken;  ///< the whole sentences
};
Hints read_hints(const Places& places, const Exercise& exercise);

/// A `// TODO [id] Title` that is still in the learner's file, with the todo() under it.
struct OpenTodo {
  std::string id, title;
  int line;  ///< of the TODO
};
std::vector<OpenTodo> open_todos(const Places& places, const Exercise& exercise);

}  // namespace qlab
