// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of Lab 05, and what is served in them.
#include "pages/pictures/lab05.h"

#include "lab/exercise.h"
#include "lab/served_formats.h"
#include "pages/pictures.h"

namespace qlab {

ServedModel pictured_model() { return served_model(named_models().front().config); }

ServedFormat pictured_format(const std::string& name) {
  return served_format(name, served_configuration(name).recipe, named_models().front().config);
}

ServedDevice pictured_device() {
  return measured_device(Places::of_this_program().root / "plan/measured", "h200").served;
}

std::vector<PagePicture> pictures_of_lab05(const Measured& measured) {
  return {{"cost_model", picture_of_cost_model()},
          {"latency_metrics", picture_of_latency_metrics()},
          {"continuous_batching", picture_of_continuous_batching()},
          {"capacity_plan", picture_of_capacity_plan(measured)},
          {"tradeoff", picture_of_tradeoff(measured)}};
}

}  // namespace qlab
