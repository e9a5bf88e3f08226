// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pictures of Lab 05, one a page.
#pragma once

#include <string>

#include "pages/measured.h"

namespace qlab {

std::string picture_cost_model(const Measured& measured);
std::string picture_latency_metrics();
std::string picture_continuous_batching();
std::string picture_capacity_plan(const Measured& measured);
std::string picture_tradeoff(const Measured& measured);

}  // namespace qlab
