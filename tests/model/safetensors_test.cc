// SPDX-License-Identifier: Apache-2.0
/// \file
/// SafetensorsFile: reads what is right to the last bit, refuses the rest in one sentence each.
#include "model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "model/model_files.h"

namespace qlab::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// a: F32 [2, 3], b: BF16 [2], c: F16 [1]; b begins at an odd address if the header is odd.
const char* const kHeader = R"({"__metadata__":{"format":"pt"},)"
                            R"("a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                            R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[24,28]},)"
                            R"("c":{"dtype":"F16","shape":[1],"data_offsets":[28,30]}})";

std::string small_data() {
  return bytes_of<float>({1, -2, 3.5, 0, 0x1p-149F, -0x1.fffffep127F}) +
         bytes_of<std::uint16_t>({0x3F80, 0xC049}) + bytes_of<std::uint16_t>({0x7BFF});
}

class Safetensors : public testing::Test {
 protected:
  SafetensorsFile open(const std::string& content) const {
    write_file(file_, content);
    return SafetensorsFile(file_);
  }
  std::string refusal(const std::string& content) const {
    return input_error([&] { open(content); });
  }

  TempDirectory directory_;
  Path file_ = directory_ / "model.safetensors";
};

TEST_F(Safetensors, WidensEveryTypeAtEveryAlignment) {
  for (std::size_t blanks = 0; blanks < 8; ++blanks) {  // the format pads headers with blanks
    const SafetensorsFile file =
        open(safetensors(kHeader + std::string(blanks, ' '), small_data()));
    const Matrix<float> a = file.read_matrix("a", 2, 3);
    const std::vector<float> values(a.data(), a.data() + 6);
    EXPECT_EQ(values, (std::vector<float>{1, -2, 3.5, 0, 0x1p-149F, -0x1.fffffep127F}));
    EXPECT_EQ(file.read_vector("b", 2), (std::vector<float>{1, -3.140625}));
    EXPECT_EQ(file.read_vector("c", 1), std::vector<float>{65504});
    EXPECT_EQ(file.tensors().size(), 3U);
  }
}

TEST_F(Safetensors, TakesScalarsEmptyTensorsAndNoTensors) {
  const SafetensorsFile file =
      open(safetensors(R"({"empty":{"dtype":"F32","shape":[0,7],"data_offsets":[0,0]},)"
                       R"("scalar":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
                       R"("zero":{"dtype":"U8","shape":[0],"data_offsets":[8,8]}})",
                       std::string(8, 'x')));
  EXPECT_EQ(file.read_matrix("empty", 0, 7).rows(), 0);
  EXPECT_EQ(file.tensors().at("scalar").bytes.size(), 8U);
  EXPECT_TRUE(open(safetensors("{}", "")).tensors().empty());
}

TEST_F(Safetensors, RefusesAFileCutAtAnyByte) {
  const std::string whole = safetensors(kHeader, small_data());
  ASSERT_EQ(open(whole).tensors().size(), 3U);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(refusal(whole.substr(0, size)),
                AllOf(HasSubstr(file_.string()), HasSubstr("truncated")))
        << size << " of " << whole.size() << " bytes";
  }
}

TEST_F(Safetensors, SurvivesAFileWithAnyByteRemoved) {
  const std::string whole = safetensors(kHeader, small_data());
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged.erase(at, 1);
    EXPECT_NE(refusal(damaged), "") << "without byte " << at;
  }
}

TEST_F(Safetensors, SurvivesAnyByteReplaced) {
  const std::string whole = safetensors(kHeader, small_data());
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char byte : {'\0', '\x7F', '\xFF', '9', '"', '}', '['}) {
      std::string damaged = whole;
      damaged[at] = byte;
      try {  // some replacements are harmless, so either end is right; the bytes must be in the file
        const SafetensorsFile file = open(damaged);
        std::size_t bytes = 0;
        for (const auto& [name, entry] : file.tensors()) bytes += entry.bytes.size();
        EXPECT_EQ(bytes, small_data().size()) << "byte " << at;
      } catch (const InputError&) {
      }
    }
  }
}

struct Wrong {
  const char* name;
  std::string header;
  std::string data;
  std::vector<const char*> says;  // parts of the message
};
void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }

/// A header of one F32 tensor "w" with these members.
std::string one(const std::string& shape, const std::string& offsets,
                const std::string& dtype = "\"F32\"") {
  return R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

/// Two F32 tensors of one value each.
std::string two(const std::string& first, const std::string& second) {
  return R"({"v":{"dtype":"F32","shape":[1],"data_offsets":)" + first +
         R"(},"w":{"dtype":"F32","shape":[1],"data_offsets":)" + second + "}}";
}

class SafetensorsWrong : public Safetensors, public testing::WithParamInterface<Wrong> {};

TEST_P(SafetensorsWrong, IsRefusedInOneSentence) {
  const std::string text = refusal(safetensors(GetParam().header, GetParam().data));
  EXPECT_THAT(text, HasSubstr(file_.string()));
  for (const char* part : GetParam().says) EXPECT_THAT(text, HasSubstr(part));
}

const std::string kFour(4, '\0');
const std::string kEight(8, '\0');

INSTANTIATE_TEST_SUITE_P(
    , SafetensorsWrong,
    testing::Values(
        Wrong{"HeaderIsAnArray", "[]", "", {"does not begin with {"}},
        Wrong{"HeaderIsEmpty", "", "", {"does not begin with {"}},
        Wrong{"HeaderIsCutJson", R"({"w":{"dtype")", "", {"no valid JSON at byte 14"}},
        Wrong{"HeaderGoesOn", "{} {}", "", {"no valid JSON at byte 4"}},
        Wrong{"HeaderHasANul", std::string("{}\0", 3), "", {"no valid JSON at byte 3", "NUL"}},
        Wrong{"HeaderIsNoUtf8", "{\"\xFF\":1}", "", {"no valid JSON"}},
        Wrong{"NumberIsTooLarge", one("[1e999]", "[0,4]"), kFour, {"no valid JSON"}},
        Wrong{"NestsTooDeep",
              R"({"w":)" + std::string(10'000, '[') + std::string(10'000, ']') + "}",
              "",
              {"nested more than 64 deep"}},
        Wrong{"NameStandsTwice",
              R"({"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},)"
              R"("w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
              "",
              {"the key \"w\" stands twice"}},
        Wrong{"KeyStandsTwice",
              R"({"w":{"dtype":"F32","shape":[1],"shape":[0],"data_offsets":[0,0]}})",
              "",
              {"the key \"shape\" stands twice"}},
        Wrong{"NameHasANul",
              R"({"w\u0000x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
              "",
              {"\"w?x\"", "NUL"}},
        Wrong{"NameMovesTheCursor",
              R"({"w\u001b[2J\n":{"dtype":"F9","shape":[0],"data_offsets":[0,0]}})",
              "",
              {"\"w?[2J?\""}},
        Wrong{"NameIsVeryLong",
              "{\"" + std::string(100'000, 'n') +
                  R"(":{"dtype":"F9","shape":[0],"data_offsets":[0,0]}})",
              "",
              {"nnn…\""}},
        Wrong{"MetadataIsNoObject", R"({"__metadata__":3})", "", {"__metadata__"}},
        Wrong{"MetadataIsNested", R"({"__metadata__":{"a":{}}})", "", {"__metadata__"}},
        Wrong{"TensorIsNoObject",
              R"({"w":7})",
              "",
              {"tensor \"w\" is a number", "expected an object"}},
        Wrong{"DtypeIsMissing",
              R"({"w":{"shape":[1],"data_offsets":[0,4]}})",
              kFour,
              {"\"w\"", "dtype"}},
        Wrong{"DtypeIsNoString", one("[1]", "[0,4]", "4"), kFour, {"\"w\"", "dtype"}},
        Wrong{"DtypeIsUnknown",
              one("[1]", "[0,4]", "\"F31\""),
              kFour,
              {"\"w\"", "\"F31\"", "F16, BF16"}},
        Wrong{"ShapeIsMissing",
              R"({"w":{"dtype":"F32","data_offsets":[0,4]}})",
              kFour,
              {"\"w\"", "shape"}},
        Wrong{"ShapeIsANumber", one("1", "[0,4]"), kFour, {"shape is no list"}},
        Wrong{"ShapeIsNegative", one("[-1]", "[0,4]"), kFour, {"shape is no list"}},
        Wrong{"ShapeIsAFraction", one("[1.0]", "[0,4]"), kFour, {"shape is no list"}},
        Wrong{"ShapePasses63Bits",
              one("[9223372036854775808]", "[0,4]"),
              kFour,
              {"shape is no list"}},
        Wrong{"ProductWrapsToZero",
              one("[4294967296,4294967296]", "[0,0]"),
              "",
              {"\"w\"", "63 bits"}},
        Wrong{"BytesOverflow", one("[4611686018427387904]", "[0,0]"), "", {"\"w\"", "63 bits"}},
        Wrong{"OffsetsAreMissing", R"({"w":{"dtype":"F32","shape":[1]}})", kFour, {"data_offsets"}},
        Wrong{"OffsetsAreThree",
              one("[1]", "[0,4,4]"),
              kFour,
              {"data_offsets [0,4,4]", "[begin, end]"}},
        Wrong{"OffsetsAreReversed",
              one("[1]", "[4,0]"),
              kFour,
              {"data_offsets [4,0]", "begin ≤ end"}},
        Wrong{"OffsetsAreNegative", one("[1]", "[-4,0]"), kFour, {"data_offsets is no list"}},
        Wrong{"OffsetsPassTheEnd",
              one("[2]", "[0,8]"),
              kFour,
              {"\"w\"", "byte 8", "holds 4", "truncated"}},
        Wrong{"OffsetsPassAnyEnd",
              one("[1]", "[9223372036854775803,9223372036854775807]"),
              kFour,
              {"truncated"}},
        Wrong{
            "OffsetsDisagreeWithShape", one("[1]", "[0,8]"), kEight, {"\"w\"", "span 8", "need 4"}},
        Wrong{"OffsetsDisagreeWithDtype",
              one("[1]", "[0,4]", "\"F16\""),
              kFour,
              {"span 4", "need 2"}},
        Wrong{"TensorsOverlap",
              two("[0,4]", "[2,6]"),
              std::string(6, '\0'),
              {"\"w\"", "byte 2", "overlap"}},
        Wrong{"TensorsShareBytes", two("[0,4]", "[0,4]"), kFour, {"\"w\"", "overlap"}},
        Wrong{"TensorsLeaveAHole",
              two("[0,4]", "[8,12]"),
              std::string(12, '\0'),
              {"\"w\"", "byte 8", "hole"}},
        Wrong{"DataBeginsWithAHole", one("[1]", "[4,8]"), kEight, {"\"w\"", "expected 0", "hole"}},
        Wrong{"DataGoesOn", one("[1]", "[0,4]"), kEight, {"ends at byte 4", "the file at 8"}}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(Safetensors, RefusesAHeaderLengthThatCannotBe) {
  const auto with_length = [](std::uint64_t length) {
    return bytes_of(std::vector<std::uint64_t>{length}) + "{}";
  };
  EXPECT_EQ(open(with_length(2)).tensors().size(), 0U);
  EXPECT_THAT(refusal(with_length(3)), AllOf(HasSubstr("claims 3 bytes"), HasSubstr("2 follow")));
  EXPECT_THAT(refusal(with_length(100'000'001)), HasSubstr("the format allows 100000000"));
  EXPECT_THAT(refusal(with_length(std::numeric_limits<std::uint64_t>::max())),
              HasSubstr("claims 18446744073709551615"));
}

TEST_F(Safetensors, RefusesWhatIsNoFile) {
  EXPECT_THAT(input_error([&] { SafetensorsFile{file_}; }),
              AllOf(HasSubstr(file_.string()), HasSubstr("No such file")));
  EXPECT_THAT(input_error([&] { SafetensorsFile{directory_.path()}; }), HasSubstr("not a file"));
}

TEST_F(Safetensors, RefusesAReadThatDoesNotFit) {
  const std::string header = R"({"i":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},)"
                             R"("w":{"dtype":"F32","shape":[2,3],"data_offsets":[2,26]}})";
  const SafetensorsFile file = open(safetensors(header, std::string(26, '\0')));
  EXPECT_THAT(input_error([&] { file.read_vector("x", 1); }),
              AllOf(HasSubstr("tensor \"x\" is missing"), HasSubstr(file_.string())));
  EXPECT_THAT(input_error([&] { file.read_matrix("w", 3, 2); }),
              AllOf(HasSubstr("\"w\" has shape [2, 3]"), HasSubstr("asks for [3, 2]")));
  EXPECT_THAT(input_error([&] { file.read_vector("w", 6); }), HasSubstr("asks for [6]"));
  EXPECT_THAT(input_error([&] { file.read_vector("i", 2); }),
              AllOf(HasSubstr("\"i\" is I8"), HasSubstr("not quantized")));
}

TEST_F(Safetensors, RefusesAValueThatIsNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    const SafetensorsFile file =
        open(safetensors(one("[3]", "[0,12]"), bytes_of<float>({1, 2, bad})));
    EXPECT_THAT(input_error([&] { file.read_vector("w", 3); }),
                AllOf(HasSubstr("tensor \"w\": value 2 is"), HasSubstr("finite")));
  }
}

}  // namespace
}  // namespace qlab::test
