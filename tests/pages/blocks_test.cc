// SPDX-License-Identifier: Apache-2.0
/// \file
/// What stands between the comments of a page, and what of a page is complained of, in a tree of toys.
#include "pages/blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include "model/input_error.h"
#include "pages/page_checks.h"
#include "tools/exercise_tree.h"

namespace qlab::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Pages : public testing::Test {
 protected:
  Pages() {
    tree_.write("plan/measured/xeon_2threads.json", R"({
      "circumstances": {"cpu": "a Xeon", "threads": 2, "date": "2026-01-31T10:00:00Z"},
      "claims": [{"id": "C01", "measured": {"value": 0.5}}]})");
    tree_.write("docs/README.md", "# The lab\n");
    tree_.write("docs/pictures/alpha_gemv.svg", "<svg/>");
    tree_.write("tests/01_first/mutants/alpha_gemv/off.patch",
                "Says: One is missing.\nWhy: it starts at 1\nCaught by: A.B\n--- solution\n");
  }
  Docs docs() const {
    const Places places = tree_.places();
    return {places, read_exercises(places), Measured(places.root / "plan/measured")};
  }
  std::string filled(const std::string& text) const {
    return updated(docs(), "01_first/alpha_gemv.md", text);
  }
  std::string refusal(const std::string& text) const {
    try {
      return "nothing was refused: " + filled(text);
    } catch (const InputError& error) {
      return error.what();
    }
  }
  std::vector<std::string> complaints(const std::string& text) const {
    return page_complaints(docs(), "01_first/alpha_gemv.md", text);
  }
  /// A page that nothing is wrong with.
  std::string sound() const {
    std::string text = "# alpha_gemv: double a number\n";
    for (const std::string_view section : kPageSections) {
      text += fmt::format("\n## {}\n\n", section);
      if (section == "The picture") {
        text +=
            "![Two numbers beside each other, and an arrow to their "
            "sum](../pictures/alpha_gemv.svg)\n";
      } else if (section == "The code, annotated") {
        text += "<!-- code alpha_gemv_sum -->\n<!-- /code -->\n";
      } else if (section == "What goes wrong") {
        text += "<!-- mutants -->\n<!-- /mutants -->\n";
      } else if (section == "How to say it out loud") {
        text += "<!-- say -->\n<!-- /say -->\n";
      } else {
        text += "Words.\n";
      }
    }
    return filled(text);
  }
  static std::string with(std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  }
  ExerciseTree tree_;
};

TEST_F(Pages, GetTheirNumbersAndKeepTheirWords) {
  EXPECT_EQ(filled("It is <!--= C01 as 0.00 -->?<!--/--> and <!--=C01 as %-->old<!--/-->.\n"),
            "It is <!--= C01 as 0.00 -->0.50<!--/--> and <!--= C01 as % -->50 %<!--/-->.\n");
}

TEST_F(Pages, GetCodeMistakesAndSentences) {
  EXPECT_THAT(filled("<!-- code alpha_gemv_sum -->\nold\n<!-- /code -->\n"),
              AllOf(HasSubstr("<!-- code alpha_gemv_sum -->\n\n```cpp\n"),
                    HasSubstr("\n```\n\n<!-- /code -->\n"), Not(HasSubstr("old")),
                    Not(HasSubstr("SOLUTION"))));
  EXPECT_THAT(filled("<!-- mutants -->\n<!-- /mutants -->\n"),
              HasSubstr("- One is missing. *Why it is written: it starts at 1.*\n"));
  EXPECT_THAT(filled("<!-- say -->\n<!-- /say -->\n"),
              HasSubstr("<summary>\"Doubling is an addition of …\"</summary>\n\n\"Doubling is an "
                        "addition of x to x.\"\n"));
}

TEST_F(Pages, SayWhereTheirNumbersComeFromAndWhatIsNextToThem) {
  EXPECT_THAT(
      filled("<!--= C01 -->?<!--/-->\n\n<!-- numbers -->\n<!-- /numbers -->\n"),
      HasSubstr("- a Xeon, 2 threads, 2026-01-31: `./lab compare --json results.json`, kept in "
                "[xeon_2threads.json](../../plan/measured/xeon_2threads.json); claims C01.\n"));
  EXPECT_THAT(filled("<!-- steps -->\n<!-- /steps -->\n"),
              HasSubstr("Before: [The lab](../README.md) · Next: [alpha_gemv_warp: double a "
                        "number](alpha_gemv_warp.md)\n"));
  EXPECT_THAT(
      filled("<!-- exercises 02 -->\n<!-- /exercises -->\n"),
      HasSubstr("| 2.1 | [beta_sum](../02_second/beta_sum.md) | double a number (C++) | 10 min |"));
}

TEST_F(Pages, ShowTheVerdictsOfADeviceBesideTheReference) {
  using Json = nlohmann::json;
  const Json number = {{"value", 0.5}, {"low", 0.4}, {"high", 0.6}, {"unit", ""}};
  const auto run = [&](const Json& circumstances, const std::string& of_time) {
    const auto claim = [](const char* id, const char* says, const char* measure,
                          const std::string& verdict, const Json& measured) {
      return Json{{"id", id},
                  {"says", says},
                  {"holds", "< 0.9"},
                  {"measure", measure},
                  {"verdict", verdict},
                  {"measured", measured},
                  {"reason", measured.is_null() ? "nobody asked" : ""}};
    };
    Json json = {{"circumstances", circumstances}, {"claims", Json::array()}};
    json["claims"].push_back(claim("C10", "Fast.", "time(int8, M=1)", of_time, number));
    json["claims"].push_back(claim("C05", "Small.", "weight_bits(int8)", "held", number));
    json["claims"].push_back(
        claim("C63", "Serves.", "served(int8 here)", "not measured here", Json()));
    return json.dump();
  };
  const Json xeon = {{"cpu", "a Xeon"}, {"threads", 2}, {"date", "2026-01-31"}};
  Json gpu = xeon;
  gpu["device"] = "Made-up GPU";
  tree_.write("plan/measured/xeon_2threads.json", run(xeon, "held"));
  tree_.write("plan/measured/gpu.json", run(gpu, "did not hold here"));
  const std::string text = filled("<!-- verdicts gpu -->\n<!-- /verdicts -->\n");
  EXPECT_THAT(text, HasSubstr("0 held on the Made-up GPU, 1 did not, and 1 were not measured"));
  EXPECT_THAT(text, HasSubstr("| | The claim | holds | a Xeon | Made-up GPU |"));
  EXPECT_THAT(text, HasSubstr("| C10 | Fast. | < 0.9 | held: 0.5 (0.4 … 0.6) | "
                              "did not hold here: 0.5 (0.4 … 0.6) |"));
  EXPECT_THAT(text, HasSubstr("| not measured here: nobody asked |"));
  EXPECT_THAT(text, Not(HasSubstr("Small.")));
  EXPECT_THAT(refusal("<!-- verdicts nowhere -->\n<!-- /verdicts -->\n"),
              HasSubstr("plan/measured/nowhere.json is not there"));
}

TEST_F(Pages, ShowTheRungsOfAGpuWithWhatBoundsThem) {
  using Json = nlohmann::json;
  const auto row = [](const char* shape, const char* path, Json more) {
    more.update({{"operation", "w8a8_gemm"}, {"shape", shape}, {"path", path}});
    return more;
  };
  const auto timed = [](double seconds) {
    return Json{{"seconds", seconds}, {"of_read_bandwidth", 0.754}, {"flops_per_second", 1.482e15}};
  };
  Json ours = timed(4.916e-6);
  ours["times_peer"] = 1.349;
  const Json circumstances = {{"device", "Made-up GPU"}, {"date", "2026-01-31T10:00:00Z"}};
  Json times = {
      {"schema", "quantization-lab.gpu_bench"},
      {"circumstances", circumstances},
      {"table",
       {row("M = 1, N = 8", "v1_naive", ours), row("M = 1, N = 8", "peer", timed(4.05e-5)),
        row("M = 16, N = 8", "v9_other", timed(1))}}};
  tree_.write("plan/measured/gpu.json", times.dump());
  const std::string ladder = filled(
      "<!-- ladder gpu w8a8_gemm, M = 1, N = 8 -->\n<!-- /ladder -->\n"
      "\n<!-- numbers -->\n<!-- /numbers -->\n");
  EXPECT_THAT(
      ladder,
      HasSubstr("| Made-up GPU | µs | of the read bandwidth | TOP/s | of the peer's speed |\n"));
  EXPECT_THAT(ladder, HasSubstr("| v1_naive | 4.92 | 75 % | 1482 | 1.35 |\n"));
  EXPECT_THAT(ladder, HasSubstr("| peer | 40.5 | 75 % | 1482 | |\n"));
  EXPECT_THAT(ladder, Not(HasSubstr("v9_other")));
  EXPECT_THAT(ladder, HasSubstr("- Made-up GPU, 2026-01-31: `./lab bench --device cuda"))
      << "a page's tables are among its numbers";

  const auto counted = [](double memory, double tensor, double conflicts) {
    return Json{{"dram_read_bytes", 33.7e6},
                {"dram_percent", memory},
                {"tensor_percent", tensor},
                {"bank_conflicts", conflicts}};
  };
  Json loads = counted(65.03, 5.3, 13597);
  loads["sectors_a_request"] = 15.6;
  Json counters = {{"circumstances", circumstances},
                   {"table",
                    {row("M = 1", "v1", loads), row("M = 1", "v2", counted(61, 74, 33554505)),
                     row("M = 1", "v3", counted(59, 59, 12))}}};
  tree_.write("plan/measured/counters.json", counters.dump());
  const std::string seen =
      filled("<!-- counters counters w8a8_gemm, M = 1 -->\n<!-- /counters -->\n");
  EXPECT_THAT(seen, HasSubstr("| v1 | 33.7 MB | 65 % | 16 | 14 k | 5 % | memory |\n"));
  EXPECT_THAT(seen, HasSubstr("| v2 | 33.7 MB | 61 % | none | 33.6 M | 74 % | tensor cores |\n"));
  EXPECT_THAT(seen, HasSubstr("| v3 | 33.7 MB | 59 % | none | 12 | 59 % | neither |\n"));
  EXPECT_THAT(refusal("<!-- ladder gpu w8a8_gemm, M = 2 -->\n<!-- /ladder -->\n"),
              HasSubstr("plan/measured/gpu.json has no row of 'w8a8_gemm, M = 2'"));
}

TEST_F(Pages, StayTheSameWhenFilledTwice) {
  const std::string once = sound();
  EXPECT_EQ(filled(once), once);
}

TEST_F(Pages, NameTheLineOfWhatCannotBeFilled) {
  EXPECT_EQ(refusal("a\n<!--= C09 -->?<!--/-->\n"),
            "docs/01_first/alpha_gemv.md:2: [id=C09] is true of no element");
  EXPECT_THAT(refusal("<!-- code no_such -->\n<!-- /code -->\n"),
              HasSubstr(".md:1: no solution has a region [no_such]"));
  EXPECT_THAT(refusal("<!-- say -->\n"), HasSubstr("is never closed with '<!-- /say -->'"));
}

TEST_F(Pages, ThatAreSoundAreNotComplainedOf) { EXPECT_THAT(complaints(sound()), IsEmpty()); }

TEST_F(Pages, MustHaveEverySectionInOrder) {
  EXPECT_THAT(complaints(with(sound(), "## The bottleneck\n\nWords.\n\n", "")),
              Contains(HasSubstr("'The picture' where 'The bottleneck' belongs")));
  EXPECT_THAT(complaints(with(sound(), "## The bottleneck\n\nWords.\n", "## The bottleneck\n")),
              Contains(HasSubstr("the section above is empty")));
  const std::string text = sound();
  EXPECT_THAT(complaints(text.substr(0, text.rfind("## "))),
              Contains(HasSubstr("'Additional intuition and references' is missing")));
  EXPECT_THAT(complaints(with(sound(), "double a number", "halve a number")),
              Contains(HasSubstr(":1: must begin '# alpha_gemv: double a number'")));
}

TEST_F(Pages, MustShowEveryRegionAndTheirPicture) {
  EXPECT_THAT(complaints(with(sound(), "<!-- code alpha_gemv_sum -->", "<!-- cod -->")),
              Contains(HasSubstr("'<!-- code alpha_gemv_sum -->' must stand once")));
  EXPECT_THAT(complaints(with(sound(), "![", "[")), Contains(HasSubstr("does not show")));
  EXPECT_THAT(
      complaints(with(sound(), "Two numbers beside each other, and an arrow to their sum", "sum")),
      Contains(HasSubstr("too few words for somebody who cannot see it")));
  EXPECT_THAT(complaints(with(sound(), "<!-- mutants -->", "")),
              Contains(HasSubstr("'<!-- mutants -->' must stand once")));
  EXPECT_THAT(complaints(sound() + "<!--= C01 as 0.00 -->0.50<!--/-->\n"),
              Contains(HasSubstr("no '<!-- numbers -->'")));
}

TEST_F(Pages, MustLinkToWhatIsThereAndBeUpToDate) {
  EXPECT_THAT(complaints(sound() + "[a](no.md)\n"), Contains(HasSubstr("'no.md' leads nowhere")));
  EXPECT_THAT(complaints(sound() + "[a](../README.md#the-lab) [b](#the-picture)\n"), IsEmpty());
  EXPECT_THAT(complaints(sound() + "[a](../README.md#no)\n"),
              Contains(HasSubstr("has no such heading")));
  EXPECT_THAT(complaints(with(sound(), "One is missing.", "One is there.")),
              ElementsAre(HasSubstr("is out of date; ./lab docs --write")));
}

TEST_F(Pages, OfAllExercisesMustBeThere) {
  std::filesystem::remove(tree_.path("docs/02_second/beta_sum.md"));
  EXPECT_THAT(all_complaints(docs()), Contains("docs/02_second/beta_sum.md is missing"));
}

}  // namespace
}  // namespace qlab::test
