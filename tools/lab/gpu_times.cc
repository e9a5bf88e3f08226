// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads the times of a GPU and believes none of them unseen.
#include "lab/gpu_times.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>

#include "common/statistics.h"
#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::string_view kSchema = "quantization-lab.gpu_compare";
constexpr std::int64_t kVersion = 1;
constexpr const char* kAgain = "measure again with ./lab compare --device cuda";

/// One object of the file, and where it stands, for what is said of its values.
class Part {
 public:
  Part(const fs::path& file, const Json& json, std::string where)
      : file_(file), json_(json), where_(std::move(where)) {
    if (!json.is_object()) refuse("is no object");
  }

  template <class... Words>
  [[noreturn]] void refuse(const Words&... words) const {
    fail_input(file_, where_, " ", words..., "; ", kAgain);
  }

  const Json& at(const char* key) const {
    const auto found = json_.find(key);
    if (found == json_.end()) refuse("lacks \"", key, "\"");
    return *found;
  }
  /// Words that can be printed: nothing that moves a cursor, and not endless.
  std::string text(const char* key) const {
    const Json& value = at(key);
    const auto* words = value.get_ptr<const std::string*>();
    if (words == nullptr || words->empty() || words->size() > 120 ||
        std::ranges::any_of(*words, [](unsigned char c) { return c < ' ' || c == 0x7F; })) {
      refuse("has a \"", key, "\" that is no name");
    }
    return *words;
  }
  bool yes(const char* key) const {
    if (!at(key).is_boolean()) refuse("has a \"", key, "\" that is neither true nor false");
    return at(key).get<bool>();
  }
  double above_zero(const char* key) const {
    const Json& value = at(key);
    const double number = value.is_number() ? value.get<double>() : 0;
    if (!(number > 0) || !std::isfinite(number)) {
      refuse("has a \"", key, "\" that is no number above 0");
    }
    return number;
  }
  std::int64_t count(const char* key) const {
    constexpr double kMost = 0x1p53;  // beyond it doubles skip whole numbers
    const double number = above_zero(key);
    if (number != std::floor(number) || number > kMost) {
      refuse("has a \"", key, "\" that is no count");
    }
    return static_cast<std::int64_t>(number);
  }
  const Json& list(const char* key) const {
    if (!at(key).is_array() || at(key).empty()) refuse("has a \"", key, "\" that is no list");
    return at(key);
  }

 private:
  const fs::path& file_;
  const Json& json_;
  std::string where_;
};

GpuRun run_of(const fs::path& file, const Part& whole) {
  const Part c(file, whole.at("circumstances"), "\"circumstances\"");
  const Part roofline(file, whole.at("roofline"), "\"roofline\"");
  const auto product = [&](const std::string& type) {
    const double flops = roofline.above_zero((type + "_product_flops_per_second").c_str());
    const double peak = roofline.above_zero((type + "_flops_per_second").c_str());
    if (flops > kOverRoofline * peak) {
      roofline.refuse(fmt::format("has a product of {:.4g} TFLOP/s in {} above the peak of {:.4g}",
                                  1e-12 * flops, type, 1e-12 * peak));
    }
    return flops;
  };
  return {.file = file.string(),
          .date = c.text("date"),
          .device = c.text("device"),
          .compute_capability = c.text("compute_capability"),
          .multiprocessors = c.count("multiprocessors"),
          .l2_bytes = c.count("l2_bytes"),
          .cuda_runtime = c.count("cuda_runtime"),
          .cuda_driver = c.count("cuda_driver"),
          .quick = c.yes("quick"),
          .read_bytes_per_second = roofline.above_zero("read_bytes_per_second"),
          .launch_seconds = roofline.above_zero("launch_seconds"),
          .fp16_flops_per_second = roofline.above_zero("fp16_flops_per_second"),
          .int8_flops_per_second = roofline.above_zero("int8_flops_per_second"),
          .fp16_product_flops_per_second = product("fp16"),
          .int8_product_flops_per_second = product("int8")};
}

std::vector<double> seconds_of(const Part& part) {
  std::vector<double> seconds;
  for (const Json& value : part.list("seconds")) {
    const double number = value.is_number() ? value.get<double>() : 0;
    if (!(number > 0) || !std::isfinite(number)) {
      part.refuse("took ", printable(value.dump()), " seconds in round ", seconds.size() + 1);
    }
    seconds.push_back(number);
  }
  if (seconds.size() < kLeastGpuRounds) {
    part.refuse("has ", seconds.size(), " rounds, and ", kLeastGpuRounds, " say enough");
  }
  return seconds;
}

/// Refuses a candidate that would have moved or computed more than the device can.
void check_roofline(const GpuCandidate& c, const GpuRun& run, const Part& part) {
  const double seconds = median(c.seconds);
  const double bytes = static_cast<double>(c.cost.bytes) / seconds;
  const double flops = static_cast<double>(c.cost.flops) / seconds;
  const bool integers = c.name.starts_with("int8");
  const double peak = integers ? run.int8_flops_per_second : run.fp16_flops_per_second;
  if (bytes > kOverRoofline * run.read_bytes_per_second) {
    part.refuse(fmt::format("moves {:.4g} GB/s where {:.4g} GB/s were read at most", 1e-9 * bytes,
                            1e-9 * run.read_bytes_per_second),
                ", which is an error of the measurement");
  }
  if (flops > kOverRoofline * peak) {
    part.refuse(fmt::format("computes {:.4g} TFLOP/s where the {} peak is {:.4g} TFLOP/s",
                            1e-12 * flops, integers ? "INT8" : "FP16", 1e-12 * peak),
                ", which is an error of the measurement");
  }
}

GpuProblem problem_of(const fs::path& file, const Json& json, const GpuRun& run,
                      std::size_t number) {
  const Part part(file, json, fmt::format("problem {}", number));
  GpuProblem problem{.operation = part.text("operation"), .candidates = {}};
  try {
    parse_gpu_operation(problem.operation);
  } catch (const InputError& error) {
    part.refuse(error.what());
  }
  for (const Json& one : part.list("candidates")) {
    const std::string place =
        fmt::format("{}: candidate {}", problem.operation, problem.candidates.size() + 1);
    const std::string name = Part(file, one, place).text("name");
    const Part c(file, one, fmt::format("{}: {}", problem.operation, name));
    if (std::ranges::count(problem.candidates, name, &GpuCandidate::name) > 0) {
      c.refuse("is there twice");
    }
    problem.candidates.push_back({.name = name,
                                  .rung = c.text("rung"),
                                  .ours = c.yes("ours"),
                                  .cost = {.bytes = c.count("bytes"), .flops = c.count("flops")},
                                  .seconds = seconds_of(c)});
    const std::size_t rounds = problem.candidates.front().seconds.size();
    if (problem.candidates.back().seconds.size() != rounds) {
      c.refuse("has ", problem.candidates.back().seconds.size(), " rounds, and ",
               problem.candidates.front().name, " ", rounds);
    }
    check_roofline(problem.candidates.back(), run, c);
  }
  if (problem.candidates.size() < 2 || problem.candidates[0].name != "fp16" ||
      problem.candidates[1].name != "fp16 again") {
    part.refuse("does not begin with fp16 and fp16 again");
  }
  return problem;
}

}  // namespace

GpuOperation parse_gpu_operation(const std::string& operation) {
  // No side has more digits than a number can hold.
  static const std::regex linear(R"(([a-zA-Z ]+) \d{1,9}×\d{1,9}, M = (\d{1,9}))");
  static const std::regex decode(R"(decode attention, \d{1,9} heads, \d{1,9} tokens)");
  static const std::regex batched(
      R"(batched attention, \d{1,9} on \d{1,9} heads, \d{1,9} tokens, batch [1-9]\d{0,8})");
  std::smatch match;
  if (std::regex_match(operation, match, linear)) {
    return {.kind = "linear", .layer = match[1], .tokens = std::stoll(match[2])};
  }
  if (std::regex_match(operation, decode)) return {.kind = "decode", .layer = ""};
  if (std::regex_match(operation, batched)) return {.kind = "batched", .layer = ""};
  throw InputError(fmt::format("is {}, which lab compare does not know", printable(operation)));
}

GpuTimes read_gpu_times(const fs::path& file) {
  const std::optional<std::string> text = read_text(file);
  if (!text) {
    fail_input(file, "cannot be read; --device takes cpu, cuda, or a file of times from a GPU");
  }
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) fail_input(file, "is no JSON object, or is cut off; ", kAgain);
  const Json schema = json.value("schema", Json());
  if (schema != kSchema) {
    const auto* name = schema.get_ptr<const std::string*>();
    fail_input(file, "is ", name == nullptr ? "a file without a schema" : "of " + printable(*name),
               ", and --device takes ", printable(kSchema), ", which lab_gpu --compare writes");
  }
  const Json version = json.value("schema_version", Json());
  if (version != kVersion) {
    fail_input(file, "has schema_version ", printable(version.dump()), ", and this lab reads ",
               kVersion, "; use the lab that wrote it, or ", kAgain);
  }
  const Part whole(file, json, "the file");
  GpuTimes times{.run = run_of(file, whole), .problems = {}};
  for (const Json& problem : whole.list("problems")) {
    times.problems.push_back(problem_of(file, problem, times.run, times.problems.size() + 1));
    const std::string& operation = times.problems.back().operation;
    if (std::ranges::count(times.problems, operation, &GpuProblem::operation) > 1) {
      whole.refuse("has ", operation, " twice");
    }
  }
  return times;
}

}  // namespace qlab
