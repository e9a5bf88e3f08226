// SPDX-License-Identifier: Apache-2.0
/// \file
/// ReportText: the lines of a report for a terminal, and how it writes numbers.
#pragma once

#include <string>
#include <string_view>

#include "common/statistics.h"
#include "lab/terminal.h"

namespace qlab {

struct Results;
struct ServingSweep;

class ReportText {
 public:
  explicit ReportText(const Terminal& terminal);

  void line(const std::string& text = "");
  /// A heading behind an empty line.
  void title(const std::string& text);
  /// A dim paragraph.
  void note(const std::string& text);
  /// Lines that begin with `indent`.
  void paragraph(const std::string& text, std::string_view indent);
  std::string styled(Style style, std::string_view text) const {
    return terminal_.styled(style, text);
  }
  /// All of it, for this terminal.
  std::string finished();

 private:
  const Terminal& terminal_;
  std::size_t width_;
  std::string out_;
};

/// With as many digits as mean something.
std::string number(double value);
/// "0.58 [0.57, 0.60]"; an exact value without its ends.
std::string with_interval(const Interval& interval);

/// One sweep of the section on serving.
void report_serving(const ServingSweep& sweep, ReportText& text);

/// What ran where, and the limits of the run.
void report_head(const Results& results, ReportText& text);

/// The section on quality.
void report_quality(const Results& results, ReportText& text);

}  // namespace qlab
