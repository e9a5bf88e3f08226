// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runs ctest, follows its lines for the progress, and believes only its report file.
#include "lab/selftest.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "common/thread_pool.h"

extern char** environ;

namespace qlab {
namespace {

namespace fs = std::filesystem;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

/// A program whose standard output and error are read through `output`.
struct Child {
  pid_t pid;
  File output;
};

Child start(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);

  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  Child child{};
  const int error =
      posix_spawnp(&child.pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  child.output.reset(fdopen(ends[0], "r"));
  if (error != 0) throw std::system_error(error, std::generic_category(), command[0]);
  return child;
}

/// "12/40 Test #3: Suite.Name ....***Timeout  5.00 sec" says how a test ended; the report does not.
using Endings = std::map<std::string, std::string>;

void note_ending(std::string_view line, Endings& endings) {
  const std::size_t name = line.find(": ");
  const std::size_t stars = line.find("***");
  if (name == std::string_view::npos || stars == std::string_view::npos) return;
  const std::size_t dots = line.find(" .", name);
  const std::string_view ending = line.substr(stars + 3, line.find("  ", stars) - stars - 3);
  endings[std::string(line.substr(name + 2, dots - name - 2))] = ending;
}

/// Copies the lines of ctest to the log; a finished test moves the progress on.
Endings follow(std::FILE* lines, std::FILE* log, const Terminal& terminal) {
  Endings endings;
  std::unique_ptr<Progress> progress;
  std::array<char, 4096> line;
  while (std::fgets(line.data(), static_cast<int>(line.size()), lines) != nullptr) {
    std::fputs(line.data(), log);
    int done = 0;
    int total = 0;
    if (std::sscanf(line.data(), " %d/%d Test", &done, &total) != 2 || total < 1) continue;
    note_ending(line.data(), endings);
    if (!progress) progress = std::make_unique<Progress>(terminal, total);
    progress->show(done, fmt::format("{} of {} tests", done, total));
  }
  return endings;
}

std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

/// What the report says of each test; nothing without a report.
std::vector<TestResult> read_report(const fs::path& report, const Endings& endings) {
  if (!fs::exists(report)) return {};
  std::vector<TestResult> results = read_junit(contents(report));
  for (TestResult& test : results) {
    if (const auto known = endings.find(test.name); known != endings.end()) {
      test.ending = known->second;
    }
  }
  return results;
}

std::vector<std::string> ctest_command(const SelftestOptions& options, const fs::path& build,
                                       const fs::path& report) {
  std::vector<std::string> command = {
      QLAB_CTEST, "--test-dir", build.string(), "--no-tests=error", "--output-on-failure",
      "--output-junit", report.string(), "--parallel", std::to_string(available_threads()),
      // Room for the reason of a skip, which ctest counts among the passed.
      "--test-output-size-passed", "8192"};
  // A learner's edits make labs/ differ from the stubs; that is what it is for.
  const char* const left_out = options.slow ? "^drift$" : "^(slow|drift)$";
  command.insert(command.end(), {"--label-exclude", left_out});
  return command;
}

/// Skips by reason, because one reason (no GPU) often stands for many tests.
std::string skips(const std::vector<TestResult>& results) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const TestResult& test : results) {
    if (test.end == TestResult::End::kSkipped) {
      by_reason[skip_reason(test.output)].push_back(test.name);
    }
  }
  std::string text;
  for (const auto& [reason, names] : by_reason) {
    constexpr std::size_t kNamed = 5;
    text += fmt::format("SKIPPED ({})\n", reason);
    for (std::size_t i = 0; i < std::min(names.size(), kNamed); ++i) {
      text += fmt::format("    {}\n", names[i]);
    }
    if (names.size() > kNamed) text += fmt::format("    and {} more\n", names.size() - kNamed);
  }
  return text;
}

bool all_is_well(const std::vector<TestResult>& results) {
  const auto ended = [&](TestResult::End end) {
    return std::ranges::any_of(results, [&](const TestResult& test) { return test.end == end; });
  };
  return ended(TestResult::End::kPassed) && !ended(TestResult::End::kFailed);
}

}  // namespace

std::string selftest_report(const std::vector<TestResult>& results, const std::string& log) {
  constexpr int kExcerptLines = 8;
  std::map<TestResult::End, int> count;
  std::string text;
  for (const TestResult& test : results) {
    ++count[test.end];
    if (test.end != TestResult::End::kFailed) continue;
    text += fmt::format("FAILED  {} ({})\n{}", test.name, test.ending,
                        failure_excerpt(test.output, kExcerptLines));
  }
  if (!text.empty()) text += fmt::format("All of it: {}\n", log);
  text += skips(results);
  return text + fmt::format("{} passed, {} failed, {} skipped\n", count[TestResult::End::kPassed],
                            count[TestResult::End::kFailed], count[TestResult::End::kSkipped]);
}

int run_selftest(const SelftestOptions& options, const Terminal& terminal) {
  const fs::path build = options.build.empty() ? QLAB_BUILD_DIR : fs::absolute(options.build);
  const fs::path report = build / "selftest.xml";
  const fs::path log = build / "selftest.txt";
  fs::remove(report);  // an old one must not answer for this run
  if (options.seed) setenv("LAB_SEED", std::to_string(*options.seed).c_str(), 1);

  const File log_file(std::fopen(log.c_str(), "w"));
  if (!log_file) throw std::system_error(errno, std::generic_category(), log.string());
  const Child ctest = start(ctest_command(options, build, report));
  const Endings endings = follow(ctest.output.get(), log_file.get(), terminal);
  int status = 0;
  waitpid(ctest.pid, &status, 0);

  const std::vector<TestResult> results = read_report(report, endings);
  fmt::print("{}", selftest_report(results, log.string()));
  const bool ctest_agrees = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (results.empty()) {
    fmt::print(stderr, "lab: selftest: there is no test in {}; see {}\n", build.string(),
               log.string());
  } else if (all_is_well(results) && !ctest_agrees) {
    fmt::print(stderr, "lab: selftest: ctest itself failed; see {}\n", log.string());
  }
  return all_is_well(results) && ctest_agrees ? 0 : 3;
}

}  // namespace qlab
