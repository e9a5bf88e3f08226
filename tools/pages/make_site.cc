// SPDX-License-Identifier: Apache-2.0
/// \file
/// Writes what Doxygen reads, runs it, and goes over what it wrote.
#include "pages/make_site.h"

#include <fmt/format.h>

#include <chrono>

#include "lab/child.h"
#include "lab/text.h"
#include "model/input_error.h"
#include "pages/api_checks.h"
#include "pages/link_checks.h"
#include "pages/polish.h"
#include "pages/site.h"
#include "pages/write_file.h"

namespace qlab {
namespace {

namespace fs = std::filesystem;

/// Where Debian and Ubuntu, and what is installed by hand, have `path`; empty if nowhere.
fs::path shared_file(const fs::path& path) {
  for (const fs::path prefix : {"/usr/local/share", "/usr/share", "/opt/homebrew/share"}) {
    if (fs::exists(prefix / path)) return prefix / path;
  }
  return {};
}

std::string doxyfile(const fs::path& root, const fs::path& folder) {
  const fs::path site = root / "docs/site";
  const fs::path katex = shared_file("javascript/katex");
  const fs::path awesome = shared_file("doxygen-awesome-css/doxygen-awesome.css");
  const auto quoted = [](const fs::path& path) {
    return path.empty() ? std::string() : fmt::format("\"{}\"", path.string());
  };
  std::string text = read_text(site / "Doxyfile").value_or("");
  const auto set = [&](const char* name, std::initializer_list<fs::path> values) {
    text += fmt::format("{} =", name);
    for (const fs::path& value : values) text += " " + quoted(value);
    text += "\n";
  };
  set("OUTPUT_DIRECTORY", {folder});
  set("INPUT", {folder / "pages", root / "kernels", root / "model"});
  set("EXCLUDE_PATTERNS", {root / "*/README.md", root / "*_test.cc", root / "kernels/simt/cpu/*"});
  text += fmt::format("INPUT_FILTER = \"sed -E -f \\\"{}\\\"\"\n", (site / "heads.sed").string());
  set("STRIP_FROM_PATH", {root, folder});
  set("STRIP_FROM_INC_PATH", {root / "kernels", root});
  set("USE_MDFILE_AS_MAINPAGE", {folder / "pages/index.md"});
  set("WARN_LOGFILE", {folder / "warnings.txt"});
  set("LAYOUT_FILE", {site / "layout.xml"});
  set("HTML_HEADER", {site / "header.html"});
  set("HTML_FOOTER", {site / "footer.html"});
  set("HTML_EXTRA_STYLESHEET", {awesome, site / "site.css"});
  set("HTML_EXTRA_FILES",
      {katex.empty() ? katex : katex / "katex.min.js",
       katex.empty() ? katex : katex / "contrib/auto-render.js", site / "site.js"});
  return text;
}

void write_sources(const Docs& docs, const fs::path& folder) {
  const SiteSource source = site_source(docs);
  for (const auto& [name, text] : source.pages) {
    write_if_new(folder / "pages" / (name + ".md"), text);
  }
  for (const fs::path& file : source.files) {
    write_if_new(folder / "html/files" / file, read_text(docs.places.root / file).value_or(""));
  }
  for (const auto& entry : fs::directory_iterator(docs.places.root / "docs/pictures")) {
    write_if_new(folder / "html" / entry.path().filename(), read_text(entry.path()).value_or(""));
  }
}

void run_doxygen(const fs::path& folder) {
  const ChildResult run =
      run_child({"doxygen", (folder / "Doxyfile").string()}, {.limit = std::chrono::minutes(10)});
  if (run.end == ChildResult::End::kNotStarted) {
    throw InputError(
        "doxygen cannot be started; without it the pages are read as they are, from "
        "docs/README.md on");
  }
  if (run.end != ChildResult::End::kExited || run.code != 0) {
    throw InputError(fmt::format("doxygen failed: {}", run.output));
  }
}

}  // namespace

MadeSite make_site(const Docs& docs, const fs::path& folder) {
  const auto begin = std::chrono::steady_clock::now();
  const fs::path there = fs::absolute(folder);
  for (const char* const part : {"pages", "html"}) fs::remove_all(there / part);
  write_sources(docs, there);
  write_if_new(there / "Doxyfile", doxyfile(docs.places.root, there));
  run_doxygen(there);

  MadeSite made{.index = there / "html/index.html", .pages = 0, .seconds = 0, .complaints = {}};
  for (const auto& entry : fs::directory_iterator(there / "html")) {
    if (entry.path().extension() != ".html") continue;
    write_if_new(entry.path(), polished(read_text(entry.path()).value_or("")));
    ++made.pages;
  }
  for (const fs::path& page : unreached_pages(there / "html")) made.pages -= fs::remove(page);
  made.complaints = link_complaints(there / "html");
  const std::vector<std::string> comments =
      api_complaints(read_text(there / "warnings.txt").value_or(""), docs.places.root);
  made.complaints.insert(made.complaints.end(), comments.begin(), comments.end());
  made.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return made;
}

}  // namespace qlab
