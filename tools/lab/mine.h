// SPDX-License-Identifier: Apache-2.0
/// \file
/// Mine: the learner's finished exercises inside `lab compare --mine`.
///
/// `lab` itself never links a learner's file. It builds lab_mine, the same program with the files of
/// finished exercises, and runs that instead; what goes wrong in there ends lab_mine alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "01_fp16_baseline/fp16_gemm.h"
#include "02_int8_calibration/w8a8_gemm.h"
#include "03_int4_weight_only/w4a16_gemv.h"
#include "04_kv_cache/attention_decode.h"
#include "05_serving/continuous_batching.h"
#include "05_serving/cost_model.h"

namespace qlab {

/// The learner's functions that this program is linked with; null where there is none.
struct Mine {
  // Timed beside ours.
  decltype(exercise::fp16_gemm)* fp16_gemm = nullptr;
  decltype(exercise::w8a8_gemm)* w8a8_gemm = nullptr;
  decltype(exercise::w4a16_gemv)* w4a16_gemv = nullptr;
  decltype(exercise::attention_decode)* attention_decode = nullptr;
  // In place of ours in the section on serving; both of an exercise or none.
  decltype(exercise::schedule_step)* schedule = nullptr;
  decltype(exercise::complete_step)* complete = nullptr;
  decltype(exercise::step_cost)* step_cost = nullptr;
  decltype(exercise::step_seconds)* step_seconds = nullptr;

  bool any() const;
};

/// What this program is linked with: nothing in `lab`, something in lab_mine.
Mine linked_mine();

/// An exercise whose code has a place in the comparison.
struct MinePlace {
  std::string_view id;
  std::string_view role;  ///< "times", "schedules serving", "prices the modelled serving"
};
inline constexpr MinePlace kMinePlaces[] = {
    {"fp16_gemm", "times"},
    {"w8a8_gemm", "times"},
    {"w4a16_gemv", "times"},
    {"attention_decode", "times"},
    {"continuous_batching", "schedules serving"},
    {"cost_model", "prices the modelled serving"},
};

/// What the report says of the learner's code.
struct MineUse {
  bool asked = false;                      ///< --mine was given
  std::vector<std::string> used;           ///< ids, in the order of kMinePlaces
  std::vector<std::string> without_place;  ///< finished, but nothing in the comparison calls them
  std::vector<std::string> unfinished;     ///< begun, with a place, and not done: "id (wrong)"
};

/// The lines that the report prints about it; none when nobody asked.
std::vector<std::string> mine_lines(const MineUse& use);

}  // namespace qlab
