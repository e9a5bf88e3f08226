// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pages of this tree, and the site made of them: nothing is missing, out of date or broken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "lab/text.h"
#include "pages/make_site.h"
#include "pages/page_checks.h"
#include "pages/pictures.h"
#include "tools/run_program.h"

namespace qlab::test {
namespace {

using testing::IsEmpty;

TEST(ThePages, AreWholeAndUpToDate) { EXPECT_THAT(all_complaints(Docs::here()), IsEmpty()); }

TEST(ThePages, ShowPicturesAsTheCodeDrawsThemToday) {
  const Docs docs = Docs::here();
  for (const PagePicture& picture : all_pictures(docs.measured)) {
    const std::string file = "docs/pictures/" + picture.name + ".svg";
    EXPECT_TRUE(read_text(docs.places.root / file) == picture.svg)
        << file << " is out of date: ./lab docs --write";
  }
}

TEST(TheSite, HasNoBrokenLinkAndNoCommentThatDoxygenRejects) {
  if (std::system("doxygen --version >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "no doxygen on the path; ./lab docs installs it";
  }
  const TemporaryFolder folder;
  const MadeSite site = make_site(Docs::here(), folder.path());
  EXPECT_THAT(site.complaints, IsEmpty());
  EXPECT_GT(site.pages, 300);
}

}  // namespace
}  // namespace qlab::test
