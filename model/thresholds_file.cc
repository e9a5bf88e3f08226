// SPDX-License-Identifier: Apache-2.0
/// \file
/// The file of calibrated scales. A file of another model is refused: a missing layer would run with no
/// scale, a strange one shows that the numbers belong elsewhere.
#include <cmath>
#include <nlohmann/json.hpp>

#include "model/calibration.h"
#include "model/input_error.h"
#include "model/strict_json.h"

namespace qlab {
namespace {

constexpr const char* kSchema = "quantization-lab.thresholds";
constexpr int kSchemaVersion = 1;

constexpr const char* kWayOut = "; write one with ./lab calibrate";

float threshold_of(const nlohmann::json& value, const std::string& layer,
                   const std::filesystem::path& file) {
  // A number beyond FP32's range would become infinity.
  const double number = value.is_number() ? value.get<double>() : -1;
  if (!(number >= 0) || !std::isfinite(static_cast<float>(number))) {
    fail_input(file, "the threshold of ", layer, " is ", value.dump(),
               ", expected a finite number from 0 on", kWayOut);
  }
  return static_cast<float>(number);
}

}  // namespace

std::string thresholds_to_json(const Thresholds& thresholds, const std::string& calibrator) {
  const nlohmann::ordered_json json = {{"schema", kSchema},
                                       {"schema_version", kSchemaVersion},
                                       {"calibrator", calibrator},
                                       {"thresholds", thresholds}};
  return json.dump(1) + "\n";
}

Thresholds read_thresholds(const std::filesystem::path& file, const LlamaConfig& config) {
  if (!std::filesystem::exists(file)) fail_input(file, "does not exist", kWayOut);
  const nlohmann::json json = read_json_object(file);
  if (json.value("schema", nlohmann::json()) != kSchema) {
    fail_input(file, "is no file of thresholds: its \"schema\" is not \"", kSchema, "\"", kWayOut);
  }
  if (json.value("schema_version", nlohmann::json()) != kSchemaVersion) {
    fail_input(file, "its \"schema_version\" is not ", kSchemaVersion, kWayOut);
  }
  const nlohmann::json layers = json.value("thresholds", nlohmann::json());
  if (!layers.is_object()) fail_input(file, "has no object \"thresholds\"", kWayOut);

  Thresholds thresholds;
  for (const std::string& name : linear_names(config)) {
    if (!layers.contains(name)) {
      fail_input(file, "has no threshold for ", name, "; it is of another model", kWayOut);
    }
    thresholds[name] = threshold_of(layers[name], name, file);
  }
  for (const auto& layer : layers.items()) {
    if (!thresholds.contains(layer.key())) {
      fail_input(file, "has a threshold for ", printable(layer.key()),
                 ", a layer that this model does not have", kWayOut);
    }
  }
  return thresholds;
}

}  // namespace qlab
