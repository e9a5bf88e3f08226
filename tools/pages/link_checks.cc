// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads attributes by hand: a megabyte of HTML is much for std::regex.
#include "pages/link_checks.h"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <set>
#include <string_view>

#include "lab/text.h"

namespace qlab {
namespace {

namespace fs = std::filesystem;

/// Calls `use` with the value of every attribute `name` in tags.
void each_attribute(std::string_view html, std::string_view name,
                    const std::function<void(std::string_view tag, std::string_view value)>& use) {
  const std::string begin = fmt::format(" {}=\"", name);
  for (std::size_t at = 0; (at = html.find(begin, at)) != std::string_view::npos;) {
    const std::size_t from = at + begin.size();
    const std::size_t to = html.find('"', from);
    if (to == std::string_view::npos) return;
    const std::size_t open = html.rfind('<', at), close = html.rfind('>', at);
    if (open != std::string_view::npos && (close == std::string_view::npos || close < open)) {
      const std::string_view tag =
          html.substr(open + 1, html.find_first_of(" \n", open) - open - 1);
      use(tag, html.substr(from, to - from));
    }
    at = to;
  }
}

std::string decoded(std::string_view address) {
  std::string text(address);
  for (const auto& [from, to] : {std::pair{"&amp;", "&"}, {"%20", " "}}) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos;) {
      text.replace(at, std::string_view(from).size(), to);
    }
  }
  return text;
}

class Site {
 public:
  explicit Site(fs::path folder) : folder_(std::move(folder)) {
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().extension() != ".html") continue;
      const std::string name = entry.path().filename();
      html_[name] = read_text(entry.path()).value_or("");
      for (const char* const attribute : {"id", "name"}) {
        each_attribute(html_[name], attribute, [&](std::string_view, std::string_view value) {
          anchors_[name].insert(decoded(value));
        });
      }
    }
  }

  std::vector<std::string> complaints() const {
    std::vector<std::string> found;
    for (const auto& [name, html] : html_) {
      for (const char* const attribute : {"href", "src", "data", "srcset"}) {
        each_attribute(html, attribute, [&](std::string_view tag, std::string_view value) {
          const std::string why = wrong_with(name, tag, decoded(value));
          if (!why.empty()) found.push_back(fmt::format("{}: '{}' {}", name, value, why));
        });
      }
    }
    return found;
  }

  std::vector<fs::path> unreached() const {
    std::vector<std::string> queue = searched();
    queue.emplace_back("index.html");
    std::set<std::string> reached;
    while (!queue.empty()) {
      const std::string page = queue.back();
      queue.pop_back();
      const auto html = html_.find(page);
      if (html == html_.end() || !reached.insert(page).second) continue;
      each_attribute(html->second, "href", [&](std::string_view, std::string_view value) {
        queue.push_back(decoded(value.substr(0, value.find('#'))));
      });
    }
    std::vector<fs::path> others;
    for (const auto& [name, html] : html_) {
      if (!reached.contains(name)) others.push_back(folder_ / name);
    }
    return others;
  }

 private:
  std::string wrong_with(const std::string& page, std::string_view tag,
                         const std::string& address) const {
    for (const std::string_view inside : {"data:", "javascript:", "mailto:"}) {
      if (address.starts_with(inside)) return "";
    }
    if (address.find("//") != std::string::npos) {
      // A reader may follow a link to elsewhere; a page may fetch nothing from there.
      return tag == "a" ? "" : "would be fetched from elsewhere";
    }
    const auto hash = address.find('#');
    const std::string file = address.substr(0, hash);
    const std::string target = file.empty() ? page : file;
    if (!fs::exists(folder_ / target)) return "leads nowhere";
    if (hash == std::string::npos || hash + 1 == address.size()) return "";
    const auto anchors = anchors_.find(target);
    const bool there =
        anchors != anchors_.end() && anchors->second.contains(address.substr(hash + 1));
    return there ? "" : "names an anchor that its page has not";
  }

  /// Pages that the search leads to: "…'../table.html#anchor'…" in its index.
  std::vector<std::string> searched() const {
    std::vector<std::string> pages;
    std::error_code none;  // a site without a search
    for (const auto& entry : fs::directory_iterator(folder_ / "search", none)) {
      if (entry.path().extension() != ".js") continue;
      const std::string index = read_text(entry.path()).value_or("");
      constexpr std::string_view kBegin = "'../";
      for (std::size_t at = 0; (at = index.find(kBegin, at)) != std::string::npos;) {
        at += kBegin.size();
        pages.push_back(index.substr(at, index.find_first_of("#'", at) - at));
      }
    }
    return pages;
  }

  fs::path folder_;
  std::map<std::string, std::string> html_;
  std::map<std::string, std::set<std::string>> anchors_;
};

}  // namespace

std::vector<fs::path> unreached_pages(const fs::path& folder) { return Site(folder).unreached(); }

std::vector<std::string> link_complaints(const fs::path& folder) {
  return Site(folder).complaints();
}

}  // namespace qlab
