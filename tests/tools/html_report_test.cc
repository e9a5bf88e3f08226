// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the HTML report: that it is one file of balanced tags with every claim and every plot,
/// and that no text of elsewhere becomes a part of the page.
#include "lab/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <regex>
#include <set>
#include <string>

#include "common/contract.h"
#include "lab/html_charts.h"
#include "tools/page_results.h"
#include "tools/run_program.h"
#include "tools/svg_checks.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string& page() {
  static const std::string html = html_report(page_results());
  return html;
}

/// What stands between the tags `<section id="…">` and `</section>`.
std::string section(const std::string& html, const std::string& id) {
  const std::size_t start = html.find("<section id=\"" + id + "\">");
  if (start == std::string::npos) return "";
  return html.substr(start, html.find("</section>", start) - start);
}

TEST(HtmlText, EscapesWhatWouldEndTextOrAnAttribute) {
  EXPECT_EQ(html_text("a<b>&\"c\"\x01"), "a&lt;b&gt;&amp;&quot;c&quot;");
  EXPECT_EQ(html_element("p", "1 < 2", "class=\"x\""), "<p class=\"x\">1 &lt; 2</p>\n");
  EXPECT_EQ(html_element("p", ""), "<p></p>\n");
}

TEST(HtmlText, ATableHasACaptionAndHeadsOfRowsAndColumns) {
  const HtmlTable table{.caption = "what & where", .head = {"name", "ms"}, .rows = {{"a", "1"}}};
  const std::string html = html_table(table, "here");
  EXPECT_TRUE(is_well_formed(html.substr(0, html.size() - 1)));
  EXPECT_THAT(html, HasSubstr("aria-labelledby=\"here\""));
  EXPECT_THAT(html, HasSubstr("<caption id=\"here\"><span>what &amp; where</span></caption>"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"col\" class=\"n\">ms</th>"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\" class=\"w\">a</th>"));
  EXPECT_THAT(
      [] {
        html_table({.caption = "c", .head = {"a"}, .rows = {{"1", "2"}}}, "id");
      },
      testing::ThrowsMessage<ContractError>(HasSubstr("2 cells under 1 heads")));
}

TEST(HtmlReport, IsWellFormedAndInEnglish) {
  const std::string doctype = "<!DOCTYPE html>\n";
  ASSERT_THAT(page(), StartsWith(doctype + "<html lang=\"en\">"));
  // The check of SVG knows no quotes in text, as SVG needs none escaped.
  const std::string quoted =
      std::regex_replace(page().substr(doctype.size()), std::regex("&quot;"), "&amp;");
  EXPECT_TRUE(is_well_formed(quoted));
}

TEST(HtmlReport, NeedsNothingFromElsewhereAndRunsNothing) {
  for (const char* const reference :
       {"<script", "<link rel=\"stylesheet", "<img", "<iframe", "url(", "@import", "@font-face",
        "src=", "https:", " onload", "javascript:"}) {
    EXPECT_THAT(page(), Not(HasSubstr(reference)));
  }
  // The name of the SVG format is an address that nobody asks.
  EXPECT_EQ(count_of(page(), "http:"), count_of(page(), "xmlns=\"http://www.w3.org/2000/svg\""));
  EXPECT_THAT(page(), HasSubstr("default-src 'none'"));
}

TEST(HtmlReport, HasEveryClaimOnceWithItsVerdict) {
  const Results results = page_results();
  const std::string claims = section(page(), "claims");
  for (const JudgedClaim& judged : results.claims()) {
    const std::string& id = judged.claim->id;
    const std::size_t start = claims.find("<li id=\"" + id + "\">");
    ASSERT_NE(start, std::string::npos) << id;
    const std::string item = claims.substr(start, claims.find("</li>", start) - start);
    // The word stands first, before any number, and does not hang on a colour.
    EXPECT_THAT(item, HasSubstr(">" + outcome_name(judged.verdict.outcome) + "</span> · " + id));
    EXPECT_THAT(item, HasSubstr(html_text(judged.claim->says)));
    EXPECT_THAT(item, HasSubstr(html_text(judged.claim->measure)));
  }
  EXPECT_EQ(count_of(claims, "<li "), static_cast<int>(results.plan.claims.size()));
}

TEST(HtmlReport, SaysOfAClaimItsNumberWithItsInterval) {
  Results r = page_results();
  for (auto& [name, found] : r.measurements) found = NotMeasured{"for the test"};
  r.measurements["weight_bits(int8)"] = Measurement{{9, 8.5, 9.5}};
  const std::string claims = html_claims(r);
  EXPECT_THAT(claims, HasSubstr("<span class=\"fell\">did not hold here</span> · C07 · 9.000 "
                                "[8.500, 9.500], claimed within\u00A08\u00A0…\u00A08.25"));
  EXPECT_THAT(claims, HasSubstr("<span class=\"not\">not measured here</span> · C01 · for the "
                                "test, claimed"));
  EXPECT_THAT(claims, HasSubstr("70 claims: 1 did not hold here, 69 not measured here."));
}

TEST(HtmlReport, SaysUnderWhichCircumstances) {
  const std::string text = section(page(), "circumstances");
  for (const char* const words : {"2026-01-31T10:15:02Z", "A processor ", "2 threads",
                                  "programs running", "fnv1a:0123456789abcdef"}) {
    EXPECT_THAT(text, HasSubstr(words));
  }
}

TEST(HtmlReport, EveryPlotHasDataNumbersASentenceAndACommand) {
  const std::vector<HtmlFigure> figures = html_figures(page_results());
  std::vector<std::string> ids;
  for (const HtmlFigure& figure : figures) {
    ids.push_back(figure.id);
    SCOPED_TRACE(figure.id);
    const std::string text = section(page(), figure.id);
    EXPECT_THAT(page(), HasSubstr("<a href=\"#" + figure.id + "\">"));
    EXPECT_GT(count_of(text, "<path class=\"m f"), 0) << "marks";
    EXPECT_EQ(count_of(text, "<svg"), 1);
    EXPECT_THAT(text, HasSubstr("<strong>Bottleneck:</strong> "));
    EXPECT_THAT(text, HasSubstr("Reproduce: <code class=\"command\"><span>./lab compare</span>"));
    EXPECT_EQ(count_of(text, "<tr>"), 1 + static_cast<int>(figure.table.rows.size()));
    EXPECT_FALSE(figure.table.rows.empty());
    const std::string svg = svg_figure(figure.chart, figure.id);
    EXPECT_TRUE(is_well_formed(svg));
    EXPECT_TRUE(text_is_readable(svg));
  }
  EXPECT_THAT(ids, testing::ElementsAre("roofline", "quality", "latency", "serving-1", "recall"));
}

TEST(HtmlReport, PlotsEveryFormatOfItsKind) {
  const Results r = page_results();
  const auto names = [](const HtmlFigure& figure) {
    std::set<std::string> result;
    for (const auto& row : figure.table.rows) result.insert(row[0]);
    return result;
  };
  EXPECT_TRUE(names(*quality_figure(r)).contains("int4_gptq"));
  EXPECT_FALSE(names(*quality_figure(r)).contains("int8_outliers"));
  EXPECT_FALSE(names(*quality_figure(r)).contains("kv_int8"));
  EXPECT_TRUE(names(*recall_figure(r)).contains("kv_kivi2"));
  EXPECT_FALSE(names(*recall_figure(r)).contains("int8"));
  EXPECT_THAT(names(*latency_figure(r)), testing::Contains("int4_g128"));
  EXPECT_THAT(names(*serving_figure(r.serving[0], 1)),
              testing::ElementsAre("fp16", "int4_g128", "int8"));
}

TEST(HtmlReport, ScalesALongCallToTheWholeLayer) {
  Results r = page_results();
  r.speed.rows.clear();
  r.speed.crossovers.clear();
  SpeedRow row{};
  row.name = "fp16";
  row.operation = "layer 8×8, M = 1";
  row.cost = {.bytes = 128, .flops = 128};
  row.seconds = {0.001, 0.001, 0.001};
  r.speed.rows.push_back(row);
  row.operation = "layer 2 of 8×8, M = 16";
  row.cost = {.bytes = 32, .flops = 512};  // of 2,048
  row.seconds = {0.002, 0.002, 0.002};
  r.speed.rows.push_back(row);
  const HtmlFigure figure = *latency_figure(r);
  EXPECT_THAT(figure.chart.panels[0].lines[0].y, testing::ElementsAre(1, 8));
  EXPECT_THAT(figure.reading, StartsWith("layer 8×8,"));
}

TEST(HtmlReport, DrawsWhatThereIsOfOddNumbers) {
  Results r = page_results();
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  QualityRow& row = *std::ranges::find_if(
      r.quality.rows, [](const QualityRow& q) { return q.configuration->name == "kv_int8"; });
  row.recall = {0.5, 0.6, 0.7};  // a bootstrap of few documents can miss its value
  r.quality.rows[1].kl = r.quality.rows[2].kl = {kNan, kNan, kNan};
  r.quality.rows.back().recall = {kNan, kNan, kNan};
  for (ServingRow& served : r.serving[0].rows) {
    for (ServingPoint& point : served.points) point.tpot = {0, 0, 0};  // answers of one token
    served.points.resize(1);
  }
  EXPECT_EQ(html_figures(r).size(), 5U);
  EXPECT_EQ(serving_figure(r.serving[0], 1)->chart.panels.size(), 1U);
  EXPECT_THAT(html_report(r), HasSubstr("at a rate of 1 a second"));
}

TEST(HtmlReport, LeavesOutPlotsWithoutNumbers) {
  Results r = page_results();
  r.speed.rows.clear();
  r.serving.clear();
  r.circumstances.only = "kv";
  std::erase_if(r.quality.rows, [](const QualityRow& row) {
    return row.configuration->recipe.weights != WeightFormat::kFp16;
  });
  std::vector<std::string> ids;
  for (const HtmlFigure& figure : html_figures(r)) ids.push_back(figure.id);
  EXPECT_THAT(ids, testing::ElementsAre("recall"));
  EXPECT_THAT(html_report(r), HasSubstr("<span>--only kv</span> <span>--threads 2</span>"));
}

TEST(HtmlReport, IdsAreThereOnceAndAnchorsLeadSomewhere) {
  std::set<std::string> ids;
  const std::regex id(" id=\"([^\"]*)\""), anchor("(?:href=\"#|aria-labelledby=\")([^\"]*)\"");
  for (std::sregex_iterator i(page().begin(), page().end(), id), end; i != end; ++i) {
    EXPECT_TRUE(ids.insert((*i)[1]).second) << (*i)[1];
  }
  for (std::sregex_iterator i(page().begin(), page().end(), anchor), end; i != end; ++i) {
    std::istringstream targets((*i)[1]);
    for (std::string target; targets >> target;) EXPECT_TRUE(ids.contains(target)) << target;
  }
}

TEST(HtmlReport, TakesNoTextForItsOwnTags) {
  EXPECT_THAT(page(), Not(HasSubstr("<b>")));
  EXPECT_GE(count_of(page(), "&lt;b&gt;"), 2) << "of the processor and of the machine";
}

TEST(HtmlReport, TheCommandNamesWhatTheRunWasTold) {
  Results r = page_results();
  EXPECT_EQ(compare_command(r),
            "./lab compare --threads 2 --seed 1 --budget 24 --html report.html");
  r.circumstances.quick = r.circumstances.isa_forced = true;
  r.circumstances.isa = Isa::kScalar;
  r.circumstances.only = "int8";
  r.circumstances.model = "models/it's";
  EXPECT_EQ(compare_command(r),
            "./lab compare --quick --only int8 --isa scalar --model 'models/it'\\''s' --threads 2 "
            "--seed 1 --budget 24 --html report.html");
}

TEST(HtmlReport, APathThatCannotBeWrittenIsRefusedBeforeAnythingIsMeasured) {
  const TemporaryFolder folder;
  const std::string below_nothing = folder.path() / "missing" / "report.html";
  for (const std::string& path : {below_nothing, folder.path().string()}) {
    const Finished run = run_program({QLAB_BUILD_DIR "/lab", "compare", "--quick", "--html", path});
    EXPECT_EQ(run.code, 2);
    EXPECT_THAT(run.out, testing::IsEmpty());
    EXPECT_THAT(run.err, HasSubstr(path));
  }
  // Nor is a file left behind by a run that fails later.
  const std::string path = folder.path() / "report.html";
  EXPECT_EQ(
      run_program({QLAB_BUILD_DIR "/lab", "compare", "--html", path, "--model", "no/such"}).code,
      2);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace qlab::test
