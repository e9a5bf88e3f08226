// SPDX-License-Identifier: Apache-2.0
/// \file
/// A tree of exercises whose build tool and programs are shell scripts, so that a test says what they
/// do.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "lab/check.h"
#include "tools/exercise_tree.h"

namespace qlab::test {

/// Checks of 01_first/alpha_gemv. Our solution has the tests Alpha.One, Alpha.Two, Alpha.Three and
/// passes them.
class CheckTree : public ExerciseTree {
 public:
  CheckTree() : exercise_(read_exercises(places())[0]) {
    write_script("bin/cmake", "");
    path_before_ = std::getenv("PATH");
    setenv("PATH", (path("bin").string() + ":" + path_before_).c_str(), 1);
    write_program("solution", passes());
    write_program("lab", passes());
    // Not the stub any more.
    write(exercise_.lab_file(), named(kToySolution, exercise_));
  }
  ~CheckTree() { setenv("PATH", path_before_.c_str(), 1); }
  CheckTree(const CheckTree&) = delete;
  CheckTree& operator=(const CheckTree&) = delete;

  const Exercise& exercise() const { return exercise_; }
  Verdict check(const CheckOptions& options = {}) const {
    return check_exercise(places(), exercise_, options);
  }

  /// `cmake --build` for which `script` finds its targets in $targets.
  void write_build(const std::string& script) const {
    write_script("bin/cmake", "targets=\"${*#*--target }\"\n" + script);
  }

  /// A program that GoogleTest's main is part of: it lists tests, and runs `body`, in which $report
  /// is the file to write and $filter the value of --gtest_filter.
  void write_program(const std::string& variant, const std::string& body) const {
    write_script("build/exercises/alpha_gemv/" + variant, R"(
for word; do case $word in
  --gtest_list_tests) printf 'Running main()\nAlpha.\n  One\n  Two\n  Three\n'; exit ;;
  --gtest_output=json:*) report=${word#--gtest_output=json:} ;;
  --gtest_filter=*) filter=${word#--gtest_filter=} ;;
esac; done
: >"$TEST_PREMATURE_EXIT_FILE"
)" + body + "\nrm \"$TEST_PREMATURE_EXIT_FILE\"\nexit ${status:-0}\n");
  }

  /// The report of three tests, of which each is "pass", "skip", or the text of its failure.
  static std::string reports(const std::string& one, const std::string& two,
                             const std::string& three) {
    return "cat >\"$report\" <<'END'\n{\"name\": \"AllTests\", \"time\": \"0.5s\", \"testsuites\": "
           "[{\"name\": \"Alpha\", \"testsuite\": [" +
           test("One", one) + "," + test("Two", two) + "," + test("Three", three) + "]}]}\nEND\n";
  }
  static std::string passes() { return reports("pass", "pass", "pass"); }

  /// The shell's line that leaves an output of `test`: got against expected, each with the same
  /// tolerance.
  std::string dumps(const std::string& test, const std::vector<double>& got,
                    const std::vector<double>& expected, double allowed = 0) const {
    static int number = 0;
    const std::filesystem::path file = path("dump." + std::to_string(number++));
    write_dump(file, got, expected, allowed);
    return "cp " + file.string() + " \"$LAB_DUMP/" + test + ".0.dump\"\n";
  }

  static void write_dump(const std::filesystem::path& file, const std::vector<double>& got,
                         const std::vector<double>& expected, double allowed) {
    std::ofstream out(file, std::ios::binary);
    const auto put = [&](auto value) {
      out.write(reinterpret_cast<const char*>(&value), sizeof value);
    };
    put(std::int64_t{1});
    put(static_cast<std::int64_t>(got.size()));
    std::ranges::for_each(got, put);
    std::ranges::for_each(expected, put);
    for (std::size_t i = 0; i < got.size(); ++i) put(allowed);
  }

  void write_patch(const std::string& name, const std::string& says) const {
    write(exercise_.mutants() + "/" + name + ".patch", "Says: " + says + "\nWhy: because\n");
  }

 private:
  static std::string test(const std::string& name, const std::string& outcome) {
    std::string text = "{\"name\": \"" + name + "\", \"status\": \"RUN\", \"result\": \"" +
                       (outcome == "skip" ? "SKIPPED" : "COMPLETED") + "\"";
    if (outcome != "skip" && outcome != "pass") {
      text += ", \"failures\": [{\"failure\": \"tests/alpha.cc:9\\nFailed\\n" + outcome + "\"}]";
    }
    return text + "}";
  }

  void write_script(const std::string& name, const std::string& text) const {
    namespace fs = std::filesystem;
    write(name, "#!/bin/sh\n" + text);
    fs::permissions(path(name), fs::perms::owner_all);
  }

  Exercise exercise_;
  std::string path_before_;
};

}  // namespace qlab::test
