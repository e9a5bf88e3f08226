// SPDX-License-Identifier: Apache-2.0
/// \file
/// Labels one after the other at the cheapest free place of a few dozen, and again, now that the
/// others stand.
#include "lab/svg_points.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <random>
#include <utility>

#include "lab/svg_labels.h"
#include "lab/svg_style.h"

namespace qlab {
namespace {

// A line of text around its baseline, in fonts with tall boxes.
constexpr double kAbove = 0.95 * kChartText, kBelow = 0.25 * kChartText;
constexpr double kRings[] = {8, 20, 34, 50, 70, 95, 125, 160, 200};
constexpr double kWidestShared = 230;  // half of a plot
constexpr int kRounds = 4, kOrders = 16;
constexpr double kNoPlace = 2000;  // dearer than any place
constexpr double kForbidden = std::numeric_limits<double>::infinity();

bool overlap(const SvgBox& a, const SvgBox& b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/// On which side of the line through `s` the point lies.
double side(const SvgSegment& s, double x, double y) {
  return (s.x1 - s.x0) * (y - s.y0) - (s.y1 - s.y0) * (x - s.x0);
}

bool cross(const SvgSegment& a, const SvgSegment& b) {
  return side(a, b.x0, b.y0) * side(a, b.x1, b.y1) < 0 &&
         side(b, a.x0, a.y0) * side(b, a.x1, a.y1) < 0;
}

bool through(const SvgSegment& s, const SvgBox& box) {
  const auto inside = [&](double x, double y) {
    return x > box.left && x < box.right && y > box.top && y < box.bottom;
  };
  return inside(s.x0, s.y0) || inside(s.x1, s.y1) ||
         cross(s, {box.left, box.top, box.right, box.bottom}) ||
         cross(s, {box.left, box.bottom, box.right, box.top});
}

SvgBox mark_of(const LabelledPoint& p) {
  return {p.x - kMarkReach, p.y - kMarkReach, p.x + kMarkReach, p.y + kMarkReach};
}

struct Candidate {
  PointLabelPlace place;
  SvgBox box;
  double cost;  ///< without regard to anything else
};

/// The text's nearest corner or side lies `ring` away in direction (dx, dy).
Candidate candidate(const LabelledPoint& p, double ring, double dx, double dy) {
  const double height = kAbove + kBelow;
  const double cx = p.x + dx * (ring + p.width / 2);
  const double cy = p.y + dy * (ring + height / 2);
  const SvgBox box{cx - p.width / 2, cy - height / 2, cx + p.width / 2, cy + height / 2};
  const PointLabelPlace place{dx > 0   ? box.left
                              : dx < 0 ? box.right
                                       : cx,
                              box.top + kAbove,
                              dx > 0   ? "start"
                              : dx < 0 ? "end"
                                       : "middle",
                              std::nullopt};
  Candidate c{place, box, ring};
  // To the right reads best, then to the left, then above and below.
  c.cost += (dx > 0 ? 0 : dx < 0 ? 3 : 5) + (dy != 0 && dx != 0 ? 2 : 0);
  if (ring > kRings[0]) {
    const double end_x = std::clamp(p.x, box.left, box.right);
    const double end_y = std::clamp(p.y, box.top + 3, box.bottom - 3);
    const double length = std::hypot(end_x - p.x, end_y - p.y);
    const double skip = kMarkReach / std::max(length, kMarkReach);
    c.place.leader = {p.x + (end_x - p.x) * skip, p.y + (end_y - p.y) * skip, end_x, end_y};
    c.cost += 20;
  }
  return c;
}

class Placement {
 public:
  Placement(const std::vector<LabelledPoint>& points, const SvgBox& plot,
            const std::vector<SvgSegment>& segments)
      : points_(points), plot_(plot), segments_(segments), chosen_(points.size()) {}

  /// What is placed first has the choice, so several orders are tried.
  std::vector<std::optional<PointLabelPlace>> run() {
    std::vector<std::size_t> order(points_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    // From top to bottom first: the leaders of a column of points then fan out instead of crossing.
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return points_[i].y; });
    std::vector<std::optional<Candidate>> best;
    double least = kForbidden;
    std::minstd_rand shuffles(1);
    for (int attempt = 0; attempt < kOrders; ++attempt) {
      const double cost = place_all(order);
      if (cost < least) {
        least = cost;
        best = chosen_;
      }
      // By hand, as std::shuffle is not the same everywhere.
      for (std::size_t i = order.size(); i > 1; --i) {
        std::swap(order[i - 1], order[shuffles() % i]);
      }
    }
    std::vector<std::optional<PointLabelPlace>> places;
    for (const auto& c : best) places.push_back(c ? std::optional(c->place) : std::nullopt);
    return places;
  }

 private:
  /// Each in turn, and again now that the others stand. Returns what it costs.
  double place_all(const std::vector<std::size_t>& order) {
    std::ranges::fill(chosen_, std::nullopt);
    double cost = 0;
    for (int round = 0; round < kRounds; ++round) {
      cost = 0;
      for (const std::size_t i : order) {
        if (points_[i].width > 0) cost += place(i);
      }
    }
    return cost;
  }

  double place(std::size_t i) {
    chosen_[i].reset();
    double least = kNoPlace;
    for (const double ring : kRings) {
      for (const double dx : {1.0, 0.5, 0.0, -0.5, -1.0}) {
        for (const double dy : {0.0, -0.5, 0.5, -1.0, 1.0}) {
          if (std::max(std::abs(dx), std::abs(dy)) < 1) continue;
          const Candidate c = candidate(points_[i], ring, dx, dy);
          if (c.cost >= least) continue;
          const double cost = c.cost + cost_among_others(i, c);
          if (cost >= least) continue;
          least = cost;
          chosen_[i] = c;
        }
      }
    }
    return least;
  }

  double cost_among_others(std::size_t i, const Candidate& c) const {
    if (c.box.left < plot_.left || c.box.right > plot_.right || c.box.top < plot_.top ||
        c.box.bottom > plot_.bottom) {
      return kForbidden;
    }
    double cost = 0;
    int crossed = 0;
    for (std::size_t j = 0; j < points_.size(); ++j) {
      const SvgBox mark = mark_of(points_[j]);
      if (overlap(c.box, mark)) return kForbidden;
      if (j == i) continue;
      if (c.place.leader && through(*c.place.leader, mark)) {
        // One may be passed; of two, a number next to the mark is easier to follow.
        if (++crossed == 2) return kForbidden;
        cost += 60;
      }
      if (!chosen_[j]) continue;
      const Candidate& other = *chosen_[j];
      if (overlap(c.box, other.box) || (c.place.leader && through(*c.place.leader, other.box)) ||
          (other.place.leader && through(*other.place.leader, c.box)) ||
          (c.place.leader && other.place.leader && cross(*c.place.leader, *other.place.leader))) {
        return kForbidden;
      }
    }
    for (const SvgSegment& line : segments_) {
      if (through(line, c.box)) cost += 30;
    }
    return cost;
  }

  const std::vector<LabelledPoint>& points_;
  SvgBox plot_;
  const std::vector<SvgSegment>& segments_;
  std::vector<std::optional<Candidate>> chosen_;
};

/// Nobody could tell apart which of these names belongs to which mark.
void share_names(std::vector<LabelledPoint>& points, std::vector<std::string>& names) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const bool cover =
          std::hypot(points[i].x - points[j].x, points[i].y - points[j].y) < kMarkReach;
      if (names[i].empty() || names[j].empty() || points[i].kind != points[j].kind || !cover)
        continue;
      const std::string both = names[j] + ", " + names[i];
      if (text_width(both, kChartText) > kWidestShared) continue;
      names[j] = both;
      points[j].width = text_width(both, kChartText);
      names[i].clear();
      points[i].width = 0;
    }
  }
}

}  // namespace

std::vector<std::optional<PointLabelPlace>> place_point_labels(
    const std::vector<LabelledPoint>& points, const SvgBox& plot,
    const std::vector<SvgSegment>& segments) {
  return Placement(points, plot, segments).run();
}

LabelledNames place_or_number(std::vector<LabelledPoint> points, std::vector<std::string> names,
                              const SvgBox& plot, const std::vector<SvgSegment>& segments) {
  share_names(points, names);
  LabelledNames result{std::move(names), place_point_labels(points, plot, segments), ""};
  std::vector<std::string> numbered(points.size());
  int numbers = 0;
  for (std::size_t i = 0; i < points.size();) {
    if (result.names[i].empty() || result.places[i] || !numbered[i].empty()) {
      ++i;
      continue;
    }
    numbered[i] = std::exchange(result.names[i], std::to_string(++numbers));
    points[i].width = text_width(result.names[i], kChartText);
    result.places = place_point_labels(points, plot, segments);
    i = 0;  // the number may have taken the place of a name
  }
  std::string lost;
  for (int number = 1; number <= numbers; ++number) {
    const std::string text = std::to_string(number);
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (numbered[i].empty() || result.names[i] != text) continue;
      std::string& list = result.places[i] ? result.key : lost;
      list += (list.empty() ? "" : ", ") + (result.places[i] ? text + " " : "") + numbered[i];
    }
  }
  if (!lost.empty()) result.key += (result.key.empty() ? "" : "; ") + ("not named above: " + lost);
  return result;
}

}  // namespace qlab
