// SPDX-License-Identifier: Apache-2.0
/// \file
/// Documents: windows of text files, and the recall task in the form the tiny model was trained on.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "common/contract.h"
#include "common/random.h"
#include "model/evaluate.h"

namespace qlab {
namespace {

using Path = std::filesystem::path;

std::vector<std::int32_t> bytes_of(std::string_view text) {
  std::vector<std::int32_t> tokens;
  for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
  return tokens;
}

std::vector<Path> text_files(const Path& directory) {
  std::error_code error;
  std::vector<Path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  if (error) fail_input(directory, "cannot be listed: ", error.message());
  if (files.empty()) fail_input(directory, "holds no *.txt file; put the text to evaluate there");
  std::ranges::sort(files);
  return files;
}

std::string read_text(const Path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.is_open() || in.bad()) fail_input(file, "cannot be read; check its permissions");
  return text;
}

/// n characters, each any of the alphabet's.
std::string draw(std::string_view alphabet, int n, Random& random) {
  std::string text;
  for (int i = 0; i < n; ++i) {
    text += alphabet[static_cast<std::size_t>(random.below(std::ssize(alphabet)))];
  }
  return text;
}

RecallDocument recall_document(std::string name, std::int64_t names, std::int64_t length,
                               Random& random) {
  std::vector<std::string> lines;  // "abc=1234\n"
  std::set<std::string> taken;
  while (std::ssize(lines) < names) {
    const std::string key = draw("abcdefghijklmnopqrstuvwxyz", 3, random);
    if (taken.insert(key).second) lines.push_back(key + "=" + draw("0123456789", 4, random) + "\n");
  }
  RecallDocument document;
  std::string text;
  for (const std::string& line : lines) text += line;
  while (std::ssize(text) + kRecallQueryBytes <= length) {
    document.answers.push_back(std::ssize(text) + 5);  // behind "?abc="
    text += "?" + lines[static_cast<std::size_t>(random.below(names))];
  }
  document.text = {std::move(name), bytes_of(text)};
  return document;
}

}  // namespace

std::vector<Document> read_documents(const std::filesystem::path& directory, std::int64_t window,
                                     std::int64_t limit) {
  QLAB_CHECK(window >= 2 && limit >= 1, "read_documents: ", limit, " windows of ", window,
             " bytes; ask for at least 1 of 2 (the first byte is not scored)");
  std::vector<std::pair<Path, std::string>> texts;
  std::int64_t most = 0;  // windows in the longest file
  for (const Path& file : text_files(directory)) {
    texts.emplace_back(file.filename(), read_text(file));
    most = std::max(most, std::ssize(texts.back().second) / window);
  }
  if (most == 0) {
    fail_input(directory, "no *.txt file holds ", window, " bytes; ask for shorter windows");
  }
  std::vector<Document> documents;
  for (std::int64_t w = 0; w < most; ++w) {
    for (const auto& [name, text] : texts) {
      if (std::ssize(documents) == limit) return documents;
      if ((w + 1) * window > std::ssize(text)) continue;
      const auto at = static_cast<std::size_t>(w * window);
      documents.push_back(
          {name.string() + ":" + std::to_string(at),
           bytes_of(std::string_view(text).substr(at, static_cast<std::size_t>(window)))});
    }
  }
  return documents;
}

std::vector<RecallDocument> make_recall_documents(std::int64_t count, std::int64_t names,
                                                  std::int64_t length, std::uint64_t seed) {
  constexpr std::int64_t kMostNames = 26 * 26 * 26 / 2;  // beyond it drawing unused ones drags on
  QLAB_CHECK(count >= 0 && names >= 1 && names <= kMostNames, "make_recall_documents: ", count,
             " documents of ", names, " names; choose 1 … ", kMostNames, " names");
  const std::int64_t shortest = names * kRecallLineBytes + kRecallQueryBytes;
  QLAB_CHECK(length >= shortest, "make_recall_documents: ", names, " names and one query take ",
             shortest, " bytes, length is ", length, "; choose more bytes or fewer names");
  Random random(seed);
  std::vector<RecallDocument> documents;
  for (std::int64_t i = 0; i < count; ++i) {
    documents.push_back(recall_document("recall:" + std::to_string(i), names, length, random));
  }
  return documents;
}

}  // namespace qlab
