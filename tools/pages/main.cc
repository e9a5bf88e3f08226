// SPDX-License-Identifier: Apache-2.0
/// \file
/// lab_pages: what `./lab docs` and the tests of the pages are made of.
///
///     lab_pages write          brings numbers, blocks and pictures of docs/ up to date
///     lab_pages check [PART]   says what is wrong with the pages (whose path has PART in it)
///     lab_pages site DIR       writes the pages as Doxygen takes them, and what they show and link to
///     lab_pages polish DIR     adds to Doxygen's HTML what keyboards and phones need
#include <fmt/format.h>

#include <exception>
#include <fstream>
#include <string_view>
#include <vector>

#include "lab/text.h"
#include "model/input_error.h"
#include "pages/page_checks.h"
#include "pages/pictures.h"
#include "pages/polish.h"
#include "pages/site.h"

namespace qlab {
namespace {

namespace fs = std::filesystem;

/// Leaves a file alone that holds `text` already, so that nothing is built again for it.
bool write_if_new(const fs::path& file, const std::string& text) {
  if (read_text(file) == text) return false;
  fs::create_directories(file.parent_path());
  const fs::path temporary = file.string() + ".new";
  if (!(std::ofstream(temporary) << text).flush()) {
    throw InputError(temporary.string() + ": cannot be written");
  }
  fs::rename(temporary, file);
  return true;
}

std::string page_text(const Docs& docs, const fs::path& page) {
  return read_text(docs.places.root / "docs" / page).value_or("");
}

int write(const Docs& docs) {
  const fs::path root = docs.places.root / "docs";
  int written = 0;
  for (const PagePicture& picture : all_pictures(docs.measured)) {
    written += write_if_new(root / "pictures" / (picture.name + ".svg"), picture.svg);
  }
  for (const fs::path& page : all_pages(docs)) {
    written += write_if_new(root / page, updated(docs, page, page_text(docs, page)));
  }
  fmt::print("{} files of docs/ were out of date\n", written);
  return 0;
}

int check(const Docs& docs, std::string_view part) {
  int complaints = 0;
  for (const std::string& complaint : all_complaints(docs)) {
    if (complaint.find(part) == std::string::npos) continue;
    fmt::print(stderr, "{}\n", complaint);
    ++complaints;
  }
  for (const PagePicture& picture : all_pictures(docs.measured)) {
    const std::string name = fmt::format("docs/pictures/{}.svg", picture.name);
    if (name.find(part) == std::string::npos) continue;
    if (read_text(docs.places.root / name) == picture.svg) continue;
    fmt::print(stderr, "{}: is out of date; ./lab docs --write draws it again\n", name);
    ++complaints;
  }
  if (complaints == 0) fmt::print("the pages are as they should be\n");
  return complaints == 0 ? 0 : 1;
}

int site(const Docs& docs, const fs::path& folder) {
  const Site made = make_site(docs);
  for (const auto& [name, text] : made.pages) {
    write_if_new(folder / "pages" / (name + ".md"), text);
  }
  for (const fs::path& file : made.files) {
    write_if_new(folder / "html/files" / file, read_text(docs.places.root / file).value_or(""));
  }
  for (const auto& entry : fs::directory_iterator(docs.places.root / "docs/pictures")) {
    write_if_new(folder / "html" / entry.path().filename(), *read_text(entry.path()));
  }
  return 0;
}

int polish(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder / "html")) {
    if (entry.path().extension() != ".html") continue;
    write_if_new(entry.path(), polished(read_text(entry.path()).value_or("")));
  }
  return 0;
}

int run(const std::vector<std::string_view>& words) {
  if (words.size() == 1 && words[0] == "write") return write(Docs::here());
  if (!words.empty() && words.size() <= 2 && words[0] == "check") {
    return check(Docs::here(), words.size() == 2 ? words[1] : "");
  }
  if (words.size() == 2 && words[0] == "site") return site(Docs::here(), words[1]);
  if (words.size() == 2 && words[0] == "polish") return polish(words[1]);
  throw InputError("use: lab_pages write | check [PART] | site DIR | polish DIR");
}

}  // namespace
}  // namespace qlab

int main(int argc, char** argv) {
  try {
    return qlab::run({argv + 1, argv + argc});
  } catch (const qlab::InputError& error) {
    fmt::print(stderr, "lab_pages: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "lab_pages: {}\n", error.what());
    return 3;
  }
}
