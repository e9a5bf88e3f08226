// SPDX-License-Identifier: Apache-2.0
/// \file
/// Two tables of patterns, and a walk over the prose of a page.
#include "pages/prose_checks.h"

#include <fmt/format.h>

#include <array>
#include <regex>

#include "lab/text.h"

namespace qlab {
namespace {

/// A digit followed by a unit that only a measurement, a definition or a source can give.
const std::regex& figure() {
  static const std::regex form(
      R"(\d[\d.,]*( ?(×|%|ms\b|µs\b|us\b|GB/s|TB/s|TFLOP|GFLOP|tokens/s|tokens a second|requests/s|requests a second)| times\b| dB\b))");
  return form;
}

struct Term {
  const char* wrong;  ///< a pattern of how it is not spelled
  const char* right;
};
constexpr std::array kTerms{
    Term{R"(\b(KV-cache|kv cache|kv-cache|KV Cache)\b)", "KV cache"},
    Term{R"(\bgroup ?sizes?\b(?! [a-z]))", "group_size"},
    Term{R"(\bzero-points?\b)", "zero point, or zero_point in formulas"},
    Term{R"((^|[^.\w])int[48]\b)", "INT4, INT8"},
    Term{R"(\bfp(8|16|32)\b)", "FP8, FP16, FP32"},
    Term{R"(\b(bf16|bfloat16)\b)", "BF16"},
    Term{R"(\b(ttft|tpot)\b)", "TTFT, TPOT"},
    Term{R"(\bhead dim(ension)?\b)", "head_dim"},
    Term{R"(\bde-quanti[sz])", "dequantize"},
    Term{R"(\bquantis)", "quantize"},
    Term{R"(\b[Ss]mooth quant\b|\bSmoothquant\b)", "SmoothQuant"},  // smoothquant is the exercise
    Term{R"(\btensor-cores?\b|\b[Tt]ensor Cores?\b)", "tensor core"},
};

/// The line without what is marked: numbers and quoted figures, links' addresses, other comments.
std::string unmarked(const std::string& line, bool& cited) {
  static const std::regex marked(R"(<!--(=.*?|def|cited)-->.*?<!--/-->)");
  // Titles of others are spelled as they spell them.
  static const std::regex address(
      R"(\[[^\[\]]*\]\(http[^()\s]+\)|\]\([^()\s]+\)|https?://\S+|<!--.*?-->)");
  cited = cited || line.find("<!--cited-->") != std::string::npos;
  return std::regex_replace(std::regex_replace(line, marked, ""), address, "]");
}

}  // namespace

std::vector<ProseFinding> prose_findings(const std::string& markdown) {
  std::vector<ProseFinding> findings;
  const std::vector<std::string> lines = lines_of(markdown);
  bool fenced = false, cited = false, linked = false;
  std::string block;  // the generated one that this line belongs to
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    if (line.starts_with("```")) fenced = !fenced;
    static const std::regex opening(
        R"(<!-- (mutants|say|numbers|steps|exercises|table|claims|verdicts|ladder|counters)\b.*-->)");
    std::smatch match;
    if (std::regex_match(line, match, opening)) block = match[1];
    if (line == fmt::format("<!-- /{} -->", block)) block.clear();
    if (fenced || !block.empty()) continue;

    static const std::regex code("`[^`]*`");
    const std::string words = unmarked(std::regex_replace(line, code, ""), cited);
    linked = linked || line.find("](http") != std::string::npos;
    if (line.empty() || i + 1 == lines.size()) {
      if (cited && !linked) findings.push_back({i, "a cited figure without a link to its source"});
      cited = linked = false;
    }
    if (std::regex_search(words, match, figure())) {
      findings.push_back(
          {i + 1, fmt::format("'{}' is typed by hand; write <!--= what as how --><!--/-->, or mark "
                              "it <!--def-->…<!--/--> or <!--cited-->…<!--/-->",
                              match[0].str())});
    }
    for (const Term& term : kTerms) {
      if (std::regex_search(words, match, std::regex(term.wrong))) {
        findings.push_back({i + 1, fmt::format("'{}' is spelled {}", match[0].str(), term.right)});
      }
    }
  }
  return findings;
}

}  // namespace qlab
