// SPDX-License-Identifier: Apache-2.0
/// \file
/// The picture of continuous_batching: four requests in six blocks, as the scheduler ran them.
#include "05_serving/continuous_batching.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "pages/drawing.h"
#include "pages/pictures/lab05.h"

namespace qlab {
namespace {

constexpr std::int64_t kBlocks = 6;

/// What a request does in a step.
struct Moment {
  enum Kind { kAway, kWaits, kPrefills, kDecodes, kEvicted } kind = kAway;
  std::int64_t tokens = 0;
  bool ends = false;
};

struct Step {
  std::vector<Moment> of;  // each request
  std::int64_t free_blocks;
};

/// The requests of the task sheet; a step is one unit of time.
std::vector<ServeRequest> requests() {
  return {{.id = 0, .arrival = 0, .prompt_tokens = 6, .output_tokens = 8},
          {.id = 1, .arrival = 0, .prompt_tokens = 7, .output_tokens = 6},
          {.id = 2, .arrival = 1, .prompt_tokens = 5, .output_tokens = 5},
          {.id = 3, .arrival = 3, .prompt_tokens = 3, .output_tokens = 2}};
}

std::vector<Step> run() {
  Scheduler state(
      {.block_tokens = 4, .total_blocks = kBlocks, .max_running = 3, .max_tokens_per_step = 16});
  const std::vector<ServeRequest> all = requests();
  std::vector<Step> steps;
  for (std::size_t arrived = 0; arrived < all.size() || !state.idle();) {
    const auto now = static_cast<double>(steps.size());
    for (; arrived < all.size() && all[arrived].arrival <= now; ++arrived) {
      state.submit(all[arrived]);
    }
    Step step{.of = std::vector<Moment>(all.size()), .free_blocks = 0};
    const auto at = [&](std::int64_t id) -> Moment& {
      return step.of[static_cast<std::size_t>(id)];
    };
    const StepPlan plan = schedule_step(state);
    for (const ServeSequence& s : state.waiting) at(s.request.id).kind = Moment::kWaits;
    for (const StepWork& w : plan.decode) at(w.id) = {.kind = Moment::kDecodes, .tokens = 1};
    for (const StepWork& w : plan.prefill) {
      at(w.id) = {.kind = Moment::kPrefills, .tokens = w.tokens};
    }
    for (const std::int64_t id : plan.preempted) at(id).kind = Moment::kEvicted;
    step.free_blocks = state.free_blocks;
    for (const std::int64_t id : complete_step(state, plan).finished) at(id).ends = true;
    steps.push_back(std::move(step));
  }
  return steps;
}

void draw(Drawing& d, const Moment& moment, double x, double y, double width, double height) {
  switch (moment.kind) {
    case Moment::kAway:
      return;
    case Moment::kWaits:
      return d.cell(x, y, width, height, Shade::kGrey, "wait");
    case Moment::kPrefills:
      return d.cell(x, y, width, height, Shade::kBlue, fmt::format("P {}", moment.tokens));
    case Moment::kDecodes:
      return d.cell(x, y, width, height, Shade::kGreen, fmt::format("+{}", moment.tokens));
    case Moment::kEvicted:
      return d.cell(x, y, width, height, Shade::kOrange, "out");
  }
}

}  // namespace

std::string picture_of_continuous_batching() {
  const std::vector<Step> steps = run();
  const std::vector<ServeRequest> all = requests();
  Drawing d(
      "Four requests in six blocks of four tokens",
      "A row for each request, a column for each step. Requests 0 and 1 start together, 2 joins "
      "and is evicted a step later when request 1 needs a block; it comes back with a longer "
      "prefill when request 1 has ended.");
  constexpr double kLeft = 72, kTall = 32;
  const double width = (Drawing::kWidth - kLeft - 12) / static_cast<double>(steps.size());
  const double top = d.bottom() + 22;
  d.text(kLeft - 10, top - 8, "step", Anchor::kEnd, Ink::kQuiet);
  d.text(kLeft - 10, top + kTall * static_cast<double>(all.size()) + 24, "free", Anchor::kEnd,
         Ink::kQuiet);
  for (std::size_t i = 0; i < all.size(); ++i) {
    d.text(kLeft - 10, top + kTall * (static_cast<double>(i) + 0.65), fmt::format("req. {}", i),
           Anchor::kEnd);
  }
  for (std::size_t s = 0; s < steps.size(); ++s) {
    const double x = kLeft + width * static_cast<double>(s);
    d.text(x + width / 2, top - 8, fmt::format("{}", s + 1), Anchor::kMiddle, Ink::kQuiet);
    for (std::size_t i = 0; i < all.size(); ++i) {
      draw(d, steps[s].of[i], x, top + kTall * static_cast<double>(i), width, kTall);
    }
    d.text(x + width / 2, top + kTall * static_cast<double>(all.size()) + 24,
           fmt::format("{}", steps[s].free_blocks), Anchor::kMiddle);
  }
  // Frames come last, so that no neighbour covers them.
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!steps[s].of[i].ends) continue;
      d.frame(kLeft + width * static_cast<double>(s), top + kTall * static_cast<double>(i), width,
              kTall);
    }
  }
  d.gap(4);
  d.paragraph("P: tokens prefilled. +1: a decode. Framed: its last token.");
  d.paragraph("free: blocks that nobody owns while the step runs.");
  d.gap(4);
  return d.svg();
}

}  // namespace qlab
