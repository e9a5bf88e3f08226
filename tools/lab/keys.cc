// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sets the terminal's mode and sets it back.
#include "lab/keys.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace qlab {
namespace {

/// A process that was continued in the background would be stopped for touching the terminal.
void set_mode(const termios& mode) {
  void (*before)(int) = std::signal(SIGTTOU, SIG_IGN);
  tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
  std::signal(SIGTTOU, before);
}

bool readable() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return poll(&input, 1, 0) == 1;
}

/// What an arrow or a function key sends behind the escape: [ or O, parameters, and a final letter.
void skip_sequence() {
  char byte = 0;
  const auto next = [&byte] { return readable() && read(STDIN_FILENO, &byte, 1) == 1; };
  if (!next() || (byte != '[' && byte != 'O')) return;
  while (next() && (byte < '@' || byte > '~')) {
  }
}

}  // namespace

Keys::Keys() {
  tcgetattr(STDIN_FILENO, &before_);
  begin();
}

void Keys::begin() {
  termios keys = before_;
  keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  keys.c_cc[VMIN] = 1;
  keys.c_cc[VTIME] = 0;
  set_mode(keys);
  begun_ = true;
}

void Keys::restore() {
  if (begun_) set_mode(before_);
  begun_ = false;
}

std::optional<char> Keys::take() {
  if (closed_ || !readable()) return std::nullopt;
  char key = 0;
  const ssize_t got = read(STDIN_FILENO, &key, 1);
  if (got == 0 || (got < 0 && errno != EINTR)) closed_ = true;
  if (got != 1) return std::nullopt;
  if (key != '\033') return key;
  skip_sequence();
  return std::nullopt;
}

}  // namespace qlab
