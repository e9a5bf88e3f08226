// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the chart writer: XML, every point where it belongs, labels that can be read.
#include "lab/svg_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <sstream>
#include <string>

#include "common/contract.h"
#include "common/random.h"
#include "lab/svg_axis.h"
#include "lab/svg_labels.h"
#include "lab/svg_style.h"
#include "support/seed.h"
#include "tools/svg_checks.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

ChartPanel line_panel(std::vector<double> x, std::vector<double> y) {
  return {.x = {.label = "time"}, .y = {.label = "bytes"}, .lines = {{"one", x, y}}};
}

Chart chart_of(ChartPanel panel) {
  return {
      .title = "title", .subtitle = "subtitle", .description = "what is seen", .panels = {panel}};
}

std::vector<std::string> labels(const std::vector<SvgTick>& ticks) {
  std::vector<std::string> result;
  for (const SvgTick& tick : ticks) result.push_back(tick.label);
  return result;
}

TEST(SvgChecks, NoticeWhatIsBroken) {
  EXPECT_TRUE(is_well_formed("<a><b x=\"1\"/>text &amp; more</a>"));
  for (const char* const broken :
       {"", "text", "<a>", "<a></b>", "<a><b></a></b>", "<a x=1/>", "<a>1 & 2</a>", "<a>1 < 2</a>",
        "<a/><a></a></a>", "<a x=\"1\"y=\"2\"/></a>", "<a></a><b></b>"}) {
    EXPECT_FALSE(is_well_formed(broken)) << broken;
  }
  const std::string begin = "viewBox=\"0 0 100 50\"";
  const auto text = [](const std::string& x, const std::string& y) {
    return "<text x=\"" + x + "\" y=\"" + y + "\" text-anchor=\"start\" class=\"\">word</text>";
  };
  EXPECT_TRUE(text_is_readable(begin + text("10", "20") + text("10", "40")));
  EXPECT_FALSE(text_is_readable(begin + text("10", "20") + text("12", "24")));
  EXPECT_FALSE(text_is_readable(begin + text("90", "20")));
  EXPECT_FALSE(text_is_readable(begin + text("10", "5")));
}

TEST(SvgChart, IsWellFormedAndSpeaksToScreenReaders) {
  Chart chart = chart_of(line_panel({0, 1, 2}, {3, 1, 2}));
  chart.title = "a < b & \"c\" > d";
  chart.description = "x & y\x01";
  chart.panels[0].markers = {{1, "<here> & there"}};
  const std::string svg = svg_chart(chart);
  EXPECT_TRUE(is_well_formed(svg));
  EXPECT_TRUE(text_is_readable(svg));
  EXPECT_THAT(svg, HasSubstr("<title id=\"title\">a &lt; b &amp; \"c\" &gt; d</title>"));
  EXPECT_THAT(svg, HasSubstr("<desc id=\"desc\">x &amp; y</desc>"));
  EXPECT_THAT(svg, HasSubstr(">&lt;here&gt; &amp; there</text>"));
  EXPECT_THAT(svg, HasSubstr("role=\"img\" aria-labelledby=\"title desc\""));
  EXPECT_THAT(svg, HasSubstr("prefers-color-scheme:dark"));
}

TEST(SvgChart, NeedsNothingFromElsewhere) {
  const std::string svg = svg_chart(chart_of(line_panel({0, 1}, {0, 1})));
  for (const char* const reference :
       {"href", "url(", "@import", "@font-face", "<script", "<image"}) {
    EXPECT_THAT(svg, Not(HasSubstr(reference)));
  }
  EXPECT_EQ(count_of(svg, "http"), 1) << "the name of the format";
}

TEST(SvgChart, DrawsEveryPointOfALine) {
  const std::string svg = svg_chart(chart_of(line_panel({0, 1, 2, 3, 4}, {5, 4, 3, 2, 1})));
  const std::size_t start = svg.find("<path class=\"l c0\"");
  ASSERT_NE(start, std::string::npos);
  const std::string path = svg.substr(start, svg.find("/>", start) - start);
  EXPECT_EQ(count_of(path, "L"), 4);
  // The first point at the left end; the last at the right end.
  EXPECT_THAT(path, HasSubstr("L534.0 "));
}

TEST(SvgChart, InterruptsALineWhereItIsInfiniteAndDotsALonePoint) {
  ChartPanel panel = line_panel({0, 1, 2, 3, 4, 5}, {1, 2, kInfinity, 3, kInfinity, 4});
  const std::string svg = svg_chart(chart_of(panel));
  EXPECT_EQ(count_of(svg, "h0"), 2);
  EXPECT_TRUE(is_well_formed(svg));
  panel.lines[0].y = {1, 0, 2, 3, -1, 4};  // what a log axis cannot show
  panel.y.log = true;
  EXPECT_EQ(count_of(svg_chart(chart_of(panel)), "h0"), 2);
}

TEST(SvgChart, DrawsEveryBarThatHasAHeight) {
  ChartPanel panel{.x = {.label = "x"}, .y = {.label = "count", .log = true}};
  panel.bars = {{"samples", {0, 1, 2, 3, 4}, {1000, 10, 0, 1}}};
  const std::string svg = svg_chart(chart_of(panel));
  const std::size_t start = svg.find("<path class=\"b f0\"");
  const std::string path = svg.substr(start, svg.find("/>", start) - start);
  EXPECT_EQ(count_of(path, "z"), 3);  // not the empty one
  EXPECT_THAT(labels(SvgAxis(true, 0.5, 2000, 200, 0).ticks(20)),
              testing::ElementsAre("1", "10", "100", "1,000"));
}

TEST(SvgChart, TellsSeriesApartWithoutColour) {
  ChartPanel panel = line_panel({0, 1, 2}, {1, 2, 3});
  panel.lines.push_back({"two", {0, 1, 2}, {3, 2, 1}});
  panel.lines.push_back({"a name so long that the legend takes another row", {0, 2}, {2, 2}});
  panel.bars = {{"bars", {0, 1, 2}, {1, 2}}};
  const std::string svg = svg_chart(chart_of(panel));
  EXPECT_TRUE(text_is_readable(svg));
  for (const char* const dashes : {"8 4", "2 3", "9 3 2 3"}) {
    // In the legend and in the plot.
    EXPECT_EQ(count_of(svg, std::string("stroke-dasharray=\"") + dashes + "\""), 2) << dashes;
  }
  for (const char* const name : {">one<", ">two<", ">bars<"}) EXPECT_EQ(count_of(svg, name), 1);
  EXPECT_EQ(count_of(svg_chart(chart_of(line_panel({0, 1}, {0, 1}))), ">one<"), 0)
      << "one series needs no legend";
}

TEST(SvgChart, KeepsLabelsOfMarkersApart) {
  const TestSeed seed;
  Random random(seed);
  for (int round = 0; round < 200; ++round) {
    ChartPanel panel = line_panel({0, 100}, {1, 1000});
    // From evenly spread to all in one place.
    const double spread = random.uniform(0, 100);
    const double start = random.uniform(0, 100 - spread);
    for (const char* const name :
         {"absmax 123.4", "percentile 0.01234", "mse 12", "entropy 3.33"}) {
      panel.markers.push_back({random.uniform(start, start + spread), name});
    }
    const std::string svg = svg_chart(chart_of(panel));
    ASSERT_TRUE(text_is_readable(svg)) << "round " << round << "\n" << svg;
  }
}

TEST(SvgChart, LetsNoMarkerRunThroughALabel) {
  const TestSeed seed;
  Random random(seed);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> x, width;
    for (int i = 0; i < 4; ++i) {
      x.push_back(random.uniform(60, 534));
      width.push_back(random.uniform(40, 130));
    }
    const std::vector<LabelPlace> places = place_labels(x, width, 60, 556);
    for (std::size_t a = 0; a < x.size(); ++a) {
      for (std::size_t b = 0; b < x.size(); ++b) {
        if (a == b || places[a].lane < places[b].lane) continue;
        const double low = places[b].to_left ? x[b] - kLabelGap - width[b] : x[b] + kLabelGap;
        EXPECT_FALSE(x[a] > low && x[a] < low + width[b])
            << "round " << round << ": marker " << a << " runs through label " << b;
      }
    }
  }
}

TEST(SvgChart, AsAPartOfAPageSharesNothingWithOtherCharts) {
  const Chart chart = chart_of(line_panel({0, 1}, {0, 1}));
  const std::string one = svg_figure(chart, "one");
  EXPECT_TRUE(is_well_formed(one));
  EXPECT_THAT(one, HasSubstr("aria-labelledby=\"one-title one-desc\""));
  EXPECT_THAT(one, HasSubstr("<title id=\"one-title\">title</title>"));
  EXPECT_EQ(count_of(one, ">title</text>"), 0) << "the page has the heading";
  EXPECT_EQ(count_of(one, "<style>"), 0) << "the page has the style";
  // Every rule of it is about what lies below a chart, so that a page keeps its own texts.
  std::string style = svg_style();
  const std::string dark = "@media screen and (prefers-color-scheme:dark){";
  ASSERT_EQ(count_of(style, dark), 1);
  style.replace(style.find(dark), dark.size(), "}");
  std::size_t from = 0;
  for (std::size_t open = style.find('{'); open != std::string::npos;
       open = style.find('{', from)) {
    std::istringstream selectors(style.substr(from, open - from));
    for (std::string selector; std::getline(selectors, selector, ',');) {
      EXPECT_THAT(selector, testing::ContainsRegex("^[}\n]*\\.chart ")) << selector;
    }
    from = style.find('}', open) + 1;
  }
}

TEST(SvgChart, PutsTicksAtRoundNumbers) {
  EXPECT_THAT(labels(SvgAxis(false, 0, 1, 0, 400).ticks(64)),
              testing::ElementsAre("0", "0.2", "0.4", "0.6", "0.8", "1"));
  EXPECT_THAT(labels(SvgAxis(false, -3, 34.9, 0, 400).ticks(80)),
              testing::ElementsAre("0", "10", "20", "30"));
  EXPECT_THAT(labels(SvgAxis(true, 1e-8, 1, 200, 0).ticks(40)),
              testing::ElementsAre("10⁻⁸", "10⁻⁶", "10⁻⁴", "0.01", "1"));
  EXPECT_THAT(labels(SvgAxis(true, 0.2, 5, 200, 0).ticks(20)),
              testing::ElementsAre("0.2", "0.5", "1", "2", "5"));
  EXPECT_EQ(tick_label(-2.5e9), "-2.5·10⁹");
  EXPECT_EQ(tick_label(123456), "123,456");
  EXPECT_EQ(round_below(0.0499), 0.02);
  EXPECT_EQ(round_above(2048), 5000);
}

TEST(SvgChart, CutsWordsThatAreTooLong) {
  Chart chart = chart_of(line_panel({0, 1}, {0, 1}));
  for (int i = 0; i < 100; ++i) chart.subtitle += "ä";  // two bytes each
  chart.title += " " + std::string(300, 'W');
  const std::string svg = svg_chart(chart);
  EXPECT_TRUE(text_is_readable(svg));
  EXPECT_THAT(svg, HasSubstr("ä…</text>"));
  EXPECT_THAT(svg, HasSubstr("W…</text>"));

  ChartPanel panel = line_panel({0, 1}, {0, 1});
  panel.lines.push_back({std::string(90, 'n'), {0, 1}, {1, 0}});
  EXPECT_TRUE(text_is_readable(svg_chart(chart_of(panel))));
}

TEST(SvgChart, RefusesWhatItCannotShow) {
  const auto expect_refused = [](ChartPanel panel, const std::string& text) {
    EXPECT_THAT([&] { svg_chart(chart_of(panel)); },
                testing::ThrowsMessage<ContractError>(HasSubstr(text)));
  };
  EXPECT_THROW(svg_chart({.title = "", .subtitle = "", .description = "", .panels = {}}),
               ContractError);
  expect_refused({.x = {.label = "x"}, .y = {.label = "y"}}, "a panel has no data");
  ChartPanel many = line_panel({0, 1}, {0, 1});
  many.lines.resize(7, many.lines[0]);
  expect_refused(many, "more than 6 series");
  expect_refused(line_panel({}, {}), "'one' has 0 x and 0 y");
  expect_refused(line_panel({1, 2}, {1}), "'one' has 2 x and 1 y");
  expect_refused(line_panel({1, 2}, {1, kNan}), "not finite");
  expect_refused(line_panel({1, kNan}, {1, 2}), "not finite");
  expect_refused(line_panel({1, kInfinity}, {1, 2}), "not finite");
  expect_refused(line_panel({1, 2}, {1, -kInfinity}), "not finite");
  expect_refused(line_panel({1, 2}, {kInfinity, kInfinity}), "no value that its axis can show");
  expect_refused(line_panel({1, 1}, {1, 2}), "shows nothing");
  ChartPanel log = line_panel({1, 2}, {0, -1});
  log.y.log = true;
  expect_refused(log, "no value that its axis can show");
  ChartPanel bars{.x = {.label = "x"}, .y = {.label = "y"}, .bars = {{"b", {0, 1}, {1, 2}}}};
  expect_refused(bars, "one edge more than bars");
  bars.bars[0] = {"b", {0, 1, 2}, {1, kInfinity}};
  expect_refused(bars, "not finite");
  ChartPanel marked = line_panel({1, 2}, {1, 2});
  marked.markers = {{kNan, "lost"}};
  expect_refused(marked, "'lost' is at no place");
  marked.markers = {{1, std::string(200, 'w')}};
  expect_refused(marked, "too long");
}

}  // namespace
}  // namespace qlab::test
