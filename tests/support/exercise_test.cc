// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of judge and pattern_of: that they fail when they should, and in which words.
#include "support/exercise.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "common/matrix.h"
#include "support/patterns.h"

namespace qlab::test {
namespace {

/// [rows, cols] whose values differ and do not repeat.
Matrix<double> distinct(std::int64_t rows, std::int64_t cols) {
  Matrix<double> m(rows, cols);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) m(r, c) = static_cast<double>(7 * r * r + 3 * c + 1);
  }
  return m;
}

template <class Value>
Matrix<float> output(std::int64_t rows, std::int64_t cols, const Value& value) {
  Matrix<float> m(rows, cols);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) m(r, c) = static_cast<float>(value(r, c));
  }
  return m;
}

struct Planted {
  std::string says;
  std::function<double(const Matrix<double>&, std::int64_t r, std::int64_t c)> got;
};

TEST(Patterns, NamesWhatTheWrongValuesHaveInCommon) {
  const std::vector<Planted> planted = {
      {"it is the expected matrix, transposed", [](auto& m, auto r, auto c) { return m(c, r); }},
      {"the columns of each pair are swapped", [](auto& m, auto r, auto c) { return m(r, c ^ 1); }},
      {"wrong rows r hold what belongs in row r - 8",
       [](auto& m, auto r, auto c) { return m(r < 8 ? r : r - 8, c); }},
      {"wrong columns c hold what belongs in column c + 1",
       [](auto& m, auto r, auto c) { return m(r, c < 15 ? c + 1 : c); }},
      {"every wrong value has the other sign", [](auto& m, auto r, auto c) { return -m(r, c); }},
      {"every wrong value is 2 times the expected one",
       [](auto& m, auto r, auto c) { return r > 3 ? 2 * m(r, c) : m(r, c); }},
      {"", [](auto&, auto, auto) { return 0.0; }},
      {"", [](auto& m, auto r, auto c) { return m(r, c) + (r == 1 && c == 1 ? 100 : 0); }},
  };
  const Matrix<double> expected = distinct(16, 16);
  for (const Planted& one : planted) {
    const Matrix<float> got =
        output(16, 16, [&](auto r, auto c) { return one.got(expected, r, c); });
    EXPECT_EQ(pattern_of(got.view(), expected.view()), one.says);
  }
}

TEST(Patterns, NamesNothingWhereAConstantWouldFit) {
  Matrix<double> expected(4, 4);
  const Matrix<float> got = output(4, 4, [](auto, auto) { return 2.0; });
  for (std::int64_t r = 0; r < 4; ++r) {
    for (std::int64_t c = 0; c < 4; ++c) expected(r, c) = 1;
  }
  EXPECT_EQ(pattern_of(got.view(), expected.view()), "");
}

TEST(Judge, IsSilentWhereAllIsRight) {
  const Matrix<double> expected = distinct(2, 3);
  const Matrix<float> got = output(2, 3, [&](auto r, auto c) { return expected(r, c); });
  judge({.name = "fine"}, got.view(), expected.view(), exactly());
}

/// What judge says of one wrong element; static, because gtest-spi's macros take no locals.
std::string judged_wrong(const Case& described) {
  const Matrix<double> expected = distinct(2, 3);
  Matrix<float> got = output(2, 3, [&](auto r, auto c) { return expected(r, c); });
  got(1, 2) = 99;
  testing::TestPartResultArray failures;
  {
    const testing::ScopedFakeTestPartResultReporter catches(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
    judge(described, got.view(), expected.view(), exactly());
  }
  return failures.size() == 1 ? failures.GetTestPartResult(0).message() : "";
}

TEST(Judge, SaysWhichCaseWhereAndWhatBelongsThere) {
  EXPECT_THAT(
      judged_wrong({.name = "\"tail\": N=2 K=3"}),
      testing::AllOf(testing::HasSubstr("case \"tail\": N=2 K=3\nfirst bad: [1, 2] of [2, 3]"),
                     testing::HasSubstr("expected   14\ngot        99\nallowed    no"),
                     testing::HasSubstr("1 of 6 values wrong")));
}

TEST(Judge, SpeaksInTheWordsOfTheCase) {
  const std::string text =
      judged_wrong({.name = "codes",
                    .place = [](auto r, auto c) { return "x" + std::to_string(10 * r + c); },
                    .value = [](double v) { return "code " + std::to_string(int(v)); }});
  EXPECT_THAT(text, testing::HasSubstr("first bad: x12\nexpected   code 14\ngot        code 99"));
}

TEST(Judge, SeesAWriteOutsideOfARightOutput) {
  const Matrix<double> expected = distinct(2, 3);
  Guarded<float> got(2, 3);
  for (std::int64_t r = 0; r < 2; ++r) {
    for (std::int64_t c = 0; c < 3; ++c) got.view()(r, c) = static_cast<float>(expected(r, c));
  }
  got.view()(1, 3) = 0;  // one past the row
  testing::TestPartResultArray failures;
  {
    const testing::ScopedFakeTestPartResultReporter catches(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
    judge({.name = "right"}, got, expected.view(), exactly());
  }
  ASSERT_EQ(failures.size(), 1);
  EXPECT_THAT(failures.GetTestPartResult(0).message(), testing::HasSubstr("past the end of"));
}

TEST(Judge, KeepsTheOutputForTheDiagnosis) {
  const std::filesystem::path folder = testing::TempDir();
  setenv("LAB_DUMP", folder.c_str(), 1);
  const Matrix<double> expected = distinct(2, 3);
  const Matrix<float> got = output(2, 3, [&](auto r, auto c) { return expected(r, c); });
  judge({.name = "kept"}, got.view(), expected.view(), exactly());
  unsetenv("LAB_DUMP");
  const std::filesystem::path kept = folder / "Judge.KeepsTheOutputForTheDiagnosis.0.dump";
  std::ifstream file(kept, std::ios::binary);
  std::int64_t sides[2] = {};
  double values[18] = {};
  file.read(reinterpret_cast<char*>(sides), sizeof sides);
  file.read(reinterpret_cast<char*>(values), sizeof values);
  ASSERT_TRUE(file);
  EXPECT_EQ(sides[0], 2);
  EXPECT_EQ(sides[1], 3);
  EXPECT_EQ(values[5], expected(1, 2));      // got
  EXPECT_EQ(values[6 + 5], expected(1, 2));  // expected
  EXPECT_EQ(values[12 + 5], 0);              // allowed
  std::filesystem::remove(kept);
}

}  // namespace
}  // namespace qlab::test
