// SPDX-License-Identifier: Apache-2.0
/// \file
/// A serving sweep as JSON; docs/compare_json.md describes every key.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "lab/serving.h"

namespace qlab {

nlohmann::ordered_json serving_json(const ServingSweep& sweep);

}  // namespace qlab
