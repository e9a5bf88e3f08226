// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the plan: the page parses, every cell has a claim, and a damaged page is refused by line.
#include "lab/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include "model/input_error.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

const std::string kTable =
    "| Config | Description | Expected benefit | Main risk |\n"
    "| --- | --- | --- | --- |\n"
    "| FP16 | base | stable | memory |\n";

std::string claim(const std::string& id, const std::string& cell) {
  return "### " + id + " · FP16 · " + cell +
         "\nIt is so,\nand stays so.\n\n- measure: `kl(fp16)`\n- holds: < 0.5\n- fails: never,\n"
         "  or once\n\n";
}

const std::string kClaims =
    claim("C01", "Description") + claim("C02", "Expected benefit") + claim("C03", "Main risk");

Plan parse(const std::string& page) {
  std::istringstream text(page);
  return read_plan(text, "plan.md");
}

TEST(Plan, ReadsTheTableAndTheClaimsOfThePage) {
  const Plan plan = parse(kTable + "Words.\n" + kClaims + "## After\nMore words.\n");
  ASSERT_EQ(plan.rows.size(), 1U);
  EXPECT_EQ(plan.rows[0].benefit, "stable");
  ASSERT_EQ(plan.claims.size(), 3U);
  EXPECT_EQ(plan.claims[1].id, "C02");
  EXPECT_EQ(plan.claims[1].row, "FP16");
  EXPECT_EQ(plan.claims[1].cell, "Expected benefit");
  EXPECT_EQ(plan.claims[1].says, "It is so, and stays so.");
  EXPECT_EQ(plan.claims[1].measure, "kl(fp16)");
  EXPECT_EQ(plan.claims[1].holds.high, 0.5);
  EXPECT_EQ(plan.claims[1].fails, "never, or once");
}

TEST(Plan, ReadsEveryFormOfPredicate) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(parse_predicate("< 0.7").high, 0.7);
  EXPECT_EQ(parse_predicate("< 0.7").low, -infinity);
  EXPECT_EQ(parse_predicate("> -0.25").low, -0.25);
  EXPECT_EQ(parse_predicate("> 1").high, infinity);
  EXPECT_EQ(parse_predicate("within -0.02 … 0.02").low, -0.02);
  EXPECT_TRUE(parse_predicate("within 1 … 1").closed);
  EXPECT_FALSE(parse_predicate("< 1").closed);
}

TEST(Plan, ThePageOfTheRepositoryHasTheFourRowsAndTheMyths) {
  const Plan plan =
      read_plan(std::filesystem::path(QLAB_SOURCE_DIR) / "plan/quantization_comparison_plan.md");
  ASSERT_EQ(plan.rows.size(), 4U);
  EXPECT_EQ(plan.rows[2].config, "INT4 weight-only");
  EXPECT_EQ(plan.rows[2].risk, "quality and kernel support");
  int myths = 0;
  for (const Claim& c : plan.claims) myths += c.row == "Myth" ? 1 : 0;
  EXPECT_GE(myths, 2);
}

struct Damage {
  const char* name;
  std::string page;
  const char* message;
};

class DamagedPlan : public testing::TestWithParam<Damage> {};

TEST_P(DamagedPlan, IsRefusedWithItsLine) {
  EXPECT_THAT([] { parse(GetParam().page); },
              ThrowsMessage<InputError>(HasSubstr(GetParam().message)));
}

std::string changed(std::string text, const std::string& part, const std::string& to) {
  return text.replace(text.find(part), part.size(), to);
}

std::string without(const std::string& text, const std::string& part) {
  return changed(text, part, "");
}

INSTANTIATE_TEST_SUITE_P(
    , DamagedPlan,
    testing::Values(
        Damage{"NoTable", kClaims, "has no table"},
        Damage{"ACellWithoutAClaim",
               kTable + claim("C01", "Description") + claim("C02", "Main risk"),
               "no claim is about FP16 · Expected benefit"},
        Damage{"AnIdTwice", kTable + kClaims + claim("C02", "Main risk"),
               "plan.md:31: C02 is taken"},
        Damage{"NoMeasure", kTable + without(kClaims, "- measure: `kl(fp16)`\n"),
               "C01 ends here and has no measure"},
        Damage{"NoPredicate", kTable + without(kClaims, "- holds: < 0.5\n"),
               "C01 ends here and has no holds"},
        Damage{"NoStatement", kTable + without(kClaims, "It is so,\nand stays so.\n"),
               "C01 ends here and has no statement"},
        Damage{"AMeasureWithoutBackticks", kTable + without(kClaims, "`"), "between backticks"},
        Damage{"AnUnreadablePredicate", kTable + without(kClaims, "< "), "\"0.5\" is no predicate"},
        Damage{"SwappedBorders", kTable + changed(kClaims, "< 0.5", "within 2 … 1"),
               "\"within 2 … 1\" has no number in it"},
        Damage{"ARowOfThreeCells", kTable + "| INT8 | a | b |\n" + kClaims, "a row of 3 cells"}),
    [](const auto& test_info) { return test_info.param.name; });

TEST(Plan, AMissingPageIsNamed) {
  EXPECT_THAT([] { read_plan(std::filesystem::path("no/such/plan.md")); },
              ThrowsMessage<InputError>(HasSubstr("no/such/plan.md: cannot be opened")));
}

}  // namespace
}  // namespace qlab::test
