// SPDX-License-Identifier: Apache-2.0
/// \file
/// fork and exec with limits; reads the output so that the child never waits for it.
#include "lab/child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

extern char** environ;

namespace qlab {
namespace {

using Clock = std::chrono::steady_clock;
using End = ChildResult::End;

constexpr rlim_t kMemory = rlim_t{4} << 30;
constexpr rlim_t kFile = rlim_t{1} << 30;
constexpr std::size_t kKept = std::size_t{1} << 19;  // of the output's begin, and of its end
constexpr auto kGrace = std::chrono::seconds(2);     // for a child that is asked to end

/// Both ends of a pipe, closed with their owner.
class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) {
      throw std::system_error(errno, std::generic_category(), "pipe");
    }
    fcntl(ends_[0], F_SETFL, O_NONBLOCK);
  }
  ~Pipe() {
    close(ends_[0]);
    close_write();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void close_write() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

/// Strings as exec takes them.
class Words {
 public:
  explicit Words(std::vector<std::string> words) : words_(std::move(words)) {
    for (std::string& word : words_) pointers_.push_back(word.data());
    pointers_.push_back(nullptr);
  }
  Words(const Words&) = delete;
  Words& operator=(const Words&) = delete;
  char* const* get() const { return pointers_.data(); }

 private:
  std::vector<std::string> words_;
  std::vector<char*> pointers_;
};

bool names(const std::string& pattern, std::string_view variable) {
  if (!pattern.ends_with('*')) return variable == pattern;
  return variable.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1));
}

std::vector<std::string> environment_of(const ChildOptions& options) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view variable = text.substr(0, text.find('='));
    bool replaced = false;
    for (const auto& [pattern, value] : options.environment) {
      replaced = replaced || names(pattern, variable);
    }
    if (!replaced) result.emplace_back(text);
  }
  for (const auto& [variable, value] : options.environment) {
    if (value) result.push_back(variable + "=" + *value);
  }
  return result;
}

/// The begin and the end of what a program writes: the begin says what it was doing, the end what it
/// died of.
class Output {
 public:
  void add(std::string_view text) {
    const std::size_t room = std::min(kKept - begin_.size(), text.size());
    begin_ += text.substr(0, room);
    end_ += text.substr(room);
    if (end_.size() > 2 * kKept) cut();
  }
  std::string text() && {
    if (end_.size() > kKept) cut();
    return dropped_ ? begin_ + "\n…\n" + end_ : begin_ + end_;
  }

 private:
  void cut() {
    end_.erase(0, end_.size() - kKept);
    dropped_ = true;
  }
  std::string begin_, end_;
  bool dropped_ = false;
};

/// One running child; its group dies with this object.
class Child {
 public:
  Child(const std::vector<std::string>& command, const ChildOptions& options)
      : options_(options), arguments_(command), environment_(environment_of(options)) {
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ == 0) become_program(parent);
    if (pid_ < 0) start_error_ = errno;
    if (pid_ > 0) setpgid(pid_, pid_);  // here as well: whoever comes first, kill() finds the group
    output_.close_write();
    error_.close_write();
  }

  ~Child() {
    if (pid_ > 0) end_group();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  ChildResult wait() {
    if (pid_ < 0) return finish(End::kNotStarted, start_error_);
    for (;;) {
      read_output();
      if (ended()) return reap();
      if (options_.stop && options_.stop()) return stop();
      if (Clock::now() - start_ > options_.limit) return killed(End::kTimedOut);
    }
  }

 private:
  /// In the child, where only simple system calls are safe.
  [[noreturn]] void become_program(pid_t parent) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);  // it died before it could be watched
    const rlimit no_core{0, 0}, memory{kMemory, kMemory}, file{kFile, kFile};
    setrlimit(RLIMIT_CORE, &no_core);
    if (options_.limit_memory) setrlimit(RLIMIT_AS, &memory);
    setrlimit(RLIMIT_FSIZE, &file);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(output_.write_end(), STDOUT_FILENO);
    dup2(output_.write_end(), STDERR_FILENO);
    if (options_.folder.empty() || chdir(options_.folder.c_str()) == 0) {
      execvpe(arguments_.get()[0], arguments_.get(), environment_.get());
    }
    const int error = errno;
    [[maybe_unused]] const auto written = write(error_.write_end(), &error, sizeof error);
    _exit(127);
  }

  /// Waits a few milliseconds for output and takes what there is.
  void read_output() {
    pollfd ready{.fd = output_.read_end(), .events = POLLIN, .revents = 0};
    if (closed_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    } else if (poll(&ready, 1, 5) > 0) {
      take_output();
    }
  }

  void take_output() {
    std::array<char, 65536> buffer;
    // A few rounds only: a child that writes without an end must not keep us from the clock.
    for (int round = 0; round < 16; ++round) {
      const ssize_t count = read(output_.read_end(), buffer.data(), buffer.size());
      if (count <= 0) {
        closed_ = count == 0;
        return;
      }
      kept_.add({buffer.data(), static_cast<std::size_t>(count)});
    }
  }

  /// Leaves it a zombie, so that its number, and its group's, stay its own.
  bool ended() const {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid_;
  }

  /// Kills what is left of the group, and returns the child's status.
  int end_group() {
    kill(-pid_, SIGKILL);
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }

  ChildResult reap() {
    const int status = end_group();
    take_output();
    int error = 0;
    if (read(error_.read_end(), &error, sizeof error) == sizeof error) {
      return finish(End::kNotStarted, error);
    }
    if (WIFSIGNALED(status)) return finish(End::kCrashed, WTERMSIG(status));
    return finish(End::kExited, WEXITSTATUS(status));
  }

  ChildResult killed(End end) {
    end_group();
    take_output();
    return finish(end, SIGKILL);
  }

  ChildResult stop() {
    if (options_.gentle) {
      kill(-pid_, SIGTERM);
      const auto patience = Clock::now() + kGrace;
      while (!ended() && Clock::now() < patience) read_output();
    }
    return killed(End::kStopped);
  }

  ChildResult finish(End end, int code) {
    const std::chrono::duration<double> time = Clock::now() - start_;
    return {.end = end, .code = code, .output = std::move(kept_).text(), .seconds = time.count()};
  }

  const ChildOptions& options_;
  const Words arguments_, environment_;
  const Clock::time_point start_ = Clock::now();
  Pipe output_, error_;
  pid_t pid_ = -1;
  int start_error_ = 0;
  Output kept_;
  bool closed_ = false;
};

}  // namespace

ChildResult run_child(const std::vector<std::string>& command, const ChildOptions& options) {
  return Child(command, options).wait();
}

}  // namespace qlab
