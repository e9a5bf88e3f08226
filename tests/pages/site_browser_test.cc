// SPDX-License-Identifier: Apache-2.0
/// \file
/// Walks every page of the site in a browser without a window, as narrow as a phone, and the pages that
/// are written by hand also wide and dark: nothing scrolls sideways, every text has contrast, headings
/// leave no level out, nothing comes from elsewhere, and the browser has nothing to say. Skipped where
/// there is no Chromium or no Doxygen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "pages/make_site.h"
#include "tools/browser.h"

namespace qlab::test {
namespace {

namespace fs = std::filesystem;

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
    const MadeSite made = make_site(Docs::here(), folder_.path());
    const std::string checks =
        read_text(fs::path(QLAB_SOURCE_DIR) / "tests/tools/page_checks.js").value();
    html_ = made.index.parent_path();
    for (const auto& entry : fs::directory_iterator(html_)) {
      if (entry.path().extension() != ".html") continue;
      const std::string page = read_text(entry.path()).value();
      std::ofstream(entry.path()) << page << "<script>window.labSite = true;\n"
                                  << checks << "</script>\n";
      pages_.push_back(entry.path().filename());
    }
    std::ranges::sort(pages_);
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

}  // namespace
}  // namespace qlab::test
