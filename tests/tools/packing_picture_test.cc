// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of packings say what packed_element says, and those in docs/ are the ones of today.
#include "lab/packing_picture.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "03_int4_weight_only/pack_int4.h"
#include "tools/svg_checks.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;

TEST(PackingPictures, AreWellFormedAndReadable) {
  for (const auto& [name, svg] : packing_pictures()) {
    EXPECT_TRUE(is_well_formed(svg)) << name;
    EXPECT_TRUE(text_is_readable(svg)) << name;
  }
}

/// The texts of a word, from the highest nibble on, as they stand behind each other in the file.
std::string word_of(PackedTensor tensor) {
  const char* const column = packed_layout(tensor).of_groups ? "g" : "k";
  std::string texts;
  for (int nibble = 7; nibble >= 0; --nibble) {
    const PackedElement at = packed_element(tensor, 0, 0, nibble);
    texts += fmt::format("{}-{} n = {} {} = {} ", 4 * nibble + 3, 4 * nibble, at.n, column, at.k);
  }
  return texts;
}

std::string texts_of(const std::string& svg) {
  std::string texts;
  for (std::size_t at = svg.find("<text"); at != svg.npos; at = svg.find("<text", at + 1)) {
    const std::size_t begin = svg.find('>', at) + 1;
    texts += svg.substr(begin, svg.find('<', begin) - begin) + " ";
  }
  return texts;
}

TEST(PackingPictures, ShowTheNibblesOfEachWord) {
  using enum PackedTensor;
  const auto pictures = packing_pictures();
  ASSERT_EQ(pictures.size(), 3U);
  const PackedTensor tensors[3][2] = {
      {kGptqQweight, kGptqQzerosV1}, {kAwqQweight, kAwqQzeros}, {kWeightPacked, kWeightZeroPoint}};
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const std::string texts = texts_of(pictures[i].second);
    for (const PackedTensor tensor : tensors[i]) EXPECT_THAT(texts, HasSubstr(word_of(tensor)));
  }
  // By hand: AWQ's second nibble from the right holds the third column.
  EXPECT_THAT(texts_of(pictures[1].second), HasSubstr("7-4 n = 2 k = 0 3-0 n = 0 k = 0"));
}

TEST(PackingPictures, TellTheWordToSomebodyWhoCannotSeeIt) {
  const auto pictures = packing_pictures();
  // By hand, from AutoGPTQ's and AutoAWQ's files: k falls with the bits; n is 7 5 3 1 6 4 2 0.
  EXPECT_THAT(pictures[0].second,
              HasSubstr("qweight, from bits 31-28 down to 3-0: n 0 k 7, n 0 k 6,"));
  EXPECT_THAT(pictures[1].second,
              HasSubstr("n 7 k 0, n 5 k 0, n 3 k 0, n 1 k 0, n 6 k 0, n 4 k 0"));
  EXPECT_THAT(pictures[0].second, HasSubstr("a nibble: v1 zero point - 1, v2 itself"));
}

TEST(PackingPictures, InDocsAreThoseOfToday) {
  for (const auto& [name, svg] : packing_pictures()) {
    std::ifstream file(std::filesystem::path(QLAB_SOURCE_DIR) / "docs/pictures" / name);
    const std::string committed{std::istreambuf_iterator<char>(file), {}};
    EXPECT_TRUE(committed == svg) << name << ": ./lab plot --packing --out docs/pictures --force";
  }
}

}  // namespace
}  // namespace qlab::test
