// SPDX-License-Identifier: Apache-2.0
/// \file
/// Calls cmake --build with an environment in which compilers speak as first_error reads.
#include "lab/build_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <thread>

#include "common/thread_pool.h"
#include "lab/child.h"
#include "model/input_error.h"

namespace qlab {
namespace fs = std::filesystem;
namespace {

constexpr auto kLongBuild = std::chrono::minutes(30);

std::vector<std::string> build_command(const Places& places,
                                       const std::vector<std::string>& targets, bool keep_going) {
  std::vector<std::string> command = {
      "cmake",   "--build", places.build, "--parallel", std::to_string(available_threads()),
      "--target"};
  command.insert(command.end(), targets.begin(), targets.end());
  if (keep_going) {
    const bool ninja = fs::exists(places.build / "build.ninja");
    command.insert(command.end(), {"--", ninja ? "-k0" : "-k"});
  }
  return command;
}

fs::path log_path(const Places& places, const std::string& name) {
  return (places.build / ".." / "log" / (name + ".txt")).lexically_normal();
}

}  // namespace

BuildLock::BuildLock(const Places& places, const CheckOptions& options) {
  const fs::path path = places.root / "build" / ".lock";
  std::error_code ignored;
  fs::create_directories(path.parent_path(), ignored);
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file_ < 0) {
    throw InputError(fmt::format("{} cannot be written ({}); the lab builds there",
                                 path.parent_path().string(),
                                 std::generic_category().message(errno)));
  }
  bool told = false;
  while (flock(file_, LOCK_EX | LOCK_NB) != 0) {
    if (!told && options.doing) options.doing("waiting for another ./lab that builds here");
    told = true;
    if (options.stop && options.stop()) {
      close(file_);
      throw Interrupted{};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

BuildLock::~BuildLock() { close(file_); }

Built build_targets(const Places& places, const std::vector<std::string>& targets,
                    const std::string& name, const CheckOptions& options, bool keep_going) {
  const ChildResult result =
      run_child(build_command(places, targets, keep_going),
                {.folder = places.root,
                 .environment = {{"LC_ALL", "C"},  // English, and quotes in ASCII
                                 {"LANGUAGE", std::nullopt},
                                 {"CLICOLOR_FORCE", std::nullopt},
                                 {"GCC_COLORS", std::nullopt},
                                 {"MAKEFLAGS", std::nullopt},
                                 {"MAKELEVEL", std::nullopt}},
                 .limit = kLongBuild,
                 .limit_memory = false,
                 .stop = options.stop,
                 .gentle = true});
  if (result.end == ChildResult::End::kStopped) throw Interrupted{};
  const fs::path log = log_path(places, name);
  std::error_code ignored;
  fs::create_directories(log.parent_path(), ignored);
  std::ofstream(log, std::ios::binary) << result.output;
  Built built{.complete = result.end == ChildResult::End::kExited && result.code == 0,
              .log = result.output,
              .log_name = log.lexically_relative(places.root)};
  if (result.end == ChildResult::End::kNotStarted) {
    built.log = "error: cmake cannot be started; ./lab doctor says what is missing\n";
  }
  return built;
}

}  // namespace qlab
