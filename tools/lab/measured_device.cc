// SPDX-License-Identifier: Apache-2.0
/// \file
/// A device's constants, out of the committed results of what ran on it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>

#include "lab/served_formats.h"
#include "model/input_error.h"

namespace qlab {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// What also ran on a device, and has other figures.
constexpr std::array<std::string_view, 2> kOthers{"quantization-lab.gpu_bench",
                                                  "quantization-lab.compare"};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

std::vector<fs::path> json_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".json") files.push_back(it->path());
  }
  if (error) fail_input(folder, "cannot be read: ", error.message());
  std::ranges::sort(files);
  return files;
}

Json read(const fs::path& file) {
  std::ifstream stream(file);
  Json json = Json::parse(stream, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) {
    fail_input(file, "is no JSON object; write it again with the bench that made it");
  }
  return json;
}

/// Takes over what a file has about the device.
void add_figures(const Json& json, MeasuredDevice& device) {
  ServedDevice& d = device.served;
  const Json& roofline = json.at("roofline");
  d.bytes_per_second =
      std::max(d.bytes_per_second, roofline.at("read_bytes_per_second").get<double>());
  d.step_overhead_seconds = roofline.at("launch_seconds").get<double>();
  const auto learn = [](double& most, const Json& flops) {
    most = std::max(most, flops.get<double>());
  };
  if (json.value("schema", "") == "quantization-lab.gpu_compare") {
    learn(d.fp16_flops, roofline.at("fp16_product_flops_per_second"));
    learn(d.int8_flops, roofline.at("int8_product_flops_per_second"));
    return;
  }
  for (const Json& row : json.at("table")) {
    if (row.at("operation") == "fp16_gemm") learn(d.fp16_flops, row.at("flops_per_second"));
    if (row.at("operation") == "int8_gemm") learn(d.int8_flops, row.at("flops_per_second"));
  }
}

}  // namespace

MeasuredDevice measured_device(const fs::path& folder, std::string_view name) {
  MeasuredDevice device{};
  for (const fs::path& file : json_files(folder)) {
    const Json json = read(file);
    try {
      const Json& circumstances = json.at("circumstances");
      // Of a CPU or a profiler; or the rungs of a ladder, or verdicts.
      if (!circumstances.contains("device") || !json.contains("roofline") ||
          std::ranges::count(kOthers, json.value("schema", "")) > 0) {
        continue;
      }
      const auto full = circumstances.at("device").get<std::string>();
      if (lower(full).find(lower(name)) == std::string::npos) continue;
      device.name = full;
      device.date = std::max(device.date, circumstances.at("date").get<std::string>());
      device.files.push_back(file.filename().string());
      add_figures(json, device);
    } catch (const Json::exception& error) {
      fail_input(file, "lacks a figure: ", error.what());
    }
  }
  if (device.files.empty()) {
    throw InputError(
        fmt::format("no file in {} is about a device named {}; those of h200 and h100 are",
                    folder.filename().string(), printable(name)));
  }
  for (const auto& [figure, value] : {std::pair("FP16 products", device.served.fp16_flops),
                                      std::pair("INT8 products", device.served.int8_flops)}) {
    if (value > 0) continue;
    throw InputError(fmt::format("no file of {} says how fast its {} are; run that bench there",
                                 device.name, figure));
  }
  return device;
}

}  // namespace qlab
