// SPDX-License-Identifier: Apache-2.0
/// \file
/// Walks every page of the site in a browser without a window, as narrow as a phone, and those that are
/// written by hand also wide and dark: nothing scrolls sideways, every text has contrast, headings
/// leave no level out, nothing comes from elsewhere, and the browser has nothing to say. Skipped where
/// there is no Chromium or no Doxygen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>

#include "pages/make_site.h"
#include "pages/site.h"
#include "tools/browser.h"

namespace qlab::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

/// Shows one page after the other in a frame, and writes down what each has sent.
constexpr const char* kWalk = R"(<!DOCTYPE html><html lang="en"><body style="margin:0">
<pre id="findings"></pre><iframe style="border:0;height:2000px"></iframe><script>
'use strict';
const frame = document.querySelector('iframe');
frame.style.width = `${width}px`;
let at = -1;
function next() {
  if (++at < pages.length) frame.src = pages[at];
}
addEventListener('message', (event) => {
  if (typeof event.data !== 'string') return;  // of the page's own
  const lines = event.data.split('\n').filter((line) => !/^measured/.test(line));
  for (const line of lines) findings.textContent += `${pages[at]}: ${line}\n`;
  if (at + 1 === pages.length) findings.textContent += `looked at ${pages.length} pages\n`;
  next();
});
next();
</script></body></html>
)";

class SiteInABrowser : public testing::Test {
 protected:
  void SetUp() override {
    const auto browser = find_browser();
    if (!browser) GTEST_SKIP() << "no Chromium on the path; install it to have the site looked at";
    browser_ = *browser;
  }

  /// The site, its pages with the checks in them.
  void make() {
    html_ = make_site(Docs::here(), folder_.path()).index.parent_path();
    for (const auto& entry : fs::directory_iterator(html_)) {
      if (entry.path().extension() == ".html")
        add(entry.path().filename(), read_text(entry.path()).value());
    }
    std::ranges::sort(pages_);
  }

  void add(const std::string& name, const std::string& page) {
    const std::string checks =
        read_text(fs::path(QLAB_SOURCE_DIR) / "tests/tools/page_checks.js").value();
    std::ofstream(html_ / name) << page << "<script>window.labSite = true;\n"
                                << checks << "</script>\n";
    pages_.push_back(name);
  }

  /// Pages that are written by hand: neither made of a header or a source, nor of lists of names.
  static std::vector<std::string> written() {
    const Docs docs = Docs::here();
    std::vector<std::string> names;
    for (const fs::path& page : all_pages(docs)) names.push_back(page_id(docs, page) + ".html");
    return names;
  }

  Seen walk(const std::vector<std::string>& pages, int width, bool dark) const {
    std::string list;
    for (const std::string& page : pages) list += fmt::format("'{}',", page);
    std::string text = kWalk;
    text.replace(text.find("'use strict';"), 13,
                 fmt::format("'use strict'; const width = {}; const pages = [{}];", width, list));
    std::ofstream(html_ / "walk.html") << text;
    constexpr int kVirtualMilliseconds = 3'600'000;
    return open_in_browser(browser_, html_ / "walk.html", dark, kVirtualMilliseconds);
  }

  std::string browser_;
  TemporaryFolder folder_;
  fs::path html_;
  std::vector<std::string> pages_;
};

TEST_F(SiteInABrowser, EveryPageCanBeReadOnAPhone) {
  make();
  const Seen seen = walk(pages_, 390, false);
  EXPECT_EQ(seen.findings, fmt::format("looked at {} pages\n", pages_.size()));
  EXPECT_EQ(seen.console, "");
}

TEST_F(SiteInABrowser, WrittenPagesCanBeReadWideAndInTheDark) {
  make();
  const std::vector<std::string> pages = written();
  const Seen seen = walk(pages, 1280, true);
  EXPECT_EQ(seen.findings, fmt::format("looked at {} pages\n", pages.size()));
  EXPECT_EQ(seen.console, "");
}

TEST_F(SiteInABrowser, AWalkNoticesWhatIsBroken) {
  html_ = folder_.path();
  const auto page = [](const std::string& body) {
    return "<!DOCTYPE html><html lang=\"en\"><title>t</title><body>" + body + "</body></html>";
  };
  add("sound.html", page("<h1>one</h1><a href=\"https://x.org\">a link</a>"));
  add("broken.html", page("<h1>one</h1><h3>three</h3><p style=\"width:900px;color:#ccc\">wide</p>"
                          "<img alt=\"\" src=\"http://127.0.0.1:9/a.png\">"
                          "<script>undefined_name()</script>"));
  const Seen seen = walk(pages_, 390, false);
  EXPECT_THAT(seen.findings, Not(HasSubstr("sound.html: ")));
  for (const std::string what :
       {"the page scrolls", "contrast 1.6", "a heading is left out before 'three'",
        "from elsewhere: http://127.0.0.1:9/a.png"}) {
    EXPECT_THAT(seen.findings, HasSubstr("broken.html: " + what));
  }
  EXPECT_THAT(seen.findings, HasSubstr("looked at 2 pages"));
  EXPECT_THAT(seen.console, HasSubstr("undefined_name is not defined"));
}

}  // namespace
}  // namespace qlab::test
