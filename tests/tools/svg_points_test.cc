// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of points in a chart: every mark where it belongs, every name where it can be read.
#include "lab/svg_points.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "common/contract.h"
#include "common/random.h"
#include "lab/svg_chart.h"
#include "lab/svg_style.h"
#include "support/seed.h"
#include "tools/svg_checks.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;

/// Points of one kind, each with a name.
ChartPanel point_panel(std::vector<ChartPoint> points) {
  return {.x = {.label = "bits", .low = 0, .high = 100},
          .y = {.label = "loss", .low = 0, .high = 100},
          .points = {{"formats", std::move(points)}},
          .height = 300};
}

Chart chart_of(ChartPanel panel) {
  return {.title = "title", .subtitle = "", .description = "what is seen", .panels = {panel}};
}

TEST(SvgPoints, KeepsNamesOfPointsApart) {
  const TestSeed seed;
  Random random(seed);
  for (int round = 0; round < 20; ++round) {
    std::vector<ChartPoint> points;
    // From evenly spread to all in one place.
    const double spread = random.uniform(0, 100);
    const double x0 = random.uniform(0, 100 - spread), y0 = random.uniform(0, 100 - spread);
    for (int i = 0; i < 20; ++i) {
      points.push_back({random.uniform(x0, x0 + spread), random.uniform(y0, y0 + spread),
                        "format_" + std::to_string(i * i * i * i)});
    }
    const std::string svg = svg_chart(chart_of(point_panel(points)));
    ASSERT_TRUE(text_is_readable(svg)) << "round " << round << "\n" << svg;
    for (const ChartPoint& p : points) {  // in the plot or below it
      ASSERT_THAT(svg, testing::ContainsRegex("[ >]" + p.label + "[,;<]")) << "round " << round;
    }
  }
}

TEST(SvgPoints, LeadsFromAPointToANameThatStandsElsewhere) {
  // A column of marks that touch: beside it there is room for some of the names only.
  std::vector<LabelledPoint> points;
  for (int i = 0; i < 12; ++i) points.push_back({200, 100.0 + 5 * i, 60});
  const auto places = place_point_labels(points, {0, 0, 500, 300}, {});
  int leaders = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    ASSERT_TRUE(places[i].has_value()) << i;
    if (!places[i]->leader) continue;
    ++leaders;
    const SvgSegment& leader = *places[i]->leader;
    EXPECT_LE(std::hypot(leader.x0 - points[i].x, leader.y0 - points[i].y), kMarkReach + 0.01);
  }
  EXPECT_GT(leaders, 0);
}

TEST(SvgPoints, NamesWithoutRoomBecomeNumbersWithAKey) {
  // A plot as wide as a number.
  const SvgBox narrow{0, 0, 60, 60};
  const LabelledNames placed =
      place_or_number({{10, 30, 200}, {40, 30, 20}}, {"a long name", "ab"}, narrow, {});
  EXPECT_THAT(placed.names, testing::ElementsAre("1", "ab"));
  EXPECT_EQ(placed.key, "1 a long name");
  const LabelledNames none = place_or_number({{10, 10, 200}}, {"a name"}, {0, 0, 5, 5}, {});
  EXPECT_EQ(none.key, "not named above: a name");
}

TEST(SvgPoints, PointsInOnePlaceShareAName) {
  const std::string svg =
      svg_chart(chart_of(point_panel({{50, 50, "one"}, {50.1, 50.1, "two"}, {90, 90, "three"}})));
  EXPECT_THAT(svg, HasSubstr(">one, two</text>"));
  EXPECT_THAT(svg, HasSubstr(">three</text>"));
}

TEST(SvgPoints, DrawsEveryMarkAndItsInterval) {
  ChartPanel panel = point_panel({{20, 30, "a"}, {60, 50, "b", 40, 70}});
  panel.lines = {{.name = "joined", .x = {0, 50, 100}, .y = {1, 2, 3}, .marks = true}};
  const std::string svg = svg_chart(chart_of(panel));
  EXPECT_TRUE(is_well_formed(svg));
  EXPECT_TRUE(text_is_readable(svg));
  // Of the line, in the legend and in the plot; of the points likewise.
  EXPECT_EQ(count_of(svg, "<path class=\"m f0\""), 2);
  EXPECT_EQ(count_of(svg, "<path class=\"m f1\""), 2);
  EXPECT_EQ(count_of(svg, "<path class=\"l c1\""), 1) << "one point has an interval";
}

TEST(SvgPoints, RefusesWhatItCannotShow) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const auto expect_refused = [](std::vector<ChartPoint> points, const std::string& text) {
    EXPECT_THAT([&] { svg_chart(chart_of(point_panel(points))); },
                testing::ThrowsMessage<ContractError>(HasSubstr(text)));
  };
  expect_refused({}, "'formats' has no points");
  expect_refused({{1, kNan, "lost"}}, "point 'lost' has a value");
  expect_refused({{1, 2, "lost", 3, 4}}, "outside of its interval");
}

}  // namespace
}  // namespace qlab::test
