// SPDX-License-Identifier: Apache-2.0
/// \file
/// One change after the other: comments, headings, links and pictures, formulas, folded text.
#include "pages/site.h"

#include <fmt/format.h>

#include "lab/text.h"
#include "model/input_error.h"
#include "pages/markdown.h"

namespace qlab {
namespace {

namespace fs = std::filesystem;

/// Headings get the name of their page before GitHub's anchor, as Doxygen's names are the site's.
std::string with_names(const std::string& text, const std::string& id) {
  std::string result;
  bool fenced = false, titled = false;
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with("```")) fenced = !fenced;
    static const std::regex heading(R"((#+) (.*))");
    std::smatch match;
    if (fenced || !std::regex_match(line, match, heading)) {
      result += line + "\n";
    } else if (!titled) {
      titled = true;
      result += fmt::format("# {} {{#{}}}\n\n\\tableofcontents\n", match[2].str(),
                            id == "index" ? "mainpage" : id);
    } else {
      result += fmt::format("{} {{#{}_{}}}\n", line, id, heading_slug(match[2].str()));
    }
  }
  return result;
}

/// Doxygen knows C++; everything else stays as it is.
std::string with_plain_fences(const std::string& text) {
  static const std::regex fence(R"((^|\n)```(console|text|json|python|)\n([^`]*)\n```(?=\n))");
  return replace_each(text, fence, [](const std::smatch& match) {
    return match[1].str() + "```{.unparsed}\n" + match[3].str() + "\n```";
  });
}

bool read_by_doxygen(const fs::path& target) {
  const auto top = target.begin()->string();
  return (top == "kernels" || top == "model" || top == "solutions") &&
         (target.extension() == ".h" || target.extension() == ".cc" || target.extension() == ".cu");
}

/// One link of `page`, as Markdown with Doxygen's target.
class Links {
 public:
  Links(const Docs& docs, const fs::path& page, std::set<fs::path>& files)
      : docs_(docs), page_(page), pages_(all_pages(docs)), files_(files) {}

  std::string operator()(const std::string& words, const std::string& address) {
    if (address.find("://") != std::string::npos) return fmt::format("[{}]({})", words, address);
    const auto hash = address.find('#');
    const std::string path = address.substr(0, hash);
    const std::string anchor = hash == std::string::npos ? "" : address.substr(hash + 1);
    if (path.empty()) return fmt::format("[{}](@ref {}_{})", words, page_id(docs_, page_), anchor);
    const fs::path target = (fs::path("docs") / page_.parent_path() / path).lexically_normal();
    if (!fs::exists(docs_.places.root / target)) {
      throw InputError(
          fmt::format("docs/{}: the link '{}' leads nowhere", page_.string(), address));
    }
    const fs::path inside = target.lexically_relative("docs");
    if (std::ranges::find(pages_, inside) != pages_.end()) {
      const std::string id = page_id(docs_, inside);
      return fmt::format("[{}](@ref {})", words, anchor.empty() ? id : id + "_" + anchor);
    }
    if (read_by_doxygen(target)) return fmt::format("[{}](@ref {})", words, target.string());
    if (fs::is_directory(docs_.places.root / target)) return words;
    files_.insert(target);
    return fmt::format("<a href=\"files/{}\">{}</a>", target.generic_string(), words);
  }

 private:
  const Docs& docs_;
  const fs::path& page_;
  std::vector<fs::path> pages_;
  std::set<fs::path>& files_;
};

std::string attribute(std::string text) {
  for (const auto& [from, to] : {std::pair{"&", "&amp;"}, {"\"", "&quot;"}, {"<", "&lt;"}}) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += 1) {
      text.replace(at, 1, to);
    }
  }
  return text;
}

/// Links may hold `code` in their words, so that whole lines are looked at, fences left out.
std::string with_links(const std::string& text, Links& links) {
  static const std::regex link(R"((!?)\[((?:[^\[\]]|`[^`]*`)*)\]\(([^()\s]+)\))");
  std::string result;
  bool fenced = false;
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with("```")) fenced = !fenced;
    result +=
        fenced ? line : replace_each(line, link, [&](const std::smatch& match) -> std::string {
          if (match[1].length() == 0) return links(match[2], match[3]);
          return fmt::format("<img class=\"picture\" src=\"{}\" alt=\"{}\"/>",
                             fs::path(match[3].str()).filename().string(), attribute(match[2]));
        });
    result += "\n";
  }
  return result;
}

/// `$…$` within a line, and `$$` on lines of their own.
std::string with_formulas(const std::string& text) {
  bool open = false;
  return map_prose(text, [&](const std::string& prose) {
    if (prose == "$$") {
      open = !open;
      return std::string(open ? "\\f[" : "\\f]");
    }
    static const std::regex formula(R"(\$([^$]+)\$)");
    return replace_each(prose, formula,
                        [](const std::smatch& match) { return "\\f$" + match[1].str() + "\\f$"; });
  });
}

std::string with_folds(const std::string& text) {
  static const std::regex tag(R"((^|\n)(<details>\n<summary>(.*?)</summary>|</details>)(?=\n))");
  return replace_each(text, tag, [](const std::smatch& match) {
    return fmt::format("{}\\htmlonly[block]\n{}\n\\endhtmlonly", match[1].str(), match[2].str());
  });
}

}  // namespace

std::string page_id(const Docs& docs, const fs::path& page) {
  if (page == "README.md") return "index";
  if (docs.exercise_of(page) != nullptr || page.parent_path().empty()) {
    std::string id = page.stem().string();
    for (char& c : id) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return id;
  }
  const std::string folder = page.parent_path().string();
  if (page.stem() == "README") return "lab" + folder.substr(0, 2);
  return folder + "_" + page.stem().string();
}

std::string site_page(const Docs& docs, const fs::path& page, const std::string& text,
                      std::set<fs::path>& files) {
  static const std::regex comment("<!--.*?-->");
  std::string result;
  bool fenced = false;
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with("```")) fenced = !fenced;
    result += (fenced ? line : std::regex_replace(line, comment, "")) + "\n";
  }
  Links links(docs, page, files);
  return with_folds(
      with_formulas(with_links(with_plain_fences(with_names(result, page_id(docs, page))), links)));
}

}  // namespace qlab
