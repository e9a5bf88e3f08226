// SPDX-License-Identifier: Apache-2.0
/// \file
/// Keys: single keys from the terminal, without Enter and without echo.
#pragma once

#include <termios.h>

#include <optional>

namespace qlab {

/// While it lives, standard input hands over each key at once. Ctrl-C stays a signal.
class Keys {
 public:
  Keys();
  ~Keys() { restore(); }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  /// A key that was typed; an escape sequence (an arrow, say) counts as none. Does not wait.
  std::optional<char> take();
  /// Whether the terminal is gone.
  bool closed() const { return closed_; }
  /// The terminal as it was, for an editor or a line to be typed; then keys again.
  void restore();
  void begin();

 private:
  termios before_{};
  bool begun_ = false, closed_ = false;
};

}  // namespace qlab
