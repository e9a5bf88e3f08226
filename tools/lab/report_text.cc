// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lines, paragraphs and numbers of a report.
#include "lab/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "lab/text.h"

namespace qlab {

ReportText::ReportText(const Terminal& terminal)
    : terminal_(terminal), width_(static_cast<std::size_t>(std::clamp(terminal.width, 40, 80))) {}

void ReportText::line(const std::string& text) { out_ += text + "\n"; }

void ReportText::title(const std::string& text) {
  line();
  line(styled(Style::kBold, text));
}

void ReportText::note(const std::string& text) {
  line(styled(Style::kDim, wrapped(text, width_ - 2, "  ")));
}

void ReportText::paragraph(const std::string& text, std::string_view indent) {
  line(wrapped(text, width_, indent));
}

std::string ReportText::finished() { return terminal_.plain(std::move(out_)); }

std::string number(double value) {
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size >= 100) return fmt::format("{:.0f}", value);
  if (size >= 10) return fmt::format("{:.1f}", value);
  if (size >= 0.1) return fmt::format("{:.3f}", value);
  return fmt::format("{:.2g}", value);
}

std::string with_interval(const Interval& interval) {
  if (interval.low == interval.high) return number(interval.value);
  return fmt::format("{} [{}, {}]", number(interval.value), number(interval.low),
                     number(interval.high));
}

}  // namespace qlab
