// SPDX-License-Identifier: Apache-2.0
/// \file
/// ./lab watch: checks on each save, and does what keys say in between.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <ctime>
#include <memory>
#include <string_view>
#include <thread>

#include "lab/checking.h"
#include "lab/commands.h"
#include "lab/editor.h"
#include "lab/file_watch.h"
#include "lab/interrupt.h"
#include "lab/keys.h"
#include "lab/next.h"
#include "lab/predictions.h"
#include "lab/state_block.h"
#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {
namespace {

constexpr std::array<std::string_view, 9> kKeys = {
    "n next", "h hint", "l list", "d page", "s solution", "x reset", "r run", "e editor", "q quit"};
constexpr int kPollMilliseconds = 1000;

/// The keys in lines of at most `width` columns; a key stays with its word.
std::string key_lines(std::size_t width) {
  std::string text;
  std::size_t used = 0;
  for (const std::string_view key : kKeys) {
    const bool fits = used + 2 + key.size() <= width;
    if (used > 0) text += fits ? "  " : "\n";
    used = used > 0 && fits ? used + 2 + key.size() : key.size();
    text += key;
  }
  return text;
}

/// Two watches would start each other's checks. The lock goes with the process.
class WatchLock {
 public:
  explicit WatchLock(const Places& places) {
    const auto folder = places.root / ".lab";
    std::error_code ignored;
    std::filesystem::create_directories(folder, ignored);
    file_ = open((folder / "watch.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    // A tree that cannot be written is watched without a lock.
    if (file_ >= 0 && flock(file_, LOCK_EX | LOCK_NB) != 0) {
      close(file_);
      throw InputError("another ./lab watch runs in this folder; quit it first (q)");
    }
  }
  ~WatchLock() {
    if (file_ >= 0) close(file_);
  }
  WatchLock(const WatchLock&) = delete;
  WatchLock& operator=(const WatchLock&) = delete;

 private:
  int file_ = -1;
};

class Watch {
 public:
  Watch(const Learner& learner, const Exercise& exercise) : learner_(learner) {
    learner_.ask = [this, ask = learner.ask](const std::string& question) {
      keys_.restore();
      const auto line = ask(question);
      keys_.begin();
      return line;
    };
    go_to(exercise);
  }

  int run() {
    while (!quit_) {
      if (interrupted()) return leave(kInterrupted);
      if (run_) {
        check();
        continue;
      }
      show_keys();
      wait();
      if (take_terminal_change()) adapt();
      if (file_->changed()) run_ = true;
      if (const auto key = keys_.take(); key && !run_) press(*key);
      if (keys_.closed()) quit_ = true;
    }
    return leave(kDone);
  }

 private:
  /// Shows the exercise; one that was begun is checked at once.
  void go_to(const Exercise& exercise) {
    exercise_ = &exercise;
    note_here(learner_, exercise);
    file_ = std::make_unique<FileWatch>(learner_.places.root / exercise.lab_file());
    const Verdict verdict = known_verdict(learner_.places, exercise);
    run_ = verdict.state != State::kNotStarted;
    if (run_) return;
    std::string text = state_block(learner_, exercise, verdict) +
                       question_text(learner_, read_sheet(learner_.places, exercise));
    text.pop_back();
    say(text);
    ask_prediction(learner_, exercise);
  }

  void say(const std::string& text) {
    hide_keys();
    learner_.say(text);
  }

  /// Waits for a key, a change in the folder or a signal; a second at most.
  void wait() {
    pollfd sources[] = {{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                        {.fd = file_->descriptor(), .events = POLLIN, .revents = 0}};
    poll(sources, 2, kPollMilliseconds);
  }

  void check() {
    run_ = false;
    settle();
    say(fmt::format("\n{}", learner_.terminal.styled(Style::kDim, clock())));
    try {
      check_and_show(learner_, *exercise_, [this] { return stop_asked(); });
    } catch (const Interrupted&) {
      if (!quit_ && !interrupted()) learner_.say("Saved again: checking anew.");
    }
    while (keys_.take()) {  // typed during the run, for a screen that is gone
    }
  }

  /// Many editors empty a file before they write it: waits until it rests. What is on the disk then
  /// is what this run is about.
  void settle() {
    constexpr int kMostRounds = 10;
    constexpr std::chrono::milliseconds kRest{30};
    file_->changed();
    for (int round = 0; round < kMostRounds; ++round) {
      std::this_thread::sleep_for(kRest);
      if (!file_->changed()) return;
    }
  }

  bool stop_asked() {
    while (const auto key = keys_.take()) quit_ = quit_ || *key == 'q';
    if (file_->changed()) run_ = true;
    return quit_ || run_ || interrupted() || keys_.closed();
  }

  static std::string clock() {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
  }

  void press(char key) {
    if (std::string_view("nhldsxreq").find(key) == std::string_view::npos) return;
    hide_keys();
    try {
      act(key);
    } catch (const InputError& error) {
      learner_.say(error.what());  // a reason to say so, not to leave
    }
    std::fflush(stdout);
  }

  void act(char key) {
    const std::string& id = exercise_->id;
    switch (key) {
      case 'n':
        return next();
      case 'h':
        run_hint(learner_, id, 0);
        return;
      case 'l':
        run_list(learner_, {});
        return;
      case 'd':
        run_docs(learner_, id);
        return;
      case 's':
        run_solution(learner_, {.id = id, .diff = false, .yes = true});
        return;
      case 'x':
        run_reset(learner_, {.id = id, .all = false, .yes = false, .undo = false});
        return;
      case 'e':
        return edit();
      case 'r':
        run_ = true;
        return;
      case 'q':
        quit_ = true;
        return;
      default:
        return;
    }
  }

  void next() {
    const NextExercise next = next_exercise(learner_);
    if (next.exercise == nullptr) {
      learner_.say("Every exercise is done. Measure what they are about: ./lab compare");
      return;
    }
    if (next.left_open != nullptr) learner_.say(leaving_text(next));
    if (next.exercise != exercise_) go_to(*next.exercise);
  }

  void edit() {
    const auto path = learner_.places.root / exercise_->lab_file();
    const std::string command = editor_command();
    if (command.empty()) {
      learner_.say(fmt::format("Edit {}; $EDITOR names no editor to open it.", path.string()));
      return;
    }
    const std::vector<OpenTodo> open = open_todos(learner_.places, *exercise_);
    keys_.restore();
    const bool opened = open_editor(command, path, open.empty() ? 1 : open[0].line);
    keys_.begin();
    if (!opened) learner_.say(fmt::format("'{}' did not open {}.", command, path.string()));
  }

  /// The size changed, or another program had the terminal meanwhile.
  void adapt() {
    keys_.begin();
    const int width = detect_terminal("never", false).width;
    if (width == learner_.terminal.width) return;
    hide_keys();
    learner_.terminal.width = width;
  }

  void show_keys() {
    if (keys_shown_) return;
    std::string text = key_lines(learner_.text_width());
    const auto lines = static_cast<int>(lines_of(text).size());
    // On a terminal that cannot draw over it the line stays.
    if (!learner_.terminal.redraw) text += "\n";
    learner_.write("\n" + learner_.terminal.styled(Style::kDim, text));
    shown_lines_ = lines;
    keys_shown_ = true;
  }

  void hide_keys() {
    if (!keys_shown_) return;
    keys_shown_ = false;
    if (!learner_.terminal.redraw) return;
    learner_.write("\r\033[K");
    for (int line = 1; line < shown_lines_; ++line) learner_.write("\033[A\033[K");
  }

  int leave(int code) {
    hide_keys();
    return code;
  }

  Learner learner_;
  Keys keys_;
  const Exercise* exercise_ = nullptr;
  std::unique_ptr<FileWatch> file_;
  bool run_ = false, quit_ = false, keys_shown_ = false;
  int shown_lines_ = 1;
};

}  // namespace

int run_watch(const Learner& learner, const std::string& id) {
  const Exercise& exercise = learner.named_or_current(id);
  if (learner.json || isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) {
    learner.say("watch needs a terminal; checking once.");
    return run_check(learner, {.ids = {exercise.id}, .all = false});
  }
  const WatchLock lock(learner.places);
  Watch watch(learner, exercise);
  return watch.run();
}

}  // namespace qlab
