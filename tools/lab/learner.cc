// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where a learner is, and how to reach the person.
#include "lab/learner.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>

#include "lab/interrupt.h"
#include "lab/notes.h"
#include "model/input_error.h"

namespace qlab {
namespace {

/// A line from the terminal; nothing at its end or when a signal came.
std::optional<std::string> typed_line() {
  std::string line;
  for (char byte = 0; read(STDIN_FILENO, &byte, 1) == 1;) {
    if (byte == '\n') return line;
    line += byte;
  }
  return interrupted() ? throw Interrupted{} : std::optional<std::string>{};
}

}  // namespace

std::optional<bool> Learner::agrees(const std::string& question) const {
  const std::optional<std::string> line = ask(question + " [y/N] ");
  if (!line) return std::nullopt;
  return *line == "y" || *line == "Y" || *line == "yes";
}

std::size_t Learner::text_width() const {
  constexpr int kLeast = 20, kMost = 100;
  return static_cast<std::size_t>(std::clamp(terminal.width, kLeast, kMost));
}

const Exercise* Learner::current() const {
  const std::string noted = Notes(places, "seen").text("here", "exercise");
  for (const Exercise& exercise : all) {
    if (exercise.id == noted && known_verdict(places, exercise).state != State::kDone) {
      return &exercise;
    }
  }
  return next_open(places, all);
}

const Exercise& Learner::named_or_current(const std::string& typed) const {
  if (!typed.empty()) return find_exercise(all, typed);
  if (const Exercise* exercise = current()) return *exercise;
  throw InputError("every exercise is done; name the one that you mean (./lab list)");
}

Learner learner_here(const std::string& color, bool ascii, bool json) {
  Learner learner;
  learner.places = Places::of_this_program();
  learner.all = read_exercises(learner.places);
  learner.terminal = detect_terminal(json && color == "auto" ? "never" : color, ascii);
  learner.json = json;
  learner.write = [stream = json ? stderr : stdout](const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stream);
    std::fflush(stream);
  };
  const bool person = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0 && !json;
  learner.ask = [person, write = learner.write](const std::string& question) {
    if (!person) return std::optional<std::string>{};
    write(question);
    return typed_line();
  };
  return learner;
}

std::string state_name(State state) {
  std::string name(state_word(state));
  for (char& letter : name) {
    letter =
        letter == ' ' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return name;
}

bool has_gpu() {
  return std::filesystem::exists("/proc/driver/nvidia/version") ||
         std::filesystem::exists("/dev/dxg");  // WSL
}

std::string gpu_column(const Exercise& exercise) {
  if (!exercise.is_cuda()) return "-";
  return has_gpu() ? "not run" : "no GPU";
}

}  // namespace qlab
