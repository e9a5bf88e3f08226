// SPDX-License-Identifier: Apache-2.0
/// \file
/// A page in a terminal: what is left of Markdown, and where lines end.
#include "lab/page_text.h"

#include <gtest/gtest.h>

namespace qlab::test {
namespace {

std::string shown(const std::string& markdown, std::size_t width = 40) {
  return page_text(markdown, width, Terminal{});
}

TEST(PageText, JoinsAParagraphAndWrapsIt) {
  EXPECT_EQ(shown("one two\nthree\n\nfour\n"), "one two three\n\nfour\n");
  EXPECT_EQ(shown("one two three\n", 8), "one two\nthree\n");
}

TEST(PageText, HangsTheLinesOfAnItemUnderItsWords) {
  EXPECT_EQ(shown("- one two three\n  four\n- five\n", 10), "- one two\n  three\n  four\n- five\n");
}

TEST(PageText, LeavesCodeAndTablesAsTheyAre) {
  EXPECT_EQ(shown("```cpp\nint  a = 1;  // as long as it is\n\n#if b\n```\n", 10),
            "    int  a = 1;  // as long as it is\n\n    #if b\n");
  EXPECT_EQ(shown("| a | b |\n| --- | --- |\n", 5), "| a | b |\n| --- | --- |\n");
}

TEST(PageText, SaysWhatLinksPicturesAndNumbersSay) {
  EXPECT_EQ(shown("a [`link`](x.md#y) of <!--= C18 as 0.00 -->0.41<!--/--> and $x$\n"),
            "a `link` of 0.41 and x\n");
  EXPECT_EQ(shown("![three cells](a.svg)\n"), "(Picture: three cells)\n");
}

TEST(PageText, LeavesNoTraceOfBlocks) {
  EXPECT_EQ(shown("a\n\n<!-- say -->\n\n<details>\n<summary>b …</summary>\n\nc\n\n</details>\n\n"
                  "<!-- /say -->\n\nd\n"),
            "a\n\nb …\n\nc\n\nd\n");
}

}  // namespace
}  // namespace qlab::test
