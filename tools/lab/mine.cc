// SPDX-License-Identifier: Apache-2.0
/// \file
/// The names under which a learner's functions are linked, or are not, and what is said of them.
#include "lab/mine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

// A learner's file is compiled with the name of its namespace replaced, mine_<id> for exercise
// (tools/cmake/lab_mine.cmake): two files may then define helpers of the same name. A weak function
// that nobody defines has the address null.
#define QLAB_MINE(id, function)                                \
  namespace qlab::mine_##id {                                  \
    [[gnu::weak]] decltype(qlab::exercise::function) function; \
  }
QLAB_MINE(fp16_gemm, fp16_gemm)
QLAB_MINE(w8a8_gemm, w8a8_gemm)
QLAB_MINE(w4a16_gemv, w4a16_gemv)
QLAB_MINE(attention_decode, attention_decode)
QLAB_MINE(continuous_batching, schedule_step)
QLAB_MINE(continuous_batching, complete_step)
QLAB_MINE(cost_model, step_cost)
QLAB_MINE(cost_model, step_seconds)
#undef QLAB_MINE

namespace qlab {

bool Mine::any() const {
  return fp16_gemm != nullptr || w8a8_gemm != nullptr || w4a16_gemv != nullptr ||
         attention_decode != nullptr || schedule != nullptr || step_cost != nullptr;
}

Mine linked_mine() {
  return {.fp16_gemm = mine_fp16_gemm::fp16_gemm,
          .w8a8_gemm = mine_w8a8_gemm::w8a8_gemm,
          .w4a16_gemv = mine_w4a16_gemv::w4a16_gemv,
          .attention_decode = mine_attention_decode::attention_decode,
          .schedule = mine_continuous_batching::schedule_step,
          .complete = mine_continuous_batching::complete_step,
          .step_cost = mine_cost_model::step_cost,
          .step_seconds = mine_cost_model::step_seconds};
}

std::vector<std::string> mine_lines(const MineUse& use) {
  if (!use.asked) return {};
  std::vector<std::string> lines;
  std::vector<std::string> roles;
  for (const MinePlace& place : kMinePlaces) {
    if (std::ranges::count(use.used, place.id) > 0) {
      roles.push_back(fmt::format("{} ({})", place.id, place.role));
    }
  }
  if (roles.empty()) {
    std::vector<std::string_view> places;
    for (const MinePlace& place : kMinePlaces) places.push_back(place.id);
    lines.push_back(fmt::format(
        "yours: none, for no exercise with a place in the comparison is finished; these "
        "have one: {}",
        fmt::join(places, ", ")));
  } else {
    lines.push_back(fmt::format("yours: {}", fmt::join(roles, ", ")));
  }
  if (!use.unfinished.empty()) {
    lines.push_back(
        fmt::format("not used, for its tests do not pass: {}", fmt::join(use.unfinished, ", ")));
  }
  if (!use.without_place.empty()) {
    lines.push_back(
        fmt::format("finished, but no kernel or format that is compared here calls it: {}",
                    fmt::join(use.without_place, ", ")));
  }
  return lines;
}

}  // namespace qlab
