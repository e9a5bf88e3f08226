// SPDX-License-Identifier: Apache-2.0
/// \file
/// The waits of one request, and a schedule: both are run, not drawn by hand.
#include <fmt/format.h>

#include <map>

#include "05_serving/latency_metrics.h"
#include "05_serving/scheduler.h"
#include "pages/drawing.h"
#include "pages/pictures/lab05.h"

namespace qlab {

std::string picture_latency_metrics() {
  const RequestTimes request{.arrival = 0, .admitted = 1, .token_times = {2, 2.6, 3.1, 4.4}};
  const RequestLatency latency = request_latency(request);
  const std::vector<double> gaps = inter_token_latencies({&request, 1});
  Drawing d(
      "The waits of one request",
      "A time line: sent, admitted, four tokens. TTFT spans queue and prefill, TPOT is the mean "
      "of the gaps after the first token, E2E spans all of it.");
  constexpr double kLeft = 30, kSecond = 112, kTall = 30;
  const auto at = [](double seconds) { return kLeft + kSecond * seconds; };
  const double top = d.bottom() + 20;
  const auto& tokens = request.token_times;
  d.cell(at(0), top, at(request.admitted) - at(0), kTall, Shade::kGrey, "queue");
  d.cell(at(request.admitted), top, at(tokens[0]) - at(request.admitted), kTall, Shade::kBlue,
         "prefill");
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    d.cell(at(tokens[i - 1]), top, at(tokens[i]) - at(tokens[i - 1]), kTall, Shade::kGreen,
           fmt::format("{:.1f} s", gaps[i - 1]));
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    d.line(at(tokens[i]), top - 6, at(tokens[i]), top + kTall + 6);
    d.text(at(tokens[i]), top - 10, fmt::format("token {}", i), Anchor::kMiddle, Ink::kQuiet,
           Drawing::kSmall);
  }
  d.text(at(0), top - 10, "sent", Anchor::kMiddle, Ink::kQuiet, Drawing::kSmall);
  d.text(at(request.admitted), top - 10, "admitted", Anchor::kMiddle, Ink::kQuiet, Drawing::kSmall);
  const auto span = [&](double row, double from, double to, const std::string& words) {
    const double y = top + kTall + 30 + 30 * row;
    d.arrow(at(from), y, at(to), y);
    d.text((at(from) + at(to)) / 2, y - 6, words, Anchor::kMiddle);
  };
  span(0, 0, latency.ttft, fmt::format("TTFT {:.1f} s", latency.ttft));
  span(0, latency.ttft, latency.e2e,
       fmt::format("{} times TPOT, {:.1f} s each", gaps.size(), latency.tpot));
  span(1, 0, latency.e2e, fmt::format("E2E {:.1f} s", latency.e2e));
  return d.svg();
}

std::string picture_continuous_batching() {
  constexpr std::int64_t kBlockTokens = 4, kBlocks = 6, kBudget = 16;
  Scheduler state({.block_tokens = kBlockTokens,
                   .total_blocks = kBlocks,
                   .max_running = 3,
                   .max_tokens_per_step = kBudget});
  const std::vector<ServeRequest> requests{
      {.id = 0, .arrival = 0, .prompt_tokens = 6, .output_tokens = 7},
      {.id = 1, .arrival = 0, .prompt_tokens = 7, .output_tokens = 5},
      {.id = 2, .arrival = 0, .prompt_tokens = 5, .output_tokens = 3}};
  for (const ServeRequest& request : requests) state.submit(request);

  Drawing d("Who is in a step",
            "Three sequences over the steps of a schedule with six blocks of four tokens. One is "
            "evicted when no block is free, and prefills its prompt and its token again later.");
  constexpr double kLeft = 112, kCell = 36, kTall = 28;
  const double top = d.bottom() + 26;
  const auto row = [&](double id) { return top + 10 + (kTall + 8) * id; };
  d.text(kLeft - 10, top, "step", Anchor::kEnd, Ink::kQuiet);
  for (const ServeRequest& r : requests) {
    d.text(kLeft - 10, row(static_cast<double>(r.id)) + 19, fmt::format("sequence {}", r.id),
           Anchor::kEnd, Ink::kQuiet, 13);
  }
  const double free_row = row(static_cast<double>(requests.size())) + 4;
  d.text(kLeft - 10, free_row + 15, "free blocks", Anchor::kEnd, Ink::kQuiet, 13);
  for (int step = 0; !state.idle(); ++step) {
    const double x = kLeft + kCell * step;
    d.text(x + kCell / 2, top, std::to_string(step + 1), Anchor::kMiddle, Ink::kQuiet);
    const StepPlan plan = schedule_step(state);
    const auto draw = [&](const StepWork& work, Shade shade, const char* mark) {
      d.cell(x, row(static_cast<double>(work.id)), kCell, kTall, shade,
             fmt::format("{}{}", mark, work.context + work.tokens));
    };
    for (const StepWork& work : plan.prefill) draw(work, Shade::kBlue, "p ");
    for (const StepWork& work : plan.decode) draw(work, Shade::kGreen, "");
    for (const std::int64_t id : plan.preempted) {
      d.cell(x, row(static_cast<double>(id)), kCell, kTall, Shade::kOrange, "out");
    }
    d.text(x + kCell / 2, free_row + 15, std::to_string(state.free_blocks), Anchor::kMiddle);
    complete_step(state, plan);
  }
  d.gap(10);
  d.paragraph(
      "p: prefill (blue); else one token of decode (green); out: evicted. The number is what "
      "the cache holds after the step.");
  return d.svg();
}

}  // namespace qlab
