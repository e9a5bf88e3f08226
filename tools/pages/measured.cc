// SPDX-License-Identifier: Apache-2.0
/// \file
/// Follows a path through the JSON of one machine, and writes what stands there as text.
#include "pages/measured.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <regex>

#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::string_view kReference = "xeon_2threads";

struct Reading {
  std::string file, path;
};

/// "C18.low" → claims[id=C18].measured.low of the reference machine; a first word without brackets or
/// points is a file.
Reading reading(std::string_view what) {
  static const std::regex claim(R"((C\d\d)(\.(value|low|high))?)");
  static const std::regex with_file(R"((\w+) +(\S.*))");
  const std::string text(what);
  std::smatch match;
  if (std::regex_match(text, match, claim)) {
    const std::string end = match[3].matched ? match[3].str() : "value";
    return {std::string(kReference), fmt::format("claims[id={}].measured.{}", match[1].str(), end)};
  }
  if (std::regex_match(text, match, with_file)) return {match[1], match[2]};
  return {std::string(kReference), text};
}

/// `A` and `B` of "A / B", or `A` alone.
std::vector<std::string_view> operands(std::string_view what) {
  const auto slash = what.find(" / ");
  if (slash == std::string_view::npos) return {what};
  return {what.substr(0, slash), what.substr(slash + 3)};
}

/// A star in `wanted` stands for any text.
bool equals(const Json& value, std::string_view wanted) {
  if (value.is_string()) {
    const std::string_view text = value.get_ref<const std::string&>();
    const auto star = wanted.find('*');
    if (star == std::string_view::npos) return text == wanted;
    return text.size() + 1 >= wanted.size() && text.starts_with(wanted.substr(0, star)) &&
           text.ends_with(wanted.substr(star + 1));
  }
  return value.dump() == wanted;
}

const Json* find_key(const Json& json, const std::string& key) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(key);
  return found == json.end() ? nullptr : &*found;
}

const Json& pick(const Json& list, const std::string& conditions) {
  if (!list.is_array()) throw InputError("[" + conditions + "] asks for an element of no list");
  static const std::regex index(R"(\d+)");
  if (std::regex_match(conditions, index)) {
    const auto i = static_cast<std::size_t>(std::stoul(conditions));
    if (i >= list.size()) throw InputError("[" + conditions + "] is past the end of its list");
    return list[i];
  }
  const Json* found = nullptr;
  for (const Json& element : list) {
    bool all = true;
    static const std::regex condition(R"(([^=,]+)=((?:[^,]|, )*),?)");
    for (std::sregex_iterator it(conditions.begin(), conditions.end(), condition), end; it != end;
         ++it) {
      const Json* value = find_key(element, (*it)[1]);
      all = all && value != nullptr && equals(*value, (*it)[2].str());
    }
    if (!all) continue;
    if (found != nullptr) throw InputError("[" + conditions + "] is true of several elements");
    found = &element;
  }
  if (found == nullptr) throw InputError("[" + conditions + "] is true of no element");
  return *found;
}

struct Unit {
  std::string_view name;
  double factor;
};
constexpr std::array kUnits{Unit{"us", 1e6},        Unit{"ms", 1e3},      Unit{"s", 1},
                            Unit{"GB/s", 1e-9},     Unit{"TB/s", 1e-12},  Unit{"GFLOP/s", 1e-9},
                            Unit{"TFLOP/s", 1e-12}, Unit{"KiB", 0x1p-10}, Unit{"MiB", 0x1p-20},
                            Unit{"GiB", 0x1p-30},   Unit{"TiB", 0x1p-40}};

std::string digits(double value, const std::optional<std::size_t>& decimals) {
  if (decimals) {
    const std::string text = fmt::format("{:.{}f}", value, *decimals);
    return text.find_first_not_of("-0.") == std::string::npos && text[0] == '-' ? text.substr(1)
                                                                                : text;
  }
  if (value == 0) return "0";
  const int places = 2 - static_cast<int>(std::floor(std::log10(std::abs(value))));
  return fmt::format("{:.{}f}", value, std::max(0, places));
}

std::string formatted(double value, std::string_view how) {
  static const std::regex form(R"((1/|-)?(0(?:\.(0+))?)? ?(1-%|%|[A-Za-z]+(?:/s)?)?)");
  std::cmatch match;
  if (!std::regex_match(how.begin(), how.end(), match, form)) {
    throw InputError(fmt::format("'{}' is not a way to write a number", how));
  }
  std::optional<std::size_t> decimals;
  if (match[2].matched) decimals = static_cast<std::size_t>(match[3].length());
  if (match[1] == "1/") value = 1 / value;
  if (match[1] == "-") value = -value;
  const std::string unit = match[4];
  if (unit.empty()) return digits(value, decimals);
  if (unit == "%" || unit == "1-%") {
    const double share = unit == "%" ? value : 1 - value;
    return digits(100 * share, decimals ? decimals : std::optional<std::size_t>(0)) + " %";
  }
  const auto known = std::ranges::find(kUnits, unit, &Unit::name);
  if (known == kUnits.end()) {
    throw InputError(fmt::format("'{}' is not a unit that numbers are written in", unit));
  }
  return digits(value * known->factor, decimals) + " " + (unit == "us" ? "µs" : unit);
}

/// What has to be typed to measure the figures of `file` anew.
std::string command_of(std::string_view file, const Json& json) {
  const Json& circumstances = json.at("circumstances");
  const auto schema = json.value("schema", "");
  if (schema == "quantization-lab.gpu_bench")
    return "./lab bench --device cuda --json results.json";
  if (schema == "quantization-lab.gpu_compare") {
    return "build/cuda/lab_gpu --compare --json results.json";
  }
  if (schema == "quantization-lab.compare" && circumstances.contains("device")) {
    return "./lab compare --device cuda --json results.json";
  }
  if (schema == "quantization-lab.gpu_counters") {
    return "tools/gpu/counters.py build/cuda/lab_gpu results.json …";
  }
  if (file.find("_lab") == std::string_view::npos) {
    return fmt::format("./lab compare{} --json results.json",
                       circumstances.value("isa_forced", false)
                           ? " --isa " + circumstances.at("isa").get<std::string>()
                           : "");
  }
  constexpr std::array kBenches{"fp16", "int8", "int4", "kv"};
  const int lab = file.back() - '1';
  return fmt::format("build/cuda/exercises/{}_cuda_bench > results.json",
                     kBenches.at(static_cast<std::size_t>(lab)));
}

}  // namespace

Measured::Measured(const fs::path& folder) : folder_(folder) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != ".json") continue;
    Json json = Json::parse(read_text(it->path()).value_or(""), nullptr, false);
    if (!json.is_object()) fail_input(it->path(), "is no JSON object");
    files_.emplace(it->path().stem(), std::move(json));
  }
  if (error) fail_input(folder, "cannot be read: ", error.message());
}

const Json& Measured::at(std::string_view file, std::string_view path) const {
  const auto found = files_.find(file);
  if (found == files_.end()) {
    throw InputError(fmt::format("plan/measured/{}.json is not there", file));
  }
  const Json* json = &found->second;
  static const std::regex step(R"(\.?([A-Za-z_0-9]+)|\[([^\]]*)\])");
  const std::string text(path);
  std::size_t seen = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), step), end; it != end; ++it) {
    if (static_cast<std::size_t>(it->position()) != seen) break;
    seen += static_cast<std::size_t>(it->length());
    if ((*it)[2].matched) {
      json = &pick(*json, (*it)[2]);
    } else {
      json = find_key(*json, (*it)[1]);
      if (json == nullptr) throw InputError(fmt::format("{} has no '{}'", file, (*it)[1].str()));
    }
  }
  if (seen != text.size()) throw InputError(fmt::format("'{}' is no path", path));
  return *json;
}

double Measured::number(std::string_view what) const {
  double result = 0;
  bool first = true;
  for (const std::string_view operand : operands(what)) {
    const Reading r = reading(operand);
    const Json& value = at(r.file, r.path);
    if (!value.is_number()) throw InputError(fmt::format("'{}' is no number", operand));
    result = first ? value.get<double>() : result / value.get<double>();
    first = false;
  }
  return result;
}

std::string Measured::text(std::string_view what, std::string_view how) const {
  return formatted(number(what), how);
}

std::vector<Origin> Measured::origins(std::string_view what) const {
  std::vector<Origin> result;
  for (const std::string_view operand : operands(what)) {
    const std::string file = reading(operand).file;
    if (std::ranges::find(result, file, &Origin::file) != result.end()) continue;
    const Json& c = at(file, "circumstances");
    const std::string machine =
        c.contains("device")
            ? c.at("device").get<std::string>()
            : fmt::format("{}, {} threads", c.at("cpu").get<std::string>(), c.at("threads").dump());
    result.push_back({file, machine, c.at("date").get<std::string>().substr(0, 10),
                      command_of(file, files_.find(file)->second)});
  }
  return result;
}

}  // namespace qlab
