// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of Lab 05, one function each.
#pragma once

#include <string>

#include "05_serving/cost_model.h"
#include "pages/measured.h"

namespace qlab {

/// Llama 2 7B in a format of the table, and the H200 as its benches measured it: what the serving
/// numbers of `./lab compare` are modelled with.
ServedModel pictured_model();
ServedFormat pictured_format(const std::string& name);
ServedDevice pictured_device();

std::string picture_of_cost_model();
std::string picture_of_latency_metrics();
std::string picture_of_continuous_batching();
std::string picture_of_capacity_plan(const Measured& measured);
std::string picture_of_tradeoff(const Measured& measured);

}  // namespace qlab
