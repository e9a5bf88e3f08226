// SPDX-License-Identifier: Apache-2.0
/// \file
/// The report's first section: what each configuration loses, and the details of a format.
#include <fmt/format.h>

#include <algorithm>

#include "lab/report_text.h"
#include "lab/results.h"

namespace qlab {
namespace {

class QualityReport {
 public:
  QualityReport(const Results& results, ReportText& text) : r_(results), text_(text) {}

  void quality() {
    text_.title("1. Quality: what is lost against FP16");
    text_.note(
        fmt::format("{}, {:.2f} M parameters · {} bytes of held-out text · {} recall queries · "
                    "[95 % interval over documents]",
                    r_.circumstances.model, static_cast<double>(r_.circumstances.parameters) * 1e-6,
                    r_.quality.text_bytes, r_.quality.recall_queries));
    if (r_.circumstances.isa_forced) {
      text_.note(
          "on this machine's fastest kernels, whatever --isa says: the path changes times, and "
          "predictions only by rounding");
    }
    quality_head();
    for (const QualityRow& row : r_.quality.rows) {
      if (row.configuration->part == Part::kMain) quality_row(row, row.configuration->name);
    }
    quality_details();
  }

  void quality_head() {
    text_.line(text_.styled(Style::kDim,
                            fmt::format("  {:<22}{:>7}  {:<26}{:>8}{:>7}{:>8}", "config", "bits/B",
                                        "more than FP16", "KL nats", "flips", "recall")));
  }

  void quality_row(const QualityRow& row, const std::string& name) {
    const bool reference = row.configuration->name == "fp16";
    const std::string delta = reference ? "-"
                                        : fmt::format("{:+.4f} [{:+.4f}, {:+.4f}]", row.delta.value,
                                                      row.delta.low, row.delta.high);
    text_.line(fmt::format("  {:<22}{:>7.4f}  {:<26}{:>8}{:>7}{:>8}", name, row.bits_per_byte.value,
                           delta, reference ? "-" : number(row.kl.value),
                           reference ? "-" : fmt::format("{:.1f} %", 100 * row.flips.value),
                           fmt::format("{:.1f} %", 100 * row.recall.value)));
  }

  bool has_details(std::string_view family) const {
    return std::ranges::any_of(r_.quality.rows, [&](const QualityRow& row) {
      return row.configuration->part == Part::kDetail && in_family(*row.configuration, family);
    });
  }

  /// Activations in INT8: where scales come from, and what mends outliers. Weights in INT4: by which
  /// method.
  void quality_details() {
    if (has_details("int8")) int8_details();
    if (has_details("int4")) int4_details();
    if (has_details("kv")) kv_details();
  }

  void int4_details() {
    text_.line();
    text_.line("  " + text_.styled(Style::kBold, "INT4 in detail: groups and methods"));
    text_.note(
        "groups of 128 where nothing else is said (g32; channel: a whole row). gptq: later columns "
        "make up for errors; awq: scales protect channels with large activations; w4a8: "
        "activations "
        "in INT8 too. New rows: on a part of the documents");
    detail_rows("int4", /*outliers=*/false);
  }

  void int8_details() {
    text_.line();
    text_.line("  " + text_.styled(Style::kBold, "INT8 in detail: where the scales come from"));
    text_.note(
        "static: one scale a layer, fixed beforehand on other text (digits: on names and digits; "
        "8_bytes: on eight bytes), by the largest magnitude or as the name says, digits and "
        "8_bytes "
        "by percentile 99.99. New rows: on a part of the documents");
    detail_rows("int8", /*outliers=*/false);
    text_.line("  " + text_.styled(Style::kBold, "INT8 in detail: with outliers planted"));
    text_.note(
        "planted: four channels of every norm 64 times larger, the weights that read them smaller, "
        "so that nothing changes in FP32. smooth: SmoothQuant with alpha 0.5 (0.25, 0.75); llm: "
        "LLM.int8(), columns from 6 on in FP16 (codes: their weights from the INT8 codes)");
    detail_rows("int8", /*outliers=*/true);
  }

  /// A cache in fewer bits, which of K and V minds, and how long a context it takes to show.
  void kv_details() {
    text_.line();
    text_.line("  " +
               text_.styled(Style::kBold, "KV cache in detail: fewer bits, and K against V"));
    text_.note(
        "int4, int2: a scale and a minimum for 32 channels of a token; int4_head: a scale a token "
        "and head; kivi: K has them for a channel of 32 tokens instead, the newest tokens stay in "
        "FP16; k_, v_: only K or only V, the other in FP16. New rows: on a part of the documents");
    quality_head();
    for (const QualityRow& row : r_.quality.rows) {
      if (about_cache_only(row)) quality_row(row, row.configuration->name);
    }
    text_.line("  " + text_.styled(Style::kBold, "KV cache in detail: by length of context"));
    text_.note(
        "bits a byte more than FP16, and recall, of predictions with so much context before them. "
        "A name asked for again stands twice in the context: later queries may be easier");
    kv_context_head();
    for (const QualityRow& row : r_.quality.rows) {
      if (about_cache_only(row)) kv_context_row(row);
    }
  }

  static bool about_cache_only(const QualityRow& row) {
    const Recipe& recipe = row.configuration->recipe;
    return recipe.weights == WeightFormat::kFp16 && recipe.kv != KvFormat::kFp16;
  }

  void kv_context_head() {
    std::string head = fmt::format("  {:<14}{:>5} ", "config", "bits");
    for (const std::int64_t edge : kContextEdges) {
      head += fmt::format("{:>8}", fmt::format("\u2264{}", edge));
    }
    head += "  recall";
    for (const std::int64_t edge : kContextEdges) {
      if (edge > kContextEdges[0]) head += fmt::format("{:>7}", fmt::format("\u2264{}", edge));
    }
    text_.line(text_.styled(Style::kDim, head));
  }

  void kv_context_row(const QualityRow& row) {
    std::string line = fmt::format("  {:<14}{:>5.2f} ", row.configuration->name,
                                   kv_bits(row.configuration->recipe.kv));
    for (const auto& part : row.delta_by_context) {
      line += fmt::format("{:>8}", part ? fmt::format("{:+.3f}", part->value) : "-");
    }
    line += "        ";
    for (std::size_t part = 1; part < kContextParts; ++part) {
      const auto& recall = row.recall_by_context[part];
      line += fmt::format("{:>7}", recall ? fmt::format("{:.0f} %", 100 * recall->value) : "-");
    }
    text_.line(line);
  }

  /// Next to the details stand the rows of the same kind that everybody sees.
  void detail_rows(std::string_view family, bool outliers) {
    quality_head();
    for (const QualityRow& row : r_.quality.rows) {
      const Configuration& c = *row.configuration;
      const bool shown = in_family(c, family) && c.recipe.kv == KvFormat::kFp16;
      if (!shown || c.outliers != outliers) continue;
      std::string name = c.name;
      if (outliers) name.erase(name.rfind("_outliers"));
      quality_row(row, name);
    }
  }

 private:
  const Results& r_;
  ReportText& text_;
};

}  // namespace

void report_quality(const Results& results, ReportText& text) {
  QualityReport(results, text).quality();
}

}  // namespace qlab
