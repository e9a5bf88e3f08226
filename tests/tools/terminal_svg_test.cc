// SPDX-License-Identifier: Apache-2.0
/// \file
/// terminal_svg: the last state of each line, in its style, as well-formed text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tools/run_program.h"

namespace qlab::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string picture(const std::string& terminal_output, const std::string& title = "title") {
  return run_program({QLAB_BUILD_DIR "/terminal_svg", title}, terminal_output).out;
}

TEST(TerminalSvg, KeepsTextAsTextAndEscapesIt) {
  EXPECT_THAT(picture("a < b && c\n", "1 < 2"),
              AllOf(HasSubstr(">a &lt; b &amp;&amp; c</text>"),
                    HasSubstr("<title id=\"title\">1 &lt; 2</title>")));
}

TEST(TerminalSvg, StylesOnlyTheRunThatHasTheStyle) {
  EXPECT_THAT(picture("\033[1mbold\033[0m \033[32mheld\033[0m \033[1;31mboth\033[m plain"),
              AllOf(HasSubstr(" class=\"b\">bold<"), HasSubstr(" class=\"c2\">held<"),
                    HasSubstr(" class=\"b c1\">both<"), HasSubstr("\">plain<")));
}

TEST(TerminalSvg, ShowsTheLastStateOfALineThatWasDrawnOver) {
  EXPECT_THAT(picture("10 % of it\r\033[K20 %\r\033[Kdone\r\n"),
              AllOf(HasSubstr(">done<"), Not(HasSubstr("20 %"))));
  EXPECT_THAT(picture("abcdef\rXY\n"), HasSubstr(">XYcdef<"));
}

TEST(TerminalSvg, PlacesWhatStandsBehindBlanksAtItsColumn) {
  // Column 10 of characters 8.4 wide, behind a margin of 14.
  EXPECT_THAT(picture("     \033[2m     far\033[0m\n"), HasSubstr("x=\"98.0\""));
  EXPECT_THAT(picture("one word  second\n"),
              AllOf(HasSubstr(">one word</text>"), HasSubstr("x=\"98.0\" y=\"27.5\">second<")));
}

TEST(TerminalSvg, LeavesOutOtherSequencesAndControlBytes) {
  EXPECT_THAT(picture("\033]8;;http://a\033\\link\033]8;;\033\\ \033[?25lx\001y\n"),
              HasSubstr(">link xy</text>"));
}

TEST(TerminalSvg, ReplacesWhatIsNotUtf8) {
  const std::string replaced = "\xef\xbf\xbd";
  EXPECT_THAT(picture("\xe2\x89\xa5 4\n"), HasSubstr(">\xe2\x89\xa5 4<"));
  EXPECT_THAT(picture("a\xffz\n"), HasSubstr(">a" + replaced + "z<"));
  EXPECT_THAT(picture("a\xed\xa0\x80z\n"), HasSubstr(">a" + replaced + "z<"));  // a surrogate
  EXPECT_THAT(picture("a\xe2\x89"), HasSubstr(">a" + replaced + "<"));          // cut short
}

TEST(TerminalSvg, RefusesEmptyInputAndAMissingTitle) {
  const Finished empty = run_program({QLAB_BUILD_DIR "/terminal_svg", "title"}, "\n\n");
  EXPECT_EQ(empty.code, 2);
  EXPECT_EQ(empty.out, "");
  EXPECT_EQ(run_program({QLAB_BUILD_DIR "/terminal_svg"}, "text").code, 2);
}

}  // namespace
}  // namespace qlab::test
