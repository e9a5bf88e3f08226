// SPDX-License-Identifier: Apache-2.0
/// \file
/// Figures and terms in prose: each rule is shown to find its fault and to leave alone what is sound.
#include "pages/prose_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> found(const std::string& text) {
  std::vector<std::string> words;
  for (const ProseFinding& finding : prose_findings(text)) {
    words.push_back(std::to_string(finding.line) + ": " + finding.what);
  }
  return words;
}

TEST(ProseFigures, TypedByHandAreFound) {
  for (const std::string figure : {"25 %", "25%", "2×", "1.5 times", "16.6 ms", "3 µs", "38 GB/s",
                                   "4.8 TB/s", "30 tokens/s", "8.7 requests a second", "2 dB"}) {
    EXPECT_THAT(found("one\n\nIt takes " + figure + " here.\n"), SizeIs(1)) << figure;
  }
  EXPECT_THAT(found("one\n\nIt takes 25 % here.\n").at(0), HasSubstr("3: '25 %' is typed by hand"));
}

TEST(ProseFigures, ThatAreMeasuredDefinedOrCitedAreNot) {
  EXPECT_THAT(found("It takes <!--= C18 as % -->41 %<!--/--> of it.\n"), IsEmpty());
  EXPECT_THAT(found("Four of 16 bits: <!--def-->25 %<!--/-->.\n"), IsEmpty());
  EXPECT_THAT(found("They report <!--cited-->3 times<!--/-->, [AWQ](https://arxiv.org/x).\n"),
              IsEmpty());
  EXPECT_THAT(found("Codes are 16, groups 128, 4.19 bits, `25 %`, 2 timestamps.\n"), IsEmpty());
  EXPECT_THAT(found("```text\n25 %\n```\n"), IsEmpty());
  EXPECT_THAT(found("<!-- mutants -->\n25 %\n<!-- /mutants -->\n"), IsEmpty());
  EXPECT_THAT(found("<!-- verdicts h200 -->\n25 %\n<!-- /verdicts -->\n"), IsEmpty());
}

TEST(ProseFigures, ThatAreCitedNeedALinkInTheirParagraph) {
  const std::string cited = "They report <!--cited-->3 times<!--/-->.\n";
  EXPECT_THAT(found(cited).at(0), HasSubstr("without a link"));
  EXPECT_THAT(found(cited + "\nSee [AWQ](https://arxiv.org/x).\n"), SizeIs(1));
  EXPECT_THAT(found(cited + "See [AWQ](https://arxiv.org/x).\n"), IsEmpty());
}

TEST(ProseTerms, AreSpelledAsTheFieldDoes) {
  for (const std::string wrong :
       {"the KV Cache", "a kv-cache", "groupsize 32", "a zero-point", "int8 codes", "fp16 weights",
        "in bfloat16", "the ttft", "head dimension", "de-quantize", "quantised", "Tensor Cores"}) {
    EXPECT_THAT(found("It is about " + wrong + " here.\n"), SizeIs(1)) << wrong;
  }
  EXPECT_THAT(
      found("The KV cache, `group_size` 32, a zero point, INT8, FP16, BF16, TTFT, `head_dim`, "
            "dequantize, quantized, tensor cores, `int8`.\n"),
      IsEmpty());
  EXPECT_THAT(found("LLM.int8() and [KV Cache in int8](https://x.org/fp16), a title.\n"),
              IsEmpty());
  EXPECT_THAT(found("A page on [int8](other.md).\n"), SizeIs(1));
}

}  // namespace
}  // namespace qlab::test
