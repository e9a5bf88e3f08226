// SPDX-License-Identifier: Apache-2.0
/// \file
/// PtySession: a function in a child process at a terminal of its own, and a person who types there.
#pragma once

#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace qlab::test {

class PtySession {
 public:
  /// `body` runs in the child and returns its exit code.
  template <class Body>
  explicit PtySession(Body body, unsigned short lines = 24, unsigned short width = 80) {
    winsize size{.ws_row = lines, .ws_col = width, .ws_xpixel = 0, .ws_ypixel = 0};
    child_ = forkpty(&master_, nullptr, nullptr, &size);
    if (child_ < 0) throw std::runtime_error("forkpty failed");
    if (child_ > 0) return;
    setenv("TERM", "xterm", 1);
    int code = 99;
    try {
      code = body();
    } catch (...) {
    }
    _exit(code);
  }
  ~PtySession() {
    if (!over_) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    close(master_);
  }
  PtySession(const PtySession&) = delete;
  PtySession& operator=(const PtySession&) = delete;

  void type(const std::string& keys) const {
    if (write(master_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size())) {
      throw std::runtime_error("the terminal takes no keys");
    }
  }
  void resize(unsigned short lines, unsigned short width) const {
    const winsize size{.ws_row = lines, .ws_col = width, .ws_xpixel = 0, .ws_ypixel = 0};
    ioctl(master_, TIOCSWINSZ, &size);
  }

  /// Reads until `words` were shown, behind what an earlier call found. False after 20 seconds.
  bool shows(const std::string& words) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (;;) {
      const std::size_t at = screen_.find(words, seen_);
      if (at != std::string::npos) {
        seen_ = at + words.size();
        return true;
      }
      if (std::chrono::steady_clock::now() > end || !read_some()) return false;
    }
  }
  /// Everything that was shown.
  const std::string& screen() const { return screen_; }
  termios mode() const {
    termios mode{};
    tcgetattr(master_, &mode);
    return mode;
  }
  void send_signal(int signal) const { kill(child_, signal); }

  /// The exit code; 128 + signal for one that was killed.
  int wait() {
    while (read_some()) {
    }
    int status = 0;
    waitpid(child_, &status, 0);
    over_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  /// False when the child has closed the terminal.
  bool read_some() {
    pollfd input{.fd = master_, .events = POLLIN, .revents = 0};
    if (poll(&input, 1, 100) == 0) return true;
    char block[1024];
    const ssize_t got = read(master_, block, sizeof block);
    if (got <= 0) return false;
    screen_.append(block, static_cast<std::size_t>(got));
    return true;
  }

  int master_ = -1;
  pid_t child_ = -1;
  bool over_ = false;
  std::string screen_;
  std::size_t seen_ = 0;
};

}  // namespace qlab::test
