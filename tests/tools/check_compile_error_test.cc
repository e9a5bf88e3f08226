// SPDX-License-Identifier: Apache-2.0
/// \file
/// The first error of captured logs: g++ 12, clang 14, ld, gold and lld on half_formats, under /lab.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/compile_error.h"
#include "lab/text.h"

namespace qlab::test {
namespace {

using testing::ElementsAre;

constexpr const char* kStub =
    "half_t half_from_float(float x) {\n  todo(\"half_formats_narrow\");\n}\n";

Exercise half_formats() {
  return {.id = "half_formats", .module = "01_fp16_baseline", .number = "1.1", .extension = ".cc"};
}

std::string log_of(const std::string& name) {
  return read_text(QLAB_SOURCE_DIR "/tests/tools/check_fixtures/" + name).value();
}

std::vector<std::string> shortened(const std::string& name) {
  return first_error(log_of(name), "/lab", half_formats(), kStub);
}

TEST(CheckCompileError, ShowsPlaceLineAndCaretOfGcc) {
  EXPECT_THAT(shortened("gcc_undeclared.txt"),
              ElementsAre("labs/01_fp16_baseline/half_formats.cc:24:12: 'vale' was not declared in "
                          "this scope; did you mean 'value'?",
                          "    24 |   result = vale >> shift;", "       |            ^~~~"));
}

TEST(CheckCompileError, ShowsClangInTheSameForm) {
  EXPECT_THAT(
      shortened("clang_undeclared.txt"),
      ElementsAre("labs/01_fp16_baseline/half_formats.cc:24:12: use of undeclared identifier "
                  "'vale'; did you mean 'value'?",
                  "    24 |   result = vale >> shift;", "       |            ^~~~"));
}

TEST(CheckCompileError, KeepsTheCaretOfASingleCharacter) {
  EXPECT_THAT(
      shortened("clang_semicolon.txt"),
      ElementsAre("labs/01_fp16_baseline/half_formats.cc:24:26: expected ';' after expression",
                  "    24 |   result = value >> shift", "       |                          ^"));
}

TEST(CheckCompileError, PassesOverWarningsAndCountsErrors) {
  EXPECT_THAT(shortened("gcc_after_warning.txt")[0], testing::HasSubstr(":24:35: 'vale'"));
  EXPECT_EQ(count_errors(log_of("gcc_after_warning.txt")), 2);
  EXPECT_EQ(count_errors(log_of("gcc_undeclared.txt")), 1);
  EXPECT_EQ(count_errors(log_of("ld_nohalf.txt")), 1);
  EXPECT_EQ(count_errors(log_of("ld_twice.txt")), 2);
}

TEST(CheckCompileError, ShowsAMissingHeader) {
  EXPECT_THAT(
      shortened("gcc_include.txt"),
      ElementsAre("labs/01_fp16_baseline/half_formats.cc:6:10: no_such_header: No such file "
                  "or directory",
                  "     6 | #include <no_such_header>", "       |          ^~~~~~~~~~~~~~~~"));
}

TEST(CheckCompileError, FoldsTheBacktraceOfATemplate) {
  for (const std::string compiler : {"gcc", "clang"}) {
    const auto lines = shortened(compiler + "_template.txt");
    ASSERT_EQ(lines.size(), 4) << compiler;
    EXPECT_THAT(lines[0], testing::MatchesRegex(
                              "/usr/include/c\\+\\+/12/bits/predefined_ops.h:158.*: no .*"));
    EXPECT_LE(columns(lines[0]), 240) << lines[0];
    EXPECT_EQ(lines[1], "   158 |         { return bool(_M_comp(*__it1, *__it2)); }");
    EXPECT_THAT(lines[3], testing::StartsWith("from labs/01_fp16_baseline/half_formats.cc:27:"));
  }
}

TEST(CheckCompileError, SaysWhichIncludeLedToAnErrorElsewhere) {
  const auto gcc = shortened("gcc_header.txt");
  EXPECT_THAT(gcc[0], testing::EndsWith("expected initializer before 'namespace'"));
  EXPECT_EQ(gcc.back(), "from labs/01_fp16_baseline/half_formats.cc:5");
  EXPECT_EQ(shortened("clang_header.txt").back(), "from labs/01_fp16_baseline/half_formats.cc:5");
}

TEST(CheckCompileError, SaysThatAFunctionOfTheStubIsGone) {
  EXPECT_THAT(
      shortened("ld_nohalf.txt"),
      ElementsAre("labs/01_fp16_baseline/half_formats.cc defines no half_from_float(float); "
                  "it was there in the stub: ./lab reset half_formats"));
}

TEST(CheckCompileError, SaysThatTheLearnersOwnFunctionIsNowhere) {
  EXPECT_THAT(
      shortened("ld_helper.txt"),
      ElementsAre("labs/01_fp16_baseline/half_formats.cc calls my_helper(unsigned int, int), "
                  "which is declared but defined nowhere"));
}

TEST(CheckCompileError, SaysThatAFunctionIsThereTwice) {
  for (const std::string linker : {"ld", "gold", "lld"}) {
    EXPECT_THAT(shortened(linker + "_twice.txt")[0],
                testing::StartsWith("labs/01_fp16_baseline/half_formats.cc defines "
                                    "qlab::half_value_ref(unsigned short), which is already"))
        << linker;
  }
}

TEST(CheckCompileError, ShowsErrorsWithoutAPlace) {
  const auto shown = [](const char* log) {
    return first_error(log, "/lab", half_formats(), kStub);
  };
  EXPECT_THAT(shown("[1/2] Building\ng++: fatal error: Killed signal terminated program cc1plus\n"),
              ElementsAre("g++: fatal error: Killed signal terminated program cc1plus"));
  EXPECT_THAT(shown("-- Configuring\nCMake Error at CMakeLists.txt:3 (x):\n  Unknown command\n\n\n"
                    "Call Stack (most recent call first):\n  y\n"),
              ElementsAre("CMake Error at CMakeLists.txt:3 (x):", "  Unknown command"));
  EXPECT_THAT(shown("ninja: error: unknown target 'lab.x'\n"),
              ElementsAre("ninja: error: unknown target 'lab.x'"));
  EXPECT_TRUE(shown("all is well\n").empty());
}

TEST(CheckCompileError, LeavesTheNameOfAWarningOut) {
  const std::string log =
      "/lab/labs/01_fp16_baseline/half_formats.cc:1:2: error: no return [-Werror=x]\n";
  EXPECT_THAT(first_error(log, "/lab", half_formats(), kStub),
              ElementsAre("labs/01_fp16_baseline/half_formats.cc:1:2: no return"));
}

TEST(CheckCompileError, ReadsALineOfAMegabyte) {
  const std::string log = "/lab/labs/01_fp16_baseline/half_formats.cc:1:2: error: " +
                          std::string(std::size_t{1} << 20, 'x') + "\n";
  EXPECT_LE(first_error(log, "/lab", half_formats(), kStub)[0].size(), 250U);
}

}  // namespace
}  // namespace qlab::test
