// SPDX-License-Identifier: Apache-2.0
/// \file
/// lab_docs: what `./lab docs` and the tests of the pages are made of.
///
///     lab_docs write          brings numbers, blocks and pictures of docs/ up to date
///     lab_docs check [PART]   says what is wrong with the pages (whose path has PART in it)
///     lab_docs make DIR       makes the site in DIR/html
#include <fmt/format.h>

#include <exception>
#include <fstream>
#include <string_view>
#include <vector>

#include "lab/text.h"
#include "model/input_error.h"
#include "pages/make_site.h"
#include "pages/page_checks.h"
#include "pages/pictures.h"
#include "pages/write_file.h"

namespace qlab {
namespace {

namespace fs = std::filesystem;

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

/// Says what is wrong with the site, if anything is; that is ours to mend and hinders nobody.
int make(const Docs& docs, const fs::path& folder) {
  const MadeSite made = make_site(docs, folder);
  for (const std::string& complaint : made.complaints) fmt::print(stderr, "{}\n", complaint);
  fmt::print("{} pages in {:.1f} s: {}\n", made.pages, made.seconds, made.index.string());
  return 0;
}

int run(const std::vector<std::string_view>& words) {
  if (words.size() == 1 && words[0] == "write") return write(Docs::here());
  if (!words.empty() && words.size() <= 2 && words[0] == "check") {
    return check(Docs::here(), words.size() == 2 ? words[1] : "");
  }
  if (words.size() == 2 && words[0] == "make") return make(Docs::here(), words[1]);
  throw InputError("use: lab_docs write | check [PART] | make DIR");
}

}  // namespace
}  // namespace qlab

int main(int argc, char** argv) {
  try {
    return qlab::run({argv + 1, argv + argc});
  } catch (const qlab::InputError& error) {
    fmt::print(stderr, "lab_docs: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "lab_docs: {}\n", error.what());
    return 3;
  }
}
