// SPDX-License-Identifier: Apache-2.0
/// \file
/// Words and keeps what a learner's code computed; see exercise.h.
#include "support/exercise.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "support/patterns.h"

namespace qlab::test {
namespace {

/// "Suite.Test.0", "Suite.Test.1", …: the outputs of a test in their order.
std::string dump_name() {
  static std::map<std::string, int> next;
  const testing::TestInfo* const test = testing::UnitTest::GetInstance()->current_test_info();
  const std::string name = std::string(test->test_suite_name()) + "." + test->name();
  std::string file = name + "." + std::to_string(next[name]++) + ".dump";
  for (char& c : file) c = c == '/' ? '_' : c;  // Suite.Test/0 of a parameterized test
  return file;
}

void dump(MatrixView<const float> got, MatrixView<const double> expected,
          const Tolerance& tolerance) {
  const char* const folder = std::getenv("LAB_DUMP");
  if (folder == nullptr || *folder == '\0') return;
  std::ofstream file(std::string(folder) + "/" + dump_name(), std::ios::binary);
  const auto put = [&](auto value) {
    file.write(reinterpret_cast<const char*>(&value), sizeof value);
  };
  put(got.rows());
  put(got.cols());
  const auto put_all = [&](const auto& element) {
    for (std::int64_t r = 0; r < got.rows(); ++r) {
      for (std::int64_t c = 0; c < got.cols(); ++c) put(static_cast<double>(element(r, c)));
    }
  };
  put_all(got);
  put_all(expected);
  put_all(tolerance);
  if (!file.flush()) ADD_FAILURE() << "the output cannot be kept in " << folder;
}

std::string first_bad(const Case& described, const Comparison& c) {
  const auto word = [&](double value) {
    if (described.value) return described.value(value);
    std::ostringstream number;
    number.precision(9);
    number << value;
    return number.str();
  };
  std::ostringstream out;
  out << "first bad: ";
  if (described.place) {
    out << described.place(c.row, c.col);
  } else {
    out << "[" << c.row << ", " << c.col << "] of [" << c.rows << ", " << c.cols << "]";
  }
  out << "\nexpected   " << word(c.expected) << "\ngot        ";
  out << (std::isnan(c.got) && !described.value ? "NaN" : word(c.got));
  if (c.allowed > 0) {
    out << "\noff by     " << std::abs(c.got - c.expected) << ", allowed " << c.allowed;
  } else {
    out << "\nallowed    no difference: this case is exact in every order";
  }
  return out.str();
}

}  // namespace

void judge(const Case& described, MatrixView<const float> got, MatrixView<const double> expected,
           const Tolerance& tolerance, const char* file, int line) {
  dump(got, expected, tolerance);
  const Comparison comparison = compare(got, expected, tolerance);
  if (comparison.wrong == 0) return;
  std::ostringstream text;
  text << first_bad(described, comparison) << "\n";
  const std::string summary = describe(comparison);  // its last line counts and says where
  text << summary.substr(summary.rfind('\n') + 1);
  const std::string pattern = pattern_of(got, expected);
  if (!pattern.empty()) text << "; " << pattern;
  reject(described.name, text.str(), file, line);
}

void judge(const Case& described, const Guarded<float>& got, MatrixView<const double> expected,
           const Tolerance& tolerance, const char* file, int line) {
  judge(described, got.view(), expected, tolerance, file, line);
  const testing::AssertionResult outside = got.untouched_outside();
  if (!outside) reject(described.name, outside.message(), file, line);
}

void reject(const std::string& case_name, const std::string& text, const char* file, int line) {
  ADD_FAILURE_AT(file, line) << "case " << case_name << "\n" << text;
}

}  // namespace qlab::test
