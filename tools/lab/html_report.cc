// SPDX-License-Identifier: Apache-2.0
/// \file
/// Puts the page together.
#include "lab/html_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "lab/html_charts.h"
#include "lab/html_text.h"

namespace qlab {
namespace {

std::string head(const Results& results) {
  // The policy makes a browser refuse whatever the page might ask for from elsewhere.
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'; img-src data:\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<meta name=\"color-scheme\" content=\"light dark\"/>\n<link rel=\"icon\" "
      "href=\"data:,\"/>\n"
      "{}<style>\n{}</style>\n</head>\n",
      html_element("title",
                   "Quantization Lab: the tradeoff table, measured " + results.circumstances.date),
      html_style());
}

/// Lines end between options, not inside of them.
std::string command_element(const std::string& command) {
  std::string html = "<code class=\"command\">";
  std::size_t from = 0;
  while (from < command.size()) {
    const std::size_t next = std::min(command.find(" --", from), command.size());
    html += (from == 0 ? "<span>" : " <span>") + html_text(command.substr(from, next - from)) +
            "</span>";
    from = next + 1;
  }
  return html + "</code>";
}

std::string circumstances(const Results& results) {
  const Circumstances& c = results.circumstances;
  const std::string cpu = fmt::format("{}, {} {}, kernels up to {}{}", c.cpu, c.threads,
                                      c.threads == 1 ? "thread" : "threads", isa_name(c.isa),
                                      c.isa_forced ? " (forced)" : "");
  std::vector<std::pair<std::string, std::string>> facts = {{"Date", c.date}};
  if (c.gpu) {
    facts.insert(facts.end(), {{"Times", gpu_text(*c.gpu)},
                               {"Limits", gpu_limits(*c.gpu)},
                               {"Quality and bytes", cpu + ": no device changes them"}});
  } else {
    facts.insert(
        facts.end(),
        {{"Machine", cpu},
         {"Load before",
          fmt::format("{:.1f} programs running{}", c.load,
                      c.load > 0.5 ? ": times are noisy, and more claims undecided" : "")},
         {"Limits", fmt::format("{:.1f} GB/s of read bandwidth, {:.0f} GFLOP/s of multiply-adds in "
                                "FP32, measured in this run",
                                results.speed.read_bytes_per_second * 1e-9,
                                results.speed.fma_flops_per_second * 1e-9)}});
  }
  facts.insert(
      facts.end(),
      {{"Model",
        fmt::format("{}, {:.2f} M parameters", c.model, static_cast<double>(c.parameters) * 1e-6)},
       {"Judged on", fmt::format("{} bytes of held-out text, {} recall queries",
                                 results.quality.text_bytes, results.quality.recall_queries)},
       {"Inputs", c.inputs},
       {"Seed", fmt::format("{}", c.seed)},
       {"Extent",
        fmt::format("{}{}", c.quick ? "quick" : "full", c.only.empty() ? "" : ", only " + c.only)},
       {"Lab", QLAB_VERSION}});
  for (const std::string& about : results.speed.about) facts.emplace_back("Times, in words", about);
  std::string html = "<section id=\"circumstances\">\n<h2>Circumstances</h2>\n<dl>\n";
  for (const auto& [name, value] : facts) {
    html += html_element("dt", name) + html_element("dd", value);
  }
  return html + "</dl>\n" +
         "<p class=\"repeat\">Measure it again: " + command_element(compare_command(results)) +
         "</p>\n</section>\n";
}

std::string navigation(const std::vector<HtmlFigure>& figures) {
  std::string html =
      "<nav aria-label=\"Sections\">\n<ul>\n"
      "<li><a href=\"#circumstances\">Circumstances</a></li>\n"
      "<li><a href=\"#table\">Tradeoff table</a></li>\n<li><a href=\"#claims\">Claims</a></li>\n";
  for (const HtmlFigure& figure : figures) {
    html += "<li>" +
            html_element("a", figure.heading.substr(0, figure.heading.find(':')),
                         fmt::format("href=\"#{}\"", figure.id)) +
            "</li>\n";
  }
  return html + "</ul>\n</nav>\n";
}

std::string figure_section(const HtmlFigure& figure, const std::string& command) {
  return fmt::format("<section id=\"{}\">\n{}<figure>\n{}<figcaption>\n", figure.id,
                     html_element("h2", figure.heading), svg_figure(figure.chart, figure.id)) +
         "<p class=\"limit\"><strong>Bottleneck:</strong> " + html_text(figure.bottleneck) +
         "</p>\n" + html_element("p", figure.reading, "class=\"dim\"") +
         "</figcaption>\n</figure>\n" + html_table(figure.table, figure.id + "-numbers") +
         "<p class=\"repeat\">Reproduce: " + command_element(command) + "</p>\n</section>\n";
}

/// In single quotes, as a shell takes it.
std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'') {
      word += "'\\''";
    } else {
      word += c;
    }
  }
  return word + "'";
}

}  // namespace

std::string compare_command(const Results& results) {
  const Circumstances& c = results.circumstances;
  std::string command = "./lab compare";
  if (c.gpu) command += " --device cuda";
  if (c.quick) command += " --quick";
  if (!c.only.empty()) command += " --only " + c.only;
  if (c.isa_forced) command += fmt::format(" --isa {}", isa_name(c.isa));
  // The lab's own model has no path.
  if (!c.model.starts_with("the lab's")) command += " --model " + shell_word(c.model);
  const bool calibrated = std::ranges::any_of(results.quality.rows, [](const QualityRow& row) {
    const auto& fixed = row.configuration->fixed;
    return fixed && fixed->set == CalibrationSet::kFile;
  });
  if (calibrated) command += " --calibration FILE";
  return command + fmt::format(" --threads {} --seed {} --budget {} --html report.html", c.threads,
                               c.seed, c.budget_gib);
}

std::string html_report(const Results& results) {
  const std::vector<HtmlFigure> figures = html_figures(results);
  const std::string command = compare_command(results);
  std::string html =
      head(results) +
      "<body>\n<a class=\"skip\" href=\"#main\">Skip to the results</a>\n<header>\n" +
      html_element("h1", "The tradeoff table, measured here") +
      html_element(
          "p",
          "What each way of lowering precision costs and gains on one machine: every claim "
          "of the written table with its number, whether it held or not.") +
      navigation(figures) + "</header>\n<main id=\"main\">\n" + circumstances(results) +
      "<section id=\"table\">\n<h2>The tradeoff table</h2>\n" + html_tradeoff_table(results) +
      "</section>\n<section id=\"claims\">\n<h2>Every claim</h2>\n" + html_claims(results) +
      "</section>\n";
  for (const HtmlFigure& figure : figures) html += figure_section(figure, command);
  return html + "</main>\n<footer>\n" +
         html_element("p", fmt::format("Written by Quantization Lab {}. A claim that does not hold "
                                       "on your machine is a finding.",
                                       QLAB_VERSION)) +
         "</footer>\n</body>\n</html>\n";
}

}  // namespace qlab
