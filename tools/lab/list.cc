// SPDX-License-Identifier: Apache-2.0
/// \file
/// ./lab list: every exercise and its state, without building anything.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "lab/commands.h"
#include "lab/fuzzy.h"
#include "lab/state_block.h"
#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {
namespace {

struct Row {
  const Exercise* exercise;
  Sheet sheet;
  Verdict verdict;
};

/// "03_int4_weight_only" as a heading: "03 INT4 weight only".
std::string module_title(const std::string& module) {
  std::string title, word;
  for (const char letter : module + "_") {
    if (letter != '_') {
      word += letter;
      continue;
    }
    // Names of formats hold a digit; of the other words in module names only this is short for more.
    const bool upper = word == "kv" || std::any_of(word.begin(), word.end(), [](unsigned char c) {
                         return std::isdigit(c) != 0;
                       });
    for (char& c : word) {
      if (upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    title += (title.empty() ? "" : " ") + word;
    word.clear();
  }
  return title;
}

/// Whether `typed` means the module: "3", "03", or part of its name.
bool is_module(const Exercise& exercise, const std::string& typed) {
  const std::string number = exercise.number.substr(0, exercise.number.find('.'));
  if (!typed.empty() && typed.find_first_not_of("0123456789") == std::string::npos) {
    return typed.substr(std::min(typed.find_first_not_of('0'), typed.size())) == number;
  }
  return exercise.module.find(typed) != std::string::npos;
}

std::vector<Row> rows_of(const Learner& learner, const ListOptions& options) {
  std::vector<Row> rows;
  std::vector<std::string> modules;
  for (const Exercise& exercise : learner.all) {
    modules.push_back(exercise.module);
    if (!is_module(exercise, options.module)) continue;
    rows.push_back({.exercise = &exercise,
                    .sheet = read_sheet(learner.places, exercise),
                    .verdict = known_verdict(learner.places, exercise)});
  }
  if (rows.empty() && !options.module.empty()) {
    const std::string nearest = nearest_name(options.module, modules);
    throw InputError(fmt::format("{} is not a module{}; all of them: ./lab list",
                                 printable(options.module),
                                 nearest.empty() ? "" : "; did you mean " + nearest + "?"));
  }
  return rows;
}

std::string lower(std::string_view word) {
  std::string text(word);
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// Columns that the table takes besides its titles: number, id, CPU, GPU, minutes, "<- next".
constexpr std::size_t kNumber = 6, kCpu = 17, kGpu = 9, kMinutes = 6, kNext = 9;

void print_table(const Learner& learner, const std::vector<Row>& rows) {
  std::size_t id = 0, title = 0;
  for (const Row& row : rows) {
    id = std::max(id, columns(row.exercise->id) + 2);
    title = std::max(title, columns(row.sheet.title) + 2);
  }
  // A title may be cut, a state or a number may not.
  const std::size_t others = 2 + kNumber + id + kCpu + kGpu + kMinutes + kNext;
  const std::size_t width = learner.text_width();
  title = width > others + 10 ? std::min(title, width - others) : 0;

  const Exercise* current = learner.current();
  std::string module;
  for (const Row& row : rows) {
    const Exercise& exercise = *row.exercise;
    if (exercise.module != module) {
      const std::string heading = padded(module_title(exercise.module), 2 + kNumber + id + title);
      learner.say(learner.terminal.styled(
          Style::kBold, heading + padded("CPU", kCpu) + padded("GPU", kGpu) + " about"));
      module = exercise.module;
    }
    std::string name = title == 0 ? "" : padded(row.sheet.title, title - 2) + "  ";
    learner.say(fmt::format(
        "  {}{}{}{}{}{}{}", padded(exercise.number, kNumber), padded(exercise.id, id), name,
        learner.terminal.styled(state_style(row.verdict.state),
                                padded(lower(state_word(row.verdict.state)), kCpu)),
        padded(gpu_column(exercise), kGpu), fmt::format("{:>2} min", row.sheet.minutes),
        &exercise == current ? "  <- next" : ""));
  }
}

void print_summary(const Learner& learner, const std::vector<Row>& rows) {
  std::ptrdiff_t done = 0, cuda = 0;
  for (const Row& row : rows) {
    done += row.verdict.state == State::kDone ? 1 : 0;
    cuda += row.exercise->is_cuda() ? 1 : 0;
  }
  learner.say(
      fmt::format("{} of {} done on the CPU{}", done, rows.size(),
                  has_gpu() ? "" : " (no GPU here: that is fine, the CPU column is the course)"));
  if (cuda > 0 && has_gpu()) {
    learner.say("./lab check runs CUDA exercises on the CPU; on a GPU ctest runs them");
  }
}

}  // namespace

int run_list(const Learner& learner, const ListOptions& options) {
  const std::vector<Row> rows = rows_of(learner, options);
  std::vector<Row> shown = rows;
  if (options.open) {
    std::erase_if(shown, [](const Row& row) { return row.verdict.state == State::kDone; });
  }
  print_table(learner, shown);
  print_summary(learner, rows);
  if (!learner.json) return kDone;
  nlohmann::json list = {{"schema", "qlab.exercises"}, {"version", 1}, {"exercises", {}}};
  list["exercises"] = nlohmann::json::array();
  for (const Row& row : shown) {
    nlohmann::json entry = verdict_json(*row.exercise, row.verdict);
    entry["title"] = row.sheet.title;
    entry["minutes"] = row.sheet.minutes;
    list["exercises"].push_back(entry);
  }
  fmt::print("{}\n", list.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  return kDone;
}

}  // namespace qlab
