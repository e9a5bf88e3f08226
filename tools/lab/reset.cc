// SPDX-License-Identifier: Apache-2.0
/// \file
/// ./lab reset: the stub again, never without a copy of what was there.
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <system_error>

#include "lab/commands.h"
#include "lab/kept.h"
#include "lab/output_file.h"
#include "lab/stub.h"
#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {
namespace {

std::string stub_of(const Learner& learner, const Exercise& exercise) {
  const auto solution = read_text(learner.places.root / exercise.solution_file());
  if (!solution) throw std::runtime_error(exercise.solution_file() + " cannot be read");
  return make_stub(*solution, exercise.id);
}

/// How many lines of `mine` are not, in this order, in `other`.
std::size_t own_lines(const std::string& mine, const std::string& other) {
  const std::vector<std::string> a = lines_of(mine), b = lines_of(other);
  std::vector<std::size_t> before(b.size() + 1), now(b.size() + 1);  // of the common subsequence
  for (const std::string& line : a) {
    for (std::size_t j = 0; j < b.size(); ++j) {
      now[j + 1] = line == b[j] ? before[j] + 1 : std::max(before[j + 1], now[j]);
    }
    before = now;
  }
  return a.size() - before.back();
}

void write_lab_file(const Learner& learner, const Exercise& exercise, const std::string& text) {
  const auto path = learner.places.root / exercise.lab_file();
  std::error_code ignored;  // OutputFile names the folder that cannot be written
  std::filesystem::create_directories(path.parent_path(), ignored);
  OutputFile(path).commit(text);
}

int undo(const Learner& learner, const Exercise& exercise) {
  const std::filesystem::path copy = newest_kept(learner.places, exercise);
  if (copy.empty()) {
    throw InputError(fmt::format("no copy of {} was kept in .lab/kept", exercise.lab_file()));
  }
  const auto text = read_text(copy);
  if (!text) throw InputError(fmt::format("{} cannot be read", copy.string()));
  const auto present = read_text(learner.places.root / exercise.lab_file());
  if (present) {
    learner.say(fmt::format("Kept the present file as {}", keep(learner.places, exercise)));
  }
  write_lab_file(learner, exercise, *text);
  learner.say(fmt::format("{} is again what {} holds; reload the file in your editor.",
                          exercise.lab_file(), kept_name(learner.places, copy)));
  return kDone;
}

/// Keeps a copy and writes the stub; a file that holds it already stays as it is.
void restore(const Learner& learner, const Exercise& exercise, const std::string& stub) {
  const auto present = read_text(learner.places.root / exercise.lab_file());
  if (present == stub) return;
  if (present) learner.say(fmt::format("Kept {}", keep(learner.places, exercise)));
  write_lab_file(learner, exercise, stub);
  learner.say(
      fmt::format("{} is the stub again; reload the file in your editor. Back: ./lab reset "
                  "{} --undo",
                  exercise.lab_file(), exercise.id));
}

int reset_all(const Learner& learner) {
  std::size_t changed = 0;
  for (const Exercise& exercise : learner.all) {
    const auto present = read_text(learner.places.root / exercise.lab_file());
    changed += present == stub_of(learner, exercise) ? 0 : 1;
  }
  if (changed == 0) {
    learner.say("Every file is its stub already.");
    return kDone;
  }
  const auto line = learner.ask(fmt::format(
      "{} of {} files differ from their stubs. Copies are kept. Type all to reset them: ", changed,
      learner.all.size()));
  if (!line) throw InputError("reset --all asks first, and here nobody can answer");
  if (*line != "all") {
    learner.say("Nothing was changed.");
    return kDone;
  }
  for (const Exercise& exercise : learner.all) {
    restore(learner, exercise, stub_of(learner, exercise));
  }
  return kDone;
}

}  // namespace

int run_reset(const Learner& learner, const ResetOptions& options) {
  if (options.all) {
    if (!options.id.empty() || options.undo) throw InputError("reset --all takes no id, no --undo");
    return reset_all(learner);
  }
  if (options.id.empty()) throw InputError("reset needs the id of an exercise (./lab list)");
  const Exercise& exercise = find_exercise(learner.all, options.id);
  if (options.undo) return undo(learner, exercise);

  const std::string stub = stub_of(learner, exercise);
  const auto present = read_text(learner.places.root / exercise.lab_file());
  if (present == stub) {
    learner.say(fmt::format("{} is the stub already.", exercise.lab_file()));
    return kDone;
  }
  if (present && !options.yes) {
    const std::size_t lines = own_lines(*present, stub);
    const std::optional<bool> agreed = learner.agrees(fmt::format(
        "{} line{} of {} {} not in the stub. Keep a copy in .lab/kept, then write the stub?", lines,
        lines == 1 ? "" : "s", exercise.lab_file(), lines == 1 ? "is" : "are"));
    if (!agreed) {
      throw InputError(fmt::format(
          "reset asks first, and here nobody can answer; ./lab reset {} --yes does not ask",
          exercise.id));
    }
    if (!*agreed) {
      learner.say("Nothing was changed.");
      return kDone;
    }
  }
  restore(learner, exercise, stub);
  return kDone;
}

}  // namespace qlab
