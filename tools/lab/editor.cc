// SPDX-License-Identifier: Apache-2.0
/// \file
/// Finds and starts an editor.
#include "lab/editor.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

namespace qlab {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// What `command` takes to begin at a line. Most editors of a terminal take +N.
std::string arguments(std::string_view command, int line) {
  const std::string_view program = command.substr(0, command.find(' '));
  const std::string_view name = program.substr(program.rfind('/') + 1);
  if (name == "code" || name == "codium") return fmt::format(R"(-g "$1":{})", line);
  for (const std::string_view known :
       {"vi", "vim", "nvim", "nano", "emacs", "micro", "kak", "joe"}) {
    if (name == known) return fmt::format(R"(+{} "$1")", line);
  }
  return R"("$1")";
}

}  // namespace

std::string editor_command() {
  for (const char* name : {"VISUAL", "EDITOR"}) {
    if (std::string command = variable(name); !command.empty()) return command;
  }
  return variable("TERM_PROGRAM") == "vscode" ? "code" : "";
}

bool open_editor(const std::string& command, const std::filesystem::path& file, int line) {
  // The variables may hold arguments of their own, so a shell takes them apart.
  std::string shell = "sh", option = "-c", script = command + " " + arguments(command, line),
              name = "lab", path = file.string();
  char* words[] = {shell.data(), option.data(), script.data(), name.data(), path.data(), nullptr};
  pid_t child = 0;
  if (posix_spawnp(&child, "sh", nullptr, nullptr, words, environ) != 0) return false;
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace qlab
