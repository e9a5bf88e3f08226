// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sentences about crashes, from captured reports of g++ 12's and clang 14's sanitizers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "lab/crash_text.h"
#include "lab/text.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;

constexpr const char* kLab = "labs/01_x/op.cc";

std::string report(const std::string& name) {
  return read_text(QLAB_SOURCE_DIR "/tests/tools/check_fixtures/san_" + name + ".txt").value();
}
std::string text_of(const std::string& name) { return sanitizer_text(report(name), kLab); }

TEST(CheckCrashText, SaysWhatWasReadAndWhere) {
  EXPECT_EQ(text_of("gcc_heap"),
            "heap-buffer-overflow: read of 2 bytes at labs/01_x/op.cc:9, just past the end of 24 "
            "bytes");
  EXPECT_EQ(text_of("clang_heap"),
            "heap-buffer-overflow: read of 2 bytes at labs/01_x/op.cc:9:60, just past the end of "
            "24 bytes");
  EXPECT_EQ(text_of("gcc_heap_write"),
            "heap-buffer-overflow: write of 4 bytes at labs/01_x/op.cc:10, 4 bytes before the "
            "begin of 12 bytes");
}

TEST(CheckCrashText, ReadsTheFormOfNewerCompilers) {
  std::string text = report("gcc_heap");
  const std::string old = "0 bytes to the right of 24-byte region";
  text.replace(text.find(old), old.size(), "0 bytes after 24-byte region");
  EXPECT_THAT(sanitizer_text(text, kLab), HasSubstr("just past the end of 24 bytes"));
}

TEST(CheckCrashText, NamesTheVariable) {
  EXPECT_EQ(sanitizer_text(
                "==1==ERROR: AddressSanitizer: stack-buffer-overflow on address 0x7f at pc 0x1\n"
                "WRITE of size 4 at 0x7f thread T0\n    #0 0x1 in f labs/01_x/op.cc:11\n\n"
                "Address 0x7f is located in stack of thread T0 at offset 48 in frame\n"
                "    #0 0x1 in f labs/01_x/op.cc:8\n\n  This frame has 1 object(s):\n"
                "    [32, 48) 'acc' (line 9) <== Memory access at offset 48 overflows this "
                "variable\n",
                kLab),
            "stack-buffer-overflow: write of 4 bytes at labs/01_x/op.cc:11, past the end of the "
            "variable acc");
}

TEST(CheckCrashText, WordsOtherReports) {
  EXPECT_EQ(text_of("gcc_recurse"),
            "stack overflow: a recursion without an end? at labs/01_x/op.cc:14");
  EXPECT_EQ(text_of("gcc_shift"),
            "shift exponent 33 is too large for 32-bit type 'int' at labs/01_x/op.cc:16:24");
  EXPECT_EQ(text_of("gcc_wild"),
            "a read through a pointer to memory that is not there at labs/01_x/op.cc:19");
  EXPECT_EQ(text_of("gcc_twice"), "double-free: memory was freed twice at labs/01_x/op.cc:22");
  EXPECT_EQ(text_of("gcc_freed"), "heap-use-after-free: read of 4 bytes at labs/01_x/op.cc:21");
  EXPECT_THAT(text_of("gcc_huge"), testing::StartsWith("more memory was asked for than there is"));
}

TEST(CheckCrashText, NamesNoPlaceThatIsNotTheLearners) {
  EXPECT_EQ(text_of("gcc_copy"),
            "heap-buffer-overflow: read of 100 bytes, just past the end of 10 bytes");
}

TEST(CheckCrashText, SaysNothingWithoutAReport) {
  EXPECT_EQ(sanitizer_text("[ RUN      ] Op.DoesIt\n", kLab), "");
  EXPECT_EQ(sanitizer_text("", kLab), "");
}

TEST(CheckCrashText, PutsSignalsInWords) {
  EXPECT_THAT(signal_text(SIGSEGV, "[ RUN      ] Op.DoesIt\n", kLab),
              testing::EndsWith("an index or a pointer is off"));
  EXPECT_THAT(signal_text(SIGABRT, "free(): invalid pointer\n", kLab),
              testing::EndsWith("its last words: free(): invalid pointer"));
  EXPECT_THAT(signal_text(SIGUSR1, "", kLab), HasSubstr("User defined signal 1"));
}

TEST(CheckCrashText, ShowsAnAssertAndAnUncaughtException) {
  EXPECT_EQ(
      signal_text(SIGABRT,
                  "lab: /lab/labs/01_x/op.cc:24: void f(): Assertion `zero == 1' failed.\n", kLab),
      "Assertion `zero == 1' failed at labs/01_x/op.cc:24");
  EXPECT_EQ(signal_text(SIGABRT,
                        "terminate called after throwing an instance of 'std::runtime_error'\n"
                        "  what():  no luck\n",
                        kLab),
            "an exception left a thread or a noexcept function, where nobody can catch it: "
            "std::runtime_error: no luck");
}

TEST(CheckCrashText, FindsTheTestThatHadBegun) {
  const std::string begun =
      "[ RUN      ] Op.One\n[       OK ] Op.One (0 ms)\n[ RUN      ] Op.Two\n";
  EXPECT_EQ(begun_test(begun), "Op.Two");
  EXPECT_EQ(begun_test("noise" + begun + "noise"), "Op.Two");
  EXPECT_EQ(begun_test(begun + "[  FAILED  ] Op.Two (1 ms)\n"), "");
  EXPECT_EQ(begun_test(""), "");
}

}  // namespace
}  // namespace qlab::test
