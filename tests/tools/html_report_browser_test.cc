// SPDX-License-Identifier: Apache-2.0
/// \file
/// Opens the HTML report in a browser without a window, wide and as narrow as a phone, in light and
/// dark: nothing scrolls sideways, no text covers another, every plot shows something, every text
/// has contrast, and the browser has nothing to say. Skipped where there is no Chromium.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "lab/html_report.h"
#include "lab/text.h"
#include "tools/browser.h"
#include "tools/page_results.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;

struct View {
  int width;
  bool dark;
};

/// The page with the checks appended, in a frame: a window of Chromium is never narrower than 500.
Seen look_at_page(const std::string& browser, std::string html, const View& view) {
  const TemporaryFolder folder;
  // The page forbids scripts; its copy must let one run.
  const std::string policy = "default-src 'none'";
  const std::size_t at = html.find(policy);
  if (at != std::string::npos) {
    html.replace(at, policy.size(), "default-src * 'unsafe-inline'");
  }
  const std::string checks = read_text(kSource / "tests/tools/page_checks.js").value();
  folder.write("page.html", html + "<script>\n" + checks + "</script>\n");
  folder.write("frame.html",
               "<!DOCTYPE html><html><body style=\"margin:0\"><pre id=\"findings\"></pre><script>\n"
               "addEventListener('message', (event) => {\n"
               "  document.getElementById('findings').textContent = event.data;\n});\n</script>\n"
               "<iframe src=\"page.html\" style=\"border:0;width:" +
                   std::to_string(view.width) + "px;height:20000px\"></iframe></body></html>\n");
  return open_in_browser(browser, folder.path() / "frame.html", view.dark);
}

class HtmlReportInABrowser : public testing::Test {
 protected:
  void SetUp() override {
    const auto found = find_browser();
    if (!found) {
      GTEST_SKIP() << "no chromium, chromium-browser or google-chrome on the path; install "
                      "Chromium to have the report looked at";
    }
    browser_ = *found;
  }
  std::string browser_;
};

TEST_F(HtmlReportInABrowser, CanBeReadWideAndNarrowInLightAndDark) {
  const std::string page = html_report(page_results());
  for (const View view : {View{1280, false}, View{1280, true}, View{390, false}, View{390, true}}) {
    const Seen seen = look_at_page(browser_, page, view);
    EXPECT_EQ(seen.findings, "measured 5 pictures at " + std::to_string(view.width) +
                                 (view.dark ? ", dark" : ", light"));
    EXPECT_EQ(seen.console, "");
  }
}

TEST_F(HtmlReportInABrowser, ChecksNoticeWhatIsBroken) {
  const auto svg = [](const std::string& inner) {
    return "<svg class=\"chart\" aria-labelledby=\"x\" viewBox=\"0 0 200 100\" width=\"200\" "
           "height=\"100\"><rect class=\"bg\" width=\"200\" height=\"100\" fill=\"#fff\"/>" +
           inner + "</svg>";
  };
  const auto page = [](const std::string& body) {
    return "<!DOCTYPE html><html lang=\"en\"><title>t</title><body>" + body + "</body></html>";
  };
  const std::string line = "<path d=\"M0 0L100 100\" stroke=\"#000\"/>";
  const auto text = [](const std::string& place, const std::string& words) {
    return "<text " + place + ">" + words + "</text>";
  };
  const auto findings = [&](const std::string& body) {
    return look_at_page(browser_, page(body), {390, false}).findings;
  };
  const std::string sound = "<h1>one</h1>" + svg(line + text("x=\"5\" y=\"30\"", "a"));
  EXPECT_EQ(findings(sound), "measured 1 pictures at 390, light");
  const std::string broken = findings(
      "<h1>one</h1><h3>three</h3><p style=\"color:#aaa\">pale</p><p "
      "style=\"width:900px\">wide</p>" +
      svg(text("x=\"5\" y=\"30\"", "lower") + text("x=\"8\" y=\"34\"", "upper") +
          text("x=\"180\" y=\"60\"", "leaves the picture")));
  EXPECT_THAT(broken, HasSubstr("a heading is left out before 'three'"));
  EXPECT_THAT(broken, HasSubstr("contrast 2.32 of 'pale'"));
  EXPECT_THAT(broken, HasSubstr("the page scrolls: "));
  EXPECT_THAT(broken, HasSubstr("'upper' covers 'lower'"));
  EXPECT_THAT(broken, HasSubstr("'leaves the picture' leaves its picture"));
  EXPECT_THAT(broken, HasSubstr("nothing is drawn in x"));

  const Seen noisy =
      look_at_page(browser_,
                   page("<script>console.log('a message')</script><script>undefined_name()</script>"
                        "<img src=\"http://127.0.0.1:9/a.png\" alt=\"\">" +
                        sound),
                   {390, false});
  EXPECT_THAT(noisy.console, HasSubstr("a message"));
  EXPECT_THAT(noisy.console, HasSubstr("undefined_name is not defined"));
  EXPECT_THAT(noisy.findings, HasSubstr("from elsewhere: http://127.0.0.1:9/a.png"));
  EXPECT_THAT(noisy.findings, HasSubstr("a request: http://127.0.0.1:9/a.png"));
}

}  // namespace
}  // namespace qlab::test
