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

/// Headers and kernels: Doxygen makes pages of them by itself.
bool read_by_doxygen(const fs::path& target) {
  const auto top = target.begin()->string(), extension = target.extension().string();
  return (top == "kernels" || top == "model") &&
         (extension == ".h" || extension == ".cc" || extension == ".cu") &&
         target.stem().string().find("_test") == std::string::npos;
}

enum class Kind { kMarkdown, kCpp, kText, kOther };

Kind kind_of(const fs::path& file) {
  const std::string extension = file.extension();
  if (extension == ".md") return Kind::kMarkdown;
  if (extension == ".cc" || extension == ".cu" || extension == ".h") return Kind::kCpp;
  if (extension == ".py" || extension == ".sh" || extension == ".txt") return Kind::kText;
  return Kind::kOther;
}

/// A name for a file that is no page of docs/: labs/01_x/y.md → labs_01_x_y_md.
std::string name_of(const fs::path& file) {
  std::string name = file.generic_string();
  for (char& c : name) {
    if (c == '/' || c == '.') c = '_';
  }
  return name;
}

/// Follows the links of one file, and collects what they lead to.
class Links {
 public:
  Links(const Docs& docs, fs::path file, SiteSource& site, std::vector<fs::path>& queue)
      : docs_(docs), file_(std::move(file)), site_(site), queue_(queue) {}

  std::string operator()(const std::string& words, const std::string& address) {
    if (address.find("://") != std::string::npos) return fmt::format("[{}]({})", words, address);
    const auto hash = address.find('#');
    const std::string path = address.substr(0, hash);
    const std::string anchor = hash == std::string::npos ? "" : "_" + address.substr(hash + 1);
    const fs::path target = path.empty() ? file_ : (file_.parent_path() / path).lexically_normal();
    const fs::path there = docs_.places.root / target;
    if (!fs::exists(there)) {
      throw InputError(fmt::format("{}: the link '{}' leads nowhere", file_.string(), address));
    }
    if (fs::is_directory(there)) return words;
    if (read_by_doxygen(target)) return fmt::format("[{}](@ref {})", words, target.string());
    if (kind_of(target) == Kind::kOther) {
      site_.files.insert(target);
      return fmt::format("<a href=\"files/{}\">{}</a>", target.generic_string(), words);
    }
    const std::string name = file_name(docs_, target);
    if (!site_.pages.contains(name)) queue_.push_back(target);
    return fmt::format("[{}](@ref {}{})", words, name, anchor);
  }

  static std::string file_name(const Docs& docs, const fs::path& file) {
    const bool page = file.begin()->string() == "docs" && kind_of(file) == Kind::kMarkdown;
    return page ? page_id(docs, file.lexically_relative("docs")) : name_of(file);
  }

 private:
  const Docs& docs_;
  fs::path file_;
  SiteSource& site_;
  std::vector<fs::path>& queue_;
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

std::string markdown_page(const std::string& text, const std::string& name, Links& links) {
  static const std::regex comment("<!--.*?-->");
  std::string result;
  bool fenced = false;
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with("```")) fenced = !fenced;
    result += (fenced ? line : std::regex_replace(line, comment, "")) + "\n";
  }
  // Doxygen sees no emphasis that begins with a quotation mark.
  static const std::regex quoted(R"re(\*("[^*\n]+")\*)re");
  result = map_prose(result, [](const std::string& prose) {
    return std::regex_replace(prose, quoted, "<em>$1</em>");
  });
  return with_folds(with_formulas(with_links(with_plain_fences(with_names(result, name)), links)));
}

std::string source_page(const std::string& text, const std::string& name, const fs::path& file) {
  return fmt::format("# {} {{#{}}}\n\n```{{{}}}\n{}\n```\n", file.generic_string(), name,
                     kind_of(file) == Kind::kCpp ? ".cpp" : ".unparsed", text);
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

SiteSource site_source(const Docs& docs) {
  SiteSource site;
  std::vector<fs::path> queue;
  for (const fs::path& page : all_pages(docs)) queue.push_back("docs" / page);
  while (!queue.empty()) {
    const fs::path file = queue.back();
    queue.pop_back();
    const std::string name = Links::file_name(docs, file);
    if (site.pages.contains(name)) continue;
    const std::string text = read_text(docs.places.root / file).value_or("");
    Links links(docs, file, site, queue);
    site.pages[name] = "";  // its own links find it
    site.pages[name] = kind_of(file) == Kind::kMarkdown ? markdown_page(text, name, links)
                                                        : source_page(text, name, file);
  }
  return site;
}

}  // namespace qlab
