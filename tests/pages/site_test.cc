// SPDX-License-Identifier: Apache-2.0
/// \file
/// From a page of docs/ to what Doxygen reads, and from what it writes to what people read.
#include "pages/site.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/input_error.h"
#include "pages/link_checks.h"
#include "pages/markdown.h"
#include "pages/polish.h"
#include "tools/exercise_tree.h"

namespace qlab::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// Of the tree of toys: docs/README.md, docs/01_first/*.md and what they link to.
class SiteOfToys : public testing::Test {
 protected:
  SiteOfToys() {
    std::filesystem::create_directories(tree_.path("plan/measured"));
    page("README.md", "# The lab\n");
  }
  void page(const std::string& name, const std::string& text) { tree_.write("docs/" + name, text); }
  SiteSource source() const {
    const Places places = tree_.places();
    return site_source({places, read_exercises(places), Measured(places.root / "plan/measured")});
  }
  std::string front(const std::string& text) {
    page("README.md", "# The lab\n\n" + text);
    return source().pages.at("index");
  }
  ExerciseTree tree_;
};

TEST_F(SiteOfToys, GivesEveryPageAName) {
  page("01_first/README.md", "# First\n");
  page("beyond/awq.md", "# AWQ\n");
  page("CONTRIBUTING.md", "# Contributing\n");
  const SiteSource site = source();
  for (const char* name : {"index", "lab01", "alpha_gemv", "alpha_gemv_warp", "beta_sum",
                           "beyond_awq", "contributing"}) {
    EXPECT_TRUE(site.pages.contains(name)) << name;
  }
  EXPECT_THAT(site.pages.at("lab01"), HasSubstr("# First {#lab01}"));
  EXPECT_THAT(site.pages.at("index"), HasSubstr("# The lab {#mainpage}"));
}

TEST_F(SiteOfToys, NamesHeadingsAfterTheirPage) {
  EXPECT_THAT(front("## What goes wrong\n"),
              HasSubstr("## What goes wrong {#index_what-goes-wrong}\n"));
  EXPECT_THAT(front("```cpp\n# no heading\n```\n"), HasSubstr("\n# no heading\n"));
}

TEST_F(SiteOfToys, FollowsLinksToPagesSourcesAndFiles) {
  tree_.write("kernels/common/matrix.h", "int x;\n");
  tree_.write("tools/a.sh", "echo $x\n");
  tree_.write("plan/measured.json", "{}\n");
  const std::string text = front(
      "[a](01_first/alpha_gemv.md) [b](01_first/alpha_gemv.md#how-to) [c](#here)\n"
      "[d](../kernels/common/matrix.h) [e](../tools/a.sh) [f](../plan/measured.json)\n"
      "[g](../labs/01_first/alpha_gemv.md) [h](https://x.org/y) [`i`](../labs)\n");
  EXPECT_THAT(text,
              HasSubstr("[a](@ref alpha_gemv) [b](@ref alpha_gemv_how-to) [c](@ref index_here)"));
  EXPECT_THAT(text, HasSubstr("[d](@ref kernels/common/matrix.h) [e](@ref tools_a_sh) "
                              "<a href=\"files/plan/measured.json\">f</a>"));
  EXPECT_THAT(text, HasSubstr("[g](@ref labs_01_first_alpha_gemv_md) [h](https://x.org/y) `i`"));
  const SiteSource site = source();
  EXPECT_THAT(site.pages.at("tools_a_sh"), HasSubstr("```{.unparsed}\necho $x\n"));
  EXPECT_THAT(site.pages.at("labs_01_first_alpha_gemv_md"), HasSubstr("What you write"));
  EXPECT_THAT(site.files, ElementsAre("plan/measured.json"));
}

TEST_F(SiteOfToys, RefusesALinkThatLeadsNowhere) {
  try {
    front("[a](no.md)\n");
    FAIL() << "nothing was refused";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), "docs/README.md: the link 'no.md' leads nowhere");
  }
}

TEST_F(SiteOfToys, TurnsFormulasPicturesFoldsAndComments) {
  EXPECT_THAT(front("It is $a_b$, not `$c$`.\n\n$$\nx^2\n$$\n"),
              HasSubstr("It is \\f$a_b\\f$, not `$c$`.\n\n\\f[\nx^2\n\\f]\n"));
  tree_.write("docs/pictures/p.svg", "<svg/>");
  EXPECT_THAT(front("![two \"cells\"](pictures/p.svg)\n"),
              HasSubstr("<img class=\"picture\" src=\"p.svg\" alt=\"two &quot;cells&quot;\"/>"));
  EXPECT_THAT(front("<details>\n<summary>a</summary>\n\nb\n\n</details>\n"),
              HasSubstr("\\htmlonly[block]\n<details>\n<summary>a</summary>\n\\endhtmlonly\n\nb\n\n"
                        "\\htmlonly[block]\n</details>\n\\endhtmlonly\n"));
  EXPECT_THAT(front("*\"A myth.\"* It is.\n"), HasSubstr("<em>\"A myth.\"</em> It is.\n"));
  EXPECT_THAT(front("a <!--= C18 as 0 -->7<!--/--> b\n"), HasSubstr("a 7 b\n"));
  EXPECT_THAT(front("```console\n$ ./lab $x$\n```\n"),
              HasSubstr("```{.unparsed}\n$ ./lab $x$\n```\n"));
}

TEST(HeadingSlug, IsThatOfAForge) {
  EXPECT_EQ(heading_slug("What goes wrong"), "what-goes-wrong");
  EXPECT_EQ(heading_slug("The code, annotated"), "the-code-annotated");
  EXPECT_EQ(heading_slug("`group_size` of 128"), "group_size-of-128");
}

TEST(Polish, MakesOneFirstHeadingAndLowersTheOthers) {
  EXPECT_EQ(
      polished("<div class=\"title\">T </div>\n<h1><a class=\"anchor\" id=\"a\"></a>\nA</h1>\n"
               "<h2><a class=\"anchor\" id=\"b\"></a>\nB</h2>\n<h2 class=\"memtitle\">m</h2>"),
      "<h1 class=\"title\">T </h1>\n<h2><a class=\"anchor\" id=\"a\"></a>\nA</h2>\n"
      "<h3><a class=\"anchor\" id=\"b\"></a>\nB</h3>\n<h2 class=\"memtitle\">m</h2>");
}

TEST(Polish, LetsTablesAndCodeScrollByThemselves) {
  EXPECT_THAT(
      polished("<table class=\"markdownTable\"><tr/></table><table class=\"x\"></table>"),
      HasSubstr("<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"Table\"><table "
                "class=\"markdownTable\"><tr/></table></div><table class=\"x\"></table>"));
  EXPECT_THAT(polished("<div class=\"fragment\">"), HasSubstr("tabindex=\"0\""));
}

class LinkChecks : public testing::Test {
 protected:
  std::vector<std::string> complaints(const std::string& body) {
    folder_.write("index.html", body);
    folder_.write("other.html", "<a id=\"there\"></a>");
    return link_complaints(folder_.path());
  }
  TemporaryFolder folder_;
};

TEST_F(LinkChecks, FindFilesAndAnchorsThatAreNotThere) {
  EXPECT_THAT(complaints("<a href=\"other.html#there\"></a><a href=\"other.html\"></a> href=\"x\""),
              IsEmpty());
  EXPECT_THAT(complaints("<a href=\"no.html\"></a>"),
              ElementsAre("index.html: 'no.html' leads nowhere"));
  EXPECT_THAT(complaints("<a class=\"el\" href=\"other.html#not\"></a>"),
              ElementsAre("index.html: 'other.html#not' names an anchor that its page has not"));
  EXPECT_THAT(complaints("<a href=\"#not\"></a>"), Not(IsEmpty()));
}

TEST_F(LinkChecks, FindWhatWouldBeFetchedFromElsewhere) {
  EXPECT_THAT(complaints("<a href=\"https://arxiv.org/x\">a</a>"), IsEmpty());
  EXPECT_THAT(complaints("<script src=\"https://cdn.org/x.js\"></script>"),
              ElementsAre("index.html: 'https://cdn.org/x.js' would be fetched from elsewhere"));
  EXPECT_THAT(complaints("<img src=\"//cdn.org/x.png\"/>"), Not(IsEmpty()));
}

TEST_F(LinkChecks, FindPagesThatNothingLeadsTo) {
  folder_.write("index.html", "<a href=\"a.html#x\"></a>");
  folder_.write("a.html", "<a href=\"index.html\"></a>");
  folder_.write("lonely.html", "<a href=\"index.html\"></a>");
  folder_.write("searched.html", "");
  std::filesystem::create_directories(folder_.path() / "search");
  folder_.write("search/all_0.js", "[['x',['../searched.html#y',1,'']]]");
  EXPECT_THAT(unreached_pages(folder_.path()), ElementsAre(folder_.path() / "lonely.html"));
}

}  // namespace
}  // namespace qlab::test
