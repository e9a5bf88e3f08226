// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sets a program's environment up so that what it leaves behind tells what happened.
#include "lab/variant_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "lab/text.h"

namespace qlab {
namespace fs = std::filesystem;
namespace {

/// A new folder for one run: no report of another run can be taken for its own.
class RunFolder {
 public:
  explicit RunFolder(const fs::path& parent) {
    std::string name = parent / "run.XXXXXX";
    if (mkdtemp(name.data()) == nullptr) {
      throw std::system_error(errno, std::generic_category(),
                              "cannot make a folder in " + parent.string());
    }
    path_ = name;
  }
  ~RunFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  fs::path operator/(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

/// Told by the program itself, which a whole build may have sanitized as well.
bool is_sanitized(const fs::path& program) {
  const std::string text = read_text(program).value_or("");
  return text.find("__asan_init") != std::string::npos ||
         text.find("__tsan_init") != std::string::npos;
}

ChildOptions child_options(const fs::path& program, const VariantOptions& options) {
  return {.environment = {{"GTEST_*", std::nullopt},  // a filter of the caller's
                          {"TEST_*", std::nullopt},
                          {"TESTBRIDGE_*", std::nullopt},
                          {"ASAN_OPTIONS", "detect_leaks=0:hard_rss_limit_mb=4096"},
                          {"UBSAN_OPTIONS", "print_stacktrace=1"}},
          .limit = options.limit,
          .limit_memory = !is_sanitized(program),
          .stop = options.stop};
}

}  // namespace

VariantRun run_variant(const fs::path& program, const VariantOptions& options) {
  const fs::path path = fs::absolute(program);
  const RunFolder folder(path.parent_path());
  const fs::path report = folder / "report.json", begun = folder / "begun", dumps = folder / "dump";
  fs::create_directory(dumps);
  ChildOptions child = child_options(path, options);
  child.folder = folder / "";
  child.environment["TEST_PREMATURE_EXIT_FILE"] = begun;
  child.environment["LAB_DUMP"] = dumps;
  if (options.seed) child.environment["LAB_SEED"] = std::to_string(*options.seed);
  std::vector<std::string> command = {path, "--gtest_color=no",
                                      "--gtest_output=json:" + report.string()};
  if (!options.tests.empty()) {
    command.push_back(fmt::format("--gtest_filter={}", fmt::join(options.tests, ":")));
  }

  VariantRun run{.child = run_child(command, child), .report = std::nullopt};
  run.report = read_gtest_report(read_text(report).value_or(""));
  run.ended_early = !run.report || fs::exists(begun);
  if (!options.dumps.empty()) {
    fs::remove_all(options.dumps);
    fs::rename(dumps, options.dumps);
  }
  return run;
}

std::vector<std::string> list_tests(const fs::path& program, const std::function<bool()>& stop) {
  const fs::path path = fs::absolute(program);
  const ChildResult result =
      run_child({path, "--gtest_list_tests"}, child_options(path, {.stop = stop}));
  if (result.end != ChildResult::End::kExited || result.code != 0) return {};
  return listed_tests(result.output);
}

}  // namespace qlab
