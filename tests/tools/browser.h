// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lets Chromium, without a window, look at pages that send what is wrong with them to a frame.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>

#include "lab/text.h"
#include "tools/run_program.h"

namespace qlab::test {

/// The first Chromium on the path, if there is one.
inline std::optional<std::string> find_browser() {
  std::istringstream folders(std::getenv("PATH") != nullptr ? std::getenv("PATH") : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    for (const char* const name : {"chromium", "chromium-browser", "google-chrome"}) {
      const std::filesystem::path program = std::filesystem::path(folder) / name;
      if (access(program.c_str(), X_OK) == 0) return program.string();
    }
  }
  return std::nullopt;
}

struct Seen {
  std::string findings;  ///< what stands in <pre id="findings"> in the end
  std::string console;   ///< what the browser said
};

/// Opens `page` and waits until its scripts have nothing left to do, `milliseconds` at most as the
/// page's own clock has them.
inline Seen open_in_browser(const std::string& browser, const std::filesystem::path& page,
                            bool dark, int milliseconds = 10'000) {
  const TemporaryFolder profile;
  const Finished run = run_program(
      {"/usr/bin/env", "timeout", "--kill-after=5", "250", browser, "--headless", "--no-sandbox",
       "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--enable-logging=stderr",
       "--v=0", "--virtual-time-budget=" + std::to_string(milliseconds), "--window-size=1300,900",
       "--user-data-dir=" + profile.path().string(),
       std::string("--blink-settings=preferredColorScheme=") + (dark ? "0" : "1"), "--dump-dom",
       "file://" + page.string()});
  Seen seen;
  const std::string begin = "<pre id=\"findings\">";
  const std::size_t from = run.out.find(begin);
  if (from != std::string::npos) {
    const std::size_t start = from + begin.size();
    seen.findings = run.out.substr(start, run.out.find("</pre>", start) - start);
  }
  // Of its own troubles, with no bus and no screen, a browser speaks too; pages speak on the
  // console.
  for (const std::string& line : lines_of(run.err)) {
    if (line.find("CONSOLE") != std::string::npos) seen.console += line + "\n";
  }
  return seen;
}

}  // namespace qlab::test
