// SPDX-License-Identifier: Apache-2.0
/// \file
/// SvgAxis: which values a side of a plot spans, where they are drawn, and its ticks.
#pragma once

#include <string>
#include <vector>

namespace qlab {

struct SvgTick {
  double position;
  std::string label;  ///< empty where two labels would touch
};

/// `low` is drawn at `from`, `high` at `to`; a log axis needs low > 0.
class SvgAxis {
 public:
  SvgAxis(bool log, double low, double high, double from, double to);

  double low() const { return low_; }
  double position(double value) const;

  /// At round numbers, about `room` units apart at least.
  std::vector<SvgTick> ticks(double room) const;

 private:
  std::vector<double> linear_ticks(double room) const;
  std::vector<double> log_ticks(double room) const;

  bool log_;
  double low_, high_, from_, to_;
};

/// The round numbers just outside of low … high: 1, 2 or 5 times a power of ten for a log axis.
double round_below(double value);
double round_above(double value);

/// "0.05", "1,000", "10⁻⁶".
std::string tick_label(double value);

}  // namespace qlab
