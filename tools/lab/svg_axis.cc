// SPDX-License-Identifier: Apache-2.0
/// \file
/// Scales and ticks of a chart.
#include "lab/svg_axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/contract.h"

namespace qlab {
namespace {

constexpr double kSteps[] = {1, 2, 5, 10};

std::string superscript(int number) {
  constexpr const char* kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = number < 0 ? "⁻" : "";
  for (const char digit : std::to_string(std::abs(number))) text += kDigits[digit - '0'];
  return text;
}

std::string with_commas(const std::string& digits) {
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

}  // namespace

double round_below(double value) {
  const double decade = std::pow(10, std::floor(std::log10(value)));
  double result = decade;
  for (const double step : kSteps) {
    if (step * decade <= value * (1 + 1e-9)) result = step * decade;
  }
  return result;
}

double round_above(double value) {
  const double decade = std::pow(10, std::floor(std::log10(value)));
  for (const double step : kSteps) {
    if (step * decade >= value * (1 - 1e-9)) return step * decade;
  }
  return 10 * decade;
}

std::string tick_label(double value) {
  if (value == 0) return "0";
  const double magnitude = std::abs(value);
  const int exponent = static_cast<int>(std::floor(std::log10(magnitude) + 1e-9));
  if (exponent >= -3 && exponent < 6) {
    std::string text = fmt::format("{:.6g}", magnitude);
    if (magnitude >= 1000) text = with_commas(fmt::format("{:.0f}", magnitude));
    return (value < 0 ? "-" : "") + text;
  }
  const std::string mantissa = fmt::format("{:.3g}", magnitude / std::pow(10, exponent));
  return (value < 0 ? "-" : "") + (mantissa == "1" ? "" : mantissa + "·") + "10" +
         superscript(exponent);
}

SvgAxis::SvgAxis(bool log, double low, double high, double from, double to)
    : log_(log), low_(low), high_(high), from_(from), to_(to) {
  QLAB_CHECK(std::isfinite(low) && std::isfinite(high) && low < high, "svg_chart: an axis from ",
             low, " to ", high, " shows nothing");
  QLAB_CHECK(!log || low > 0, "svg_chart: a log axis cannot begin at ", low);
}

double SvgAxis::position(double value) const {
  const double share =
      log_ ? std::log(value / low_) / std::log(high_ / low_) : (value - low_) / (high_ - low_);
  return from_ + std::clamp(share, 0.0, 1.0) * (to_ - from_);
}

std::vector<SvgTick> SvgAxis::ticks(double room) const {
  std::vector<SvgTick> ticks;
  for (const double value : log_ ? log_ticks(room) : linear_ticks(room)) {
    ticks.push_back({position(value), tick_label(value)});
  }
  return ticks;
}

std::vector<double> SvgAxis::linear_ticks(double room) const {
  const double most = std::max(1.0, std::abs(to_ - from_) / room);
  const double step = round_above((high_ - low_) / most);
  std::vector<double> values;
  // A multiple of the step, never a sum of steps: 0.1 three times is not 0.3.
  for (double i = std::ceil(low_ / step - 1e-9); i * step <= high_ + step * 1e-9; ++i) {
    values.push_back(i * step);
  }
  return values;
}

std::vector<double> SvgAxis::log_ticks(double room) const {
  const double decades = std::log10(high_ / low_);
  const double decade = std::abs(to_ - from_) / decades;
  // 1, 2, 5 where 1 and 2 stand far enough apart; else each power of ten, or every second, third, …
  const bool fine = decade * std::log10(2) >= room;
  const double stride = std::max(1.0, std::ceil(room / decade));
  std::vector<double> values;
  const double first = std::floor(std::log10(low_));
  for (double exponent = first; exponent <= std::log10(high_) + 1e-9; ++exponent) {
    if (std::fmod(std::abs(exponent), stride) != 0) continue;
    for (const double step : {1.0, 2.0, 5.0}) {
      const double value = step * std::pow(10, exponent);
      const bool inside = value >= low_ * (1 - 1e-9) && value <= high_ * (1 + 1e-9);
      if (inside && (fine || step == 1)) values.push_back(value);
    }
  }
  return values;
}

}  // namespace qlab
