// SPDX-License-Identifier: Apache-2.0
/// \file
/// Signals, asserts, uncaught exceptions, and which test had begun.
#include "lab/crash_text.h"

#include <fmt/format.h>

#include <csignal>
#include <cstring>
#include <vector>

#include "lab/learners_place.h"
#include "lab/text.h"

namespace qlab {
namespace {

constexpr std::string_view kBegins = "[ RUN      ] ";

std::string signal_in_words(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "memory was touched that is not the program's (SIGSEGV): an index or a pointer is off";
    case SIGBUS:
      return "memory was touched that is not there (SIGBUS)";
    case SIGFPE:
      return "a whole number was divided by zero (SIGFPE)";
    case SIGILL:
      return "an instruction was met that this processor does not have (SIGILL)";
    case SIGABRT:
      return "the program gave up (SIGABRT)";
    case SIGKILL:
      return "the system killed it (SIGKILL), most often because memory ran out";
    case SIGXFSZ:
      return "it wrote a file of more than 1 GB (SIGXFSZ)";
    default:
      return fmt::format("signal {} ended it ({})", signal, strsignal(signal));
  }
}

/// "std::runtime_error" of "terminate called after throwing an instance of 'std::runtime_error'".
std::string quoted(const std::string& line) {
  const std::size_t begin = line.find('\'');
  return line.substr(begin + 1, line.rfind('\'') - begin - 1);
}

}  // namespace

std::string signal_text(int signal, std::string_view output, std::string_view lab_file) {
  std::string exception, says, last;
  for (const std::string& line : lines_of(output)) {
    if (line.starts_with("terminate called after throwing")) exception = quoted(line);
    if (line.starts_with("  what():  ")) says = ": " + line.substr(11);
    if (line.find("Assertion `") != std::string::npos) {
      const std::string place = learners_place(line, lab_file);
      const std::size_t begin = line.find("Assertion `");
      const std::string text = line.substr(begin, line.rfind(" failed") + 7 - begin);
      return text + (place.empty() ? "" : " at " + place);
    }
    if (!line.empty()) last = line;
  }
  if (!exception.empty()) {
    return fmt::format(
        "an exception left a thread or a noexcept function, where nobody can catch it: {}{}",
        exception, says);
  }
  std::string text = signal_in_words(signal);
  if (!last.empty() && !last.starts_with('[')) text += "; its last words: " + last;
  return text;
}

std::string begun_test(std::string_view output) {
  const std::size_t begin = output.rfind(kBegins);
  if (begin == std::string_view::npos) return "";
  const std::string_view rest = output.substr(begin + kBegins.size());
  const std::string name(rest.substr(0, rest.find_first_of("\r\n")));
  for (const std::string_view end : {"[       OK ] ", "[  FAILED  ] ", "[  SKIPPED ] "}) {
    if (rest.find(std::string(end) + name) != std::string_view::npos) return "";
  }
  return name;
}

}  // namespace qlab
