// SPDX-License-Identifier: Apache-2.0
/// \file
/// ./lab solution, diff and docs: what we wrote. They print and never write.
#include <fmt/format.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <memory>
#include <regex>
#include <stdexcept>

#include "lab/commands.h"
#include "lab/page_text.h"
#include "lab/seen_hints.h"
#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {
namespace fs = std::filesystem;
namespace {

std::string quoted(const fs::path& path) {
  static const std::regex quote("'");
  return "'" + std::regex_replace(path.string(), quote, R"('\'')") + "'";
}

/// `diff -u` of the learner's file and ours; empty when they are the same.
std::string difference(const Learner& learner, const Exercise& exercise) {
  const Places& places = learner.places;
  const std::string command = fmt::format(
      "diff -u --color={} --label {} --label {} -- {} {}",
      learner.terminal.color ? "always" : "never", exercise.lab_file(), exercise.solution_file(),
      quoted(places.root / exercise.lab_file()), quoted(places.root / exercise.solution_file()));
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("diff cannot be started");
  std::string text;
  std::array<char, 4096> block;
  for (std::size_t got; (got = std::fread(block.data(), 1, block.size(), pipe)) > 0;) {
    text.append(block.data(), got);
  }
  const int status = pclose(pipe);
  // 0: the same, 1: they differ.
  if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) {
    throw InputError("diff failed; it comes with the package diffutils");
  }
  return text;
}

/// Whether to show the solution: at once when it is done or every hint was seen, else after asking.
bool may_show(const Learner& learner, const Exercise& exercise, bool yes) {
  const int left = kHintLevels - hints_seen(learner, exercise);
  if (yes || left == 0) return true;
  if (known_verdict(learner.places, exercise).state == State::kDone) return true;
  const std::optional<bool> agreed = learner.agrees(
      left == 1 ? "1 hint is left. Show it?" : fmt::format("{} hints are left. Show it?", left));
  if (!agreed) {
    throw InputError(
        fmt::format("hints are left and nobody is there to ask; ./lab solution {} --yes shows it",
                    exercise.id));
  }
  return *agreed;
}

}  // namespace

int run_solution(const Learner& learner, const SolutionOptions& options) {
  const Exercise& exercise = find_exercise(learner.all, options.id);
  if (!may_show(learner, exercise, options.yes)) return kDone;
  const auto solution = read_text(learner.places.root / exercise.solution_file());
  if (!solution) throw std::runtime_error(exercise.solution_file() + " cannot be read");
  if (!options.diff) {
    learner.write(learner.terminal.plain(*solution));
    return kDone;
  }
  if (!read_text(learner.places.root / exercise.lab_file())) {
    throw InputError(fmt::format("{} is gone; ./lab reset {} brings the stub back",
                                 exercise.lab_file(), exercise.id));
  }
  const std::string text = difference(learner, exercise);
  learner.write(text.empty() ? "They are the same, letter for letter.\n"
                             : learner.terminal.plain(text));
  return kDone;
}

int run_docs(const Learner& learner, const std::string& id, bool page) {
  const Exercise& exercise = learner.named_or_current(id);
  const bool done = known_verdict(learner.places, exercise).state == State::kDone;
  // The page shows our code, and ends the sentences.
  const std::string file = page || done ? exercise.page() : exercise.sheet();
  const auto markdown = read_text(learner.places.root / file);
  if (!markdown) throw std::runtime_error(file + " cannot be read");
  std::string text = page_text(*markdown, learner.text_width(), learner.terminal);
  if (!page && !done) {
    text += fmt::format("\nThe page with our code, before you are done: ./lab docs {} --page\n",
                        exercise.id);
  }
  learner.write(learner.terminal.plain(text));
  return kDone;
}

}  // namespace qlab
