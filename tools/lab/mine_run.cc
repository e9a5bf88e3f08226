// SPDX-License-Identifier: Apache-2.0
/// \file
/// Finds what is finished, builds lab_mine with it, runs that, and says what became of it.
#include "lab/mine_run.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

#include "lab/build_run.h"
#include "lab/checking.h"
#include "lab/interrupt.h"
#include "lab/output_file.h"
#include "model/input_error.h"

extern char** environ;

namespace qlab {
namespace fs = std::filesystem;
namespace {

const MinePlace* place_of(const Exercise& exercise) {
  const auto* const found = std::ranges::find(kMinePlaces, exercise.id, &MinePlace::id);
  return found == std::end(kMinePlaces) ? nullptr : found;
}

/// Its state, from a check if none has seen the present file and no TODO is left in it.
State state_of(const Learner& learner, const Exercise& exercise) {
  const State known = known_verdict(learner.places, exercise).state;
  if (known != State::kInProgress || !open_todos(learner.places, exercise).empty()) return known;
  Doing doing(learner, exercise);
  return check_exercise(learner.places, exercise,
                        {.limit = learner.limit,
                         .doing = [&](const std::string& what) { doing.show(what); },
                         .stop = interrupted})
      .state;
}

fs::path archive(const Places& places, const Exercise& exercise) {
  return places.build / "exercises" / exercise.id / "libmine.a";
}

/// In a file that the compiler reads options from.
std::string quoted(const fs::path& path) {
  std::string text = "\"";
  for (const char c : path.string()) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

/// The linker's options that put `used` into lab_mine: whole, for only weak names ask for them.
std::string link_options(const Places& places, const std::vector<const Exercise*>& used) {
  std::string text = "-Wl,--whole-archive\n";
  for (const Exercise* exercise : used) text += quoted(archive(places, *exercise)) + "\n";
  return text + "-Wl,--no-whole-archive\n";
}

void build_lab_mine(const Learner& learner, const std::vector<const Exercise*>& used) {
  const Places& places = learner.places;
  Doing doing(learner, *used.back());
  CheckOptions options{.doing = [&](const std::string& what) { doing.show(what); },
                       .stop = interrupted};
  const BuildLock lock(places, options);
  doing.show("building the comparison");
  std::vector<std::string> targets;
  for (const Exercise* exercise : used) targets.push_back(exercise->target("mine"));
  Built built = build_targets(places, targets, "mine", options);
  if (built.complete) {
    OutputFile(places.build / "exercises" / "mine.rsp").commit(link_options(places, used));
    built = build_targets(places, {std::string(kLabMine)}, "mine", options);
  }
  if (built.complete) return;
  doing.clear();
  const bool twice = built.log.find("multiple definition") != std::string::npos;
  throw InputError(fmt::format(
      "your finished files do not build into the comparison{}; the compiler's words: {}",
      twice ? ": one name is defined twice, so put helpers into namespace { … }" : "",
      built.log_name));
}

/// Starts the program on our streams and waits for it. The wait status.
int run_program(const fs::path& program, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int error = posix_spawn(&child, argv[0], nullptr, nullptr, argv.data(), environ);
  if (error != 0) {
    throw std::runtime_error(
        fmt::format("{} cannot be started: {}", argv[0], std::generic_category().message(error)));
  }
  // A key that interrupts reaches both of us; other signals reach only us, and are passed on.
  int status = 0;
  bool passed_on = false;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "waiting for " + words[0]);
    }
    if (interrupted() && !passed_on) passed_on = kill(child, SIGTERM) == 0;
  }
  return status;
}

std::string ids_of(const std::vector<const Exercise*>& exercises) {
  std::string text;
  for (const Exercise* exercise : exercises) {
    text += (text.empty() ? "" : ", ") + exercise->id;
  }
  return text;
}

}  // namespace

MineUse mine_use(const Learner& learner, const Mine& mine) {
  MineUse use{.asked = true, .used = {}, .without_place = {}, .unfinished = {}};
  const bool linked[] = {mine.fp16_gemm != nullptr,  mine.w8a8_gemm != nullptr,
                         mine.w4a16_gemv != nullptr, mine.attention_decode != nullptr,
                         mine.schedule != nullptr,   mine.step_cost != nullptr};
  static_assert(std::size(linked) == std::size(kMinePlaces));
  for (std::size_t i = 0; i < std::size(linked); ++i) {
    if (linked[i]) use.used.emplace_back(kMinePlaces[i].id);
  }
  for (const Exercise& exercise : learner.all) {
    if (std::ranges::count(use.used, exercise.id) > 0) continue;
    const State state = known_verdict(learner.places, exercise).state;
    if (place_of(exercise) == nullptr) {
      if (state == State::kDone) use.without_place.push_back(exercise.id);
    } else if (state != State::kDone && state != State::kNotStarted) {
      std::string word(state_word(state));
      std::ranges::transform(word, word.begin(),
                             [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      use.unfinished.push_back(fmt::format("{} ({})", exercise.id, word));
    }
  }
  return use;
}

std::optional<int> run_with_mine(const Learner& learner,
                                 const std::vector<std::string>& arguments) {
  std::vector<const Exercise*> used;
  for (const Exercise& exercise : learner.all) {
    if (place_of(exercise) != nullptr && state_of(learner, exercise) == State::kDone) {
      used.push_back(&exercise);
    }
  }
  if (used.empty()) return std::nullopt;
  build_lab_mine(learner, used);
  const int status = run_program(learner.places.build / "exercises" / kLabMine, arguments);
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  const int signal = WTERMSIG(status);
  if (interrupted() || signal == SIGINT || signal == SIGTERM || signal == SIGHUP) {
    throw Interrupted{};
  }
  const bool bench = !arguments.empty() && arguments.front() == "bench";
  fmt::print(stderr,
             "\nlab: the {} crashed ({}) with your {} in it. Its problems are larger than those of "
             "the tests; {} ours alone are measured\n",
             bench ? "bench" : "comparison", strsignal(signal), ids_of(used),
             bench ? "with --ours" : "without --mine");
  return kNotDone;
}

}  // namespace qlab
