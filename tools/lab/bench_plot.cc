// SPDX-License-Identifier: Apache-2.0
/// \file
/// A roofline in letters: every rung is its number, both axes are logarithmic.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "lab/bench_results.h"

namespace qlab {
namespace {

constexpr int kWidth = 66, kHeight = 16;  // behind ten columns of labels

struct Point {
  double intensity, ops;  // operations a byte, and a second
  char mark;
};

/// 1 … 9, then a … z; a learner's kernel is Y.
char mark_of(const BenchRow& row, std::size_t place) {
  if (row.yours) return 'Y';
  return static_cast<char>(place < 9 ? '1' + place : 'a' + std::min<std::size_t>(place - 9, 25));
}

std::vector<Point> points_of(const BenchResults& results) {
  std::vector<Point> points;
  for (const BenchTable& table : results.tables) {
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
      const BenchRow& row = table.rows[i];
      const double intensity =
          static_cast<double>(row.cost.flops) / static_cast<double>(row.cost.bytes);
      points.push_back({intensity, row.ops_per_second(), mark_of(row, i)});
    }
  }
  return points;
}

/// A logarithmic axis of `cells` cells.
struct Axis {
  double low, high;
  int cells;
  int cell(double value) const {
    const double at = std::log(value / low) / std::log(high / low) * cells;
    return std::clamp(static_cast<int>(at), 0, cells - 1);
  }
  double middle(int cell) const {
    return low * std::pow(high / low, (cell + 0.5) / static_cast<double>(cells));
  }
};

/// "1 v1_scalar  2 v2_avx2", in as many lines as it takes.
std::string legend(const std::vector<BenchRow>& rows) {
  constexpr std::size_t kMostColumns = 80;
  const std::string indent(12, ' ');
  std::string text, line;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string entry = fmt::format("{} {}", mark_of(rows[i], i), rows[i].rung);
    if (!line.empty() && indent.size() + line.size() + 2 + entry.size() > kMostColumns) {
      text += indent + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : "  ") + entry;
  }
  return text + indent + line;
}

}  // namespace

double roof_of(const BenchResults& results) {
  double peak = 0;
  for (const BenchTable& table : results.tables) {
    for (const BenchRow& row : table.rows) {
      const Peak* unit = ceiling_of(results.peaks, table.products, row.path);
      if (unit != nullptr) peak = std::max(peak, unit->ops_per_second);
    }
  }
  return peak;
}

std::string bench_plot(const BenchResults& results) {
  const std::vector<Point> points = points_of(results);
  if (points.empty() || roof_of(results) == 0) return "";
  const double peak = roof_of(results);
  const double memory = results.memory_bytes_per_second;
  double left = peak / memory, right = left, least = peak, most = peak;
  for (const Point& p : points) {
    left = std::min(left, p.intensity);
    right = std::max(right, p.intensity);
    least = std::min(least, p.ops);
    most = std::max(most, p.ops);
  }
  const Axis x{left / 2, right * 2, kWidth}, y{least / 1.5, most * 1.5, kHeight};
  std::vector<std::string> lines(kHeight, std::string(kWidth, ' '));
  for (int column = 0; column < kWidth; ++column) {
    const double roof = std::min(peak, x.middle(column) * memory);
    if (roof < y.low) continue;
    lines[static_cast<std::size_t>(y.cell(roof))][static_cast<std::size_t>(column)] =
        roof < peak ? '/' : '-';
  }
  for (const Point& p : points) {
    lines[static_cast<std::size_t>(y.cell(p.ops))][static_cast<std::size_t>(x.cell(p.intensity))] =
        p.mark;
  }
  std::string text = "  Billions of operations a second\n";
  for (int row = kHeight - 1; row >= 0; --row) {
    const std::string label = row % 5 == 0 ? fmt::format("{:.3g}", 1e-9 * y.middle(row)) : "";
    std::string line = lines[static_cast<std::size_t>(row)];
    line.erase(line.find_last_not_of(' ') + 1);
    text += fmt::format("{:>10} |{}\n", label, line);
  }
  text += fmt::format("{:>10} +{}\n", "", std::string(kWidth, '-'));
  text += fmt::format("{:>11}{:<10.3g}{:>{}}{:>10.3g}\n", "", x.low, "operations a byte",
                      kWidth - 19, x.high);
  return text + legend(results.tables.front().rows);
}

}  // namespace qlab
