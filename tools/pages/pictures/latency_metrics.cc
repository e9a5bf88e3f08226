// SPDX-License-Identifier: Apache-2.0
/// \file
/// The picture of latency_metrics: one request of a served run, from the click to the last token.
#include "05_serving/latency_metrics.h"

#include <fmt/format.h>

#include <vector>

#include "05_serving/serve.h"
#include "common/statistics.h"
#include "pages/drawing.h"
#include "pages/pictures/lab05.h"

namespace qlab {
namespace {

/// Two places and four requests: the third waits for the first to end, and is stalled by the fourth,
/// whose long prompt takes the place of the second.
RequestTimes third_of_four() {
  const SchedulerConfig config{
      .block_tokens = 16, .total_blocks = 1000, .max_running = 2, .max_tokens_per_step = 4096};
  const std::vector<ServeRequest> requests{
      {.id = 0, .arrival = 0, .prompt_tokens = 256, .output_tokens = 4},
      {.id = 1, .arrival = 0, .prompt_tokens = 256, .output_tokens = 8},
      {.id = 2, .arrival = 0.001, .prompt_tokens = 512, .output_tokens = 7},
      {.id = 3, .arrival = 0.002, .prompt_tokens = 1024, .output_tokens = 4}};
  ModelledEngine engine(pictured_model(), pictured_format("fp16"), pictured_device());
  return serve(config, requests, engine).requests[2].times;
}

}  // namespace

std::string picture_of_latency_metrics() {
  const RequestTimes times = third_of_four();
  const RequestLatency latency = request_latency(times);
  const std::vector<double> gaps = inter_token_latencies({&times, 1});
  const double longest = percentile(gaps, 100);
  Drawing d(
      "What one user waits for",
      "A request's time from left to right: it waits for a place, its prompt is computed, then "
      "seven tokens come. One gap is several times as long as the others, because another "
      "request's prompt is computed in it.");
  constexpr double kLeft = 20, kRight = Drawing::kWidth - 20, kTall = 40;
  const auto x_of = [&](double time) {
    return kLeft + (kRight - kLeft) * (time - times.arrival) / latency.e2e;
  };
  const std::vector<double>& tokens = times.token_times;
  const double numbers = d.bottom() + 16;
  d.text(kLeft, numbers, "sent");
  d.text(x_of(times.admitted), numbers, "admitted", Anchor::kEnd);
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    d.text(x_of(tokens[t]), numbers, fmt::format("{}", t), Anchor::kMiddle);
  }
  const double y = d.bottom() + 4;
  const auto bar = [&](double from, double to, Shade shade, std::string_view label) {
    d.cell(x_of(from), y, x_of(to) - x_of(from), kTall, shade, label);
  };
  bar(times.arrival, times.admitted, Shade::kGrey, "queue");
  bar(times.admitted, tokens[0], Shade::kBlue, "prefill");
  for (std::size_t t = 1; t < tokens.size(); ++t) {
    const bool stalled = gaps[t - 1] == longest;
    bar(tokens[t - 1], tokens[t], stalled ? Shade::kOrange : Shade::kGreen,
        stalled ? "another's prompt" : "");
  }
  const auto span = [&](double row, double from, double to, const std::string& words) {
    const double at = y + kTall + row;
    d.arrow((x_of(from) + x_of(to)) / 2, at, x_of(from), at);
    d.arrow((x_of(from) + x_of(to)) / 2, at, x_of(to), at);
    d.text((x_of(from) + x_of(to)) / 2, at + 20, words, Anchor::kMiddle, Ink::kBold);
  };
  span(18, times.arrival, tokens.front(), fmt::format("TTFT {:.1f} ms", 1e3 * latency.ttft));
  span(18, tokens.front(), tokens.back(),
       fmt::format("{} gaps: TPOT {:.1f} ms", gaps.size(), 1e3 * latency.tpot));
  span(58, times.arrival, tokens.back(), fmt::format("E2E {:.1f} ms", 1e3 * latency.e2e));
  d.gap(6);
  d.paragraph("0, 1, 2 …: a token reaches the user.", Ink::kPlain);
  d.paragraph(fmt::format("Of the gaps (ITL) the median is {:.1f} ms and the longest {:.1f} ms.",
                          1e3 * percentile(gaps, 50), 1e3 * longest),
              Ink::kPlain);
  d.paragraph(
      "Llama 2 7B, two places, served on paper: steps take what cost_model says of an H200.");
  d.gap(4);
  return d.svg();
}

}  // namespace qlab
