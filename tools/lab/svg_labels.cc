// SPDX-License-Identifier: Apache-2.0
/// \file
/// Places for the labels of markers: all of them are tried, there are few.
#include "lab/svg_labels.h"

#include <algorithm>
#include <cstddef>

#include "common/contract.h"

namespace qlab {
namespace {

struct Extent {
  double low, high;
};

struct Search {
  const std::vector<double>& x;
  const std::vector<double>& width;
  double left, right;
  std::vector<LabelPlace> place = {};
  std::vector<LabelPlace> best = {};
  double least = 1e9;

  Extent extent(std::size_t i) const {
    return place[i].to_left ? Extent{x[i] - kLabelGap - width[i], x[i] - kLabelGap}
                            : Extent{x[i] + kLabelGap, x[i] + kLabelGap + width[i]};
  }

  /// Whether the label of `a` covers that of `b`; the dearest fault, so that it is never chosen: a
  /// lane of its own is always free.
  bool covers(std::size_t a, std::size_t b) const {
    return place[a].lane == place[b].lane && extent(a).low < extent(b).high + kLabelGap &&
           extent(b).low < extent(a).high + kLabelGap;
  }

  /// Whether the line of marker `a`, on its way up, runs through the label of `b`.
  bool crosses(std::size_t a, std::size_t b) const {
    return place[a].lane >= place[b].lane && x[a] > extent(b).low - 1 && x[a] < extent(b).high + 1;
  }

  double cost_of_last() const {
    const std::size_t last = place.size() - 1;
    const Extent e = extent(last);
    if (e.low < left || e.high > right) return 1e9;
    double cost = place[last].lane + (place[last].to_left ? 0.1 : 0);
    for (std::size_t i = 0; i < last; ++i) {
      if (covers(i, last)) return 1e9;
      cost += 1000.0 * (crosses(i, last) + crosses(last, i));
    }
    return cost;
  }

  /// Depth first; a start that is no better than the best whole is given up.
  void extend(double cost) {
    if (place.size() == x.size()) {
      least = cost;
      best = place;
      return;
    }
    for (int lane = 0; lane < static_cast<int>(x.size()); ++lane) {
      for (const bool to_left : {false, true}) {
        place.push_back({lane, to_left});
        const double with_this = cost + cost_of_last();
        if (with_this < least) extend(with_this);
        place.pop_back();
      }
    }
  }
};

}  // namespace

double text_width(std::string_view text, double font_size) {
  const auto characters =
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; });  // of UTF-8
  return 0.61 * font_size * static_cast<double>(characters);
}

std::string xml_text(std::string_view text) {
  std::string xml;
  for (const char c : text) {
    if (c == '&') {
      xml += "&amp;";
    } else if (c == '<') {
      xml += "&lt;";
    } else if (c == '>') {
      xml += "&gt;";
    } else if (static_cast<unsigned char>(c) >= 0x20) {  // XML has no other control characters
      xml += c;
    }
  }
  return xml;
}

std::string shortened(std::string text, double font_size, double width) {
  if (text_width(text, font_size) <= width) return text;
  while (!text.empty() && text_width(text + "…", font_size) > width) {
    while ((text.back() & 0xC0) == 0x80) text.pop_back();  // a whole character of UTF-8
    text.pop_back();
  }
  return text + "…";
}

std::vector<std::string> text_lines(const std::string& text, double font_size, double width) {
  std::vector<std::string> lines;
  std::size_t from = 0;
  while (from < text.size()) {
    const std::size_t space = std::min(text.find(' ', from), text.size());
    const std::string word = shortened(text.substr(from, space - from), font_size, width);
    from = space + 1;
    if (!lines.empty() && text_width(lines.back() + " " + word, font_size) <= width) {
      lines.back() += " " + word;
    } else {
      lines.push_back(word);
    }
  }
  return lines;
}

std::vector<LabelPlace> place_labels(const std::vector<double>& x, const std::vector<double>& width,
                                     double left, double right) {
  QLAB_CHECK(x.size() <= 6, "svg_chart: ", x.size(), " labels above one plot; 6 are the most");
  Search search{.x = x, .width = width, .left = left, .right = right};
  search.extend(0);
  QLAB_CHECK(search.best.size() == x.size(),
             "svg_chart: the label of a marker is too long for the chart; shorten it");
  return search.best;
}

}  // namespace qlab
