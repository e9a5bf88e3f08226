// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise capacity_plan: every answer is a count, a yes or no, a tested rate or the
/// number of a configuration, so all of them are exact.
#include <cstdint>
#include <iomanip>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "05_serving/capacity_plan_checks.h"
#include "05_serving/capacity_plan_golden.h"
#include "05_serving/capacity_plan_random.h"
#include "05_serving/capacity_plan_refusals.h"
#include "common/statistics.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

TEST(CapacityPlan, FillsWhatTheWeightsLeave) {
  std::vector<Time> counts;
  // Llama 3 8B on 24 GiB, blocks of 16 tokens: weights of 16 and of 4 bits, a cache of 16 and 8.
  const std::int64_t memory = std::int64_t{24} << 30;
  ask_blocks(counts, 1000, 600, 10, 4, 10);
  ask_blocks(counts, memory, 16'060'000'000, 131'072, 16, 4629);
  ask_blocks(counts, 1039, 600, 10, 4, 10);
  ask_blocks(counts, memory, 5'640'000'000, 131'072, 16, 9598);
  ask_blocks(counts, 1040, 600, 10, 4, 11);
  ask_blocks(counts, memory, 5'640'000'000, 66'560, 16, 18'901);
  ask_blocks(counts, 639, 600, 10, 4, 0);
  ask_blocks(counts, 640, 600, 10, 4, 1);
  judge_times("blocks by hand", counts, 0);
}

TEST(CapacityPlan, HasNoBlocksWhereTheWeightsDoNotFit) {
  std::vector<Time> counts;
  ask_blocks(counts, 600, 600, 1, 1, 0);
  ask_blocks(counts, 599, 600, 1, 1, 0);
  ask_blocks(counts, 100, 600, 1, 2, 0);
  ask_blocks(counts, 0, 600, 3, 16, 0);
  ask_blocks(counts, 601, 600, 1, 1, 1);
  judge_times("weights as large as the memory, and larger", counts, 0);
}

TEST(CapacityPlan, AsksHowLongTheSlowestOnesWait) {
  // 3 of 100 wait 4 s, all others 1/8 s: the mean is 0.24 s.
  const LoadPoint burst = bursty(1, 100, 3, 0.125, 4);
  std::vector<Answer> answers;
  const auto ask = [&](double p, double ttft, bool met) {
    ask_met(answers, "TTFT at most " + text_of(ttft) + " s at p" + text_of(p),
            {.latency = {.ttft = ttft}, .percentile = p}, served(2, {burst}), burst, met);
  };
  ask(99, 0.25, false);
  ask(98, 0.25, false);
  ask(97, 3.75, true);
  ask(96, 0.25, true);
  ask(50, 0.125, true);
  ask(0, 0.125, true);
  ask(100, 3.75, false);
  ask(100, 4, true);
  judge_met("a burst: 97 of 100 users wait 0.125 s, 3 wait 4 s", answers);
}

TEST(CapacityPlan, AsksForAllGoalsAtOnce) {
  // TTFT 1 s, TPOT 1/2 s, E2E 5 s for everybody.
  const LoadPoint point{1, {nine_tokens(1, 0.5), nine_tokens(1, 0.5)}};
  std::vector<Answer> answers;
  const auto ask = [&](const std::string& what, const LatencyGoals& goals, bool met) {
    ask_met(answers, what, {.latency = goals}, served(2, {point}), point, met);
  };
  ask("no goal", {}, true);
  ask("all exactly as promised", {1, 0.5, 5}, true);
  ask("TTFT too long", {.ttft = 0.75, .tpot = 1, .e2e = 8}, false);
  ask("TPOT too long", {.ttft = 2, .tpot = 0.25, .e2e = 8}, false);
  ask("E2E too long", {.ttft = 2, .tpot = 1, .e2e = 4}, false);
  ask("only TTFT kept", {.ttft = 2, .tpot = 0.25, .e2e = 4}, false);
  ask("none kept", {0.5, 0.25, 4}, false);
  judge_met("TTFT 1 s, TPOT 0.5 s, E2E 5 s", answers);
}

TEST(CapacityPlan, LeavesAnswersOfOneTokenOutOfTpot) {
  // Of 8 answers 6 have one token. The others are read at 1/2 s a token.
  LoadPoint mixed{1, {nine_tokens(1, 0.5), nine_tokens(1, 0.5)}}, single{1, {}};
  for (int i = 0; i < 6; ++i) {
    mixed.latencies.push_back(one_token(1));
    single.latencies.push_back(one_token(1));
  }
  std::vector<Answer> answers;
  const auto ask = [&](const std::string& what, double p, double tpot, const LoadPoint& point,
                       bool met) {
    ask_met(answers, what + ", TPOT at most " + text_of(tpot) + " s at p" + text_of(p),
            {.latency = {.tpot = tpot}, .percentile = p}, served(2, {point}), point, met);
  };
  ask("6 of 8 answers have one token", 50, 0.25, mixed, false);
  ask("6 of 8 answers have one token", 80, 0.375, mixed, false);
  ask("6 of 8 answers have one token", 50, 0.5, mixed, true);
  ask("6 of 8 answers have one token", 0, 0.25, mixed, false);
  ask("all answers have one token", 99, 0.25, single, true);
  ask("all answers have one token", 99, 0, single, true);
  judge_met("answers of one token, others at 0.5 s a token", answers);
}

TEST(CapacityPlan, TrustsNoServerThatFallsBehind) {
  // Ten requests are served before the queue can be seen.
  std::vector<Answer> answers;
  const auto ask = [&](double rate, double saturated, bool met) {
    const LoadPoint point = bursty(rate, 10, 0, 0.125, 0);
    ask_met(answers,
            text_of(rate) + " requests/s, saturated at " + text_of(saturated) + ", utilisation " +
                text_of(rate / saturated),
            {.latency = {.ttft = 1}}, served(saturated, {point}), point, met);
  };
  ask(4.2, 4, false);
  ask(4, 4, false);
  ask(3.8, 4, true);
  ask(0.5, 0.25, false);
  ask(1e6, 1e3, false);
  judge_met("ten requests that all wait 0.125 s, at most 1 s promised", answers);
}

TEST(CapacityPlan, KeepsTheFloorUnderQuality) {
  const LoadPoint fast = bursty(1, 100, 0, 0.125, 0);
  std::vector<Answer> answers;
  const auto ask = [&](double recall, double least, bool met) {
    ask_met(answers, "recall " + text_of(recall) + ", at least " + text_of(least),
            {.latency = {.ttft = 1}, .percentile = 99, .least_recall = least},
            served(2, {fast}, recall), fast, met);
  };
  ask(0.438, 0.9, false);
  ask(0.875, 0.9, false);
  ask(0.9, 0.9, true);
  ask(0.998, 0.9, true);
  ask(0, 0, true);
  judge_met("everybody waits 0.125 s, at most 1 s promised", answers);
}

TEST(CapacityPlan, EndsAtTheFirstRateThatFails) {
  const CapacityGoals goals{.latency = {.ttft = 1}};
  std::vector<Answer> answers;
  const auto ask = [&](const std::string& what, const std::vector<double>& waits, double saturated,
                       double expected) {
    answers.push_back(
        {what, exercise::highest_rate(goals, served(saturated, rising(waits))), expected});
  };
  ask("all pass", {0.25, 0.25, 0.5, 0.75}, 9, 4);
  ask("the last fails", {0.25, 0.25, 0.5, 2}, 9, 3);
  ask("the third of five fails, the fourth passes", {0.25, 0.5, 2, 0.75, 3}, 9, 2);
  ask("the second of three fails, the third passes", {0.25, 2, 0.5}, 9, 1);
  ask("only the first fails", {2, 0.25, 0.25}, 9, 0);
  ask("all fail", {2, 3}, 9, 0);
  ask("all pass, saturated at 3 requests/s", {0.25, 0.25, 0.25, 0.25}, 3, 2);
  ask("one load test", {0.5}, 9, 1);
  judge_rates("load tests at 1, 2, 3 … requests/s", answers);
}

/// A configuration that passes at 1 … `highest` requests a second, with TTFT at most 1 s.
ServedConfig able(std::int64_t weights, std::int64_t kv, int highest, double recall = 1) {
  std::vector<double> waits(8, 2);
  for (int i = 0; i < highest; ++i) waits[static_cast<std::size_t>(i)] = 0.5;
  return {"a server", recall, weights, kv, 16, rising(waits)};
}

TEST(CapacityPlan, ChoosesWhoDoesWithTheLeastMemory) {
  const CapacityGoals goals{.latency = {.ttft = 1}, .percentile = 99, .least_recall = 0.9};
  // 16 bits; 8 bits; 8 bits and an 8-bit cache; 4 bits; 4 bits that forgot what they read.
  const std::vector<ServedConfig> configs{able(1600, 4, 3), able(900, 4, 4), able(900, 2, 5),
                                          able(500, 4, 6), able(450, 1, 7, 0.438)};
  std::vector<Answer> answers;
  const auto ask = [&](double rate, std::int64_t longest, double expected) {
    answers.push_back(
        {text_of(rate) + " requests/s, the longest of " + std::to_string(longest) + " tokens",
         number_of(exercise::choose_config(goals, rate, 10'000, longest, 16, configs)), expected});
  };
  ask(1, 16, 3);   // 500 + 64
  ask(6, 192, 3);  // 500 + 768 = 1268, 900 + 384 = 1284
  ask(1, 200, 2);  // 208 tokens of blocks: 500 + 832 = 1332, 900 + 416 = 1316
  ask(4.5, 1000, 2);
  ask(6, 1000, 3);  // only one serves 6
  ask(7, 16, -1);   // without quality there is one
  ask(0.25, 16, 3);
  judge_choices("five configurations in 10,000 bytes", answers);
  const std::vector<ServedConfig> twins{able(900, 4, 1), able(500, 4, 2), able(500, 4, 3)};
  const auto choose = [&](double rate) {
    return number_of(exercise::choose_config(goals, rate, 10'000, 16, 16, twins));
  };
  judge_choices("two of three need the same memory",
                {{"both serve 2 requests/s", choose(2), 1}, {"one serves 3", choose(3), 2}});
}

TEST(CapacityPlan, TakesOnlyWhatHoldsTheLongestRequest) {
  const CapacityGoals goals{.latency = {.ttft = 1}};
  const std::vector<ServedConfig> configs{able(900, 1, 4), able(500, 4, 4)};
  std::vector<Answer> answers;
  const auto ask = [&](std::int64_t memory, std::int64_t longest, double expected) {
    answers.push_back(
        {std::to_string(memory) + " bytes, the longest of " + std::to_string(longest) + " tokens",
         number_of(exercise::choose_config(goals, 2, memory, longest, 16, configs)), expected});
  };
  ask(564, 16, 1);
  ask(563, 16, -1);
  ask(564, 17, -1);  // a second block
  ask(628, 17, 1);
  ask(916, 160, -1);  // 500 + 640 = 1140, 900 + 160 = 1060
  ask(1059, 160, -1);
  ask(1060, 160, 0);
  ask(100, 1, -1);
  judge_choices("900 bytes and 1 a token, 500 bytes and 4 a token", answers);
}

TEST(CapacityPlan, MatchesTheGoldenPlan) {
  const GoldenPlan golden = read_golden_plan();
  std::vector<Answer> met, rates, choices;
  for (std::size_t g = 0; g < golden.goals.size(); ++g) {
    const CapacityGoals& goals = golden.goals[g];
    const std::string of = ", goals " + std::to_string(g) + " (p" + text_of(goals.percentile) + ")";
    for (std::size_t c = 0; c < golden.configs.size(); ++c) {
      const ServedConfig& config = golden.configs[c];
      for (std::size_t i = 0; i < config.points.size(); ++i) {
        ask_met(met, config.name + " at " + text_of(config.points[i].rate) + " requests/s" + of,
                goals, config, config.points[i], golden.passes[g][c][i] == '1');
      }
      rates.push_back(
          {config.name + of, exercise::highest_rate(goals, config), golden.highest[g][c]});
    }
  }
  for (const GoldenChoice& c : golden.choices) {
    choices.push_back({text_of(c.rate) + " requests/s, " + std::to_string(c.memory >> 30) +
                           " GiB, " + std::to_string(c.longest) + " tokens, goals " +
                           std::to_string(c.goals),
                       number_of(exercise::choose_config(golden.goals[c.goals], c.rate, c.memory,
                                                         c.longest, c.block, golden.configs)),
                       c.chosen});
  }
  judge_met("golden load tests", met);
  judge_rates("golden rates", rates);
  judge_choices("golden choices", choices);
}

TEST(CapacityPlan, DecidesAsTheGivenPlanDoes) { check_random_plans(TestSeed()); }

TEST(CapacityPlan, RefusesWhatIsNoPlan) { check_capacity_plan_refusals(); }

TEST(CapacityPlan, TellsWhatAMeanAndAShortTestHide) {
  // One request takes 1/8 s: the server is saturated at 8 a second.
  const TestSeed seed;
  const double service = 0.125;
  const LoadPoint busy = simulated(seed, 6.4, service, 20'000);
  const LoadPoint over = simulated(seed, 8.4, service, 20'000);
  LoadPoint begun = over;
  begun.latencies.resize(100);
  const auto ttfts = [](const LoadPoint& point) {
    std::vector<double> values;
    for (const RequestLatency& latency : point.latencies) values.push_back(latency.ttft);
    return values;
  };
  const std::vector<double> waits = ttfts(busy);
  const double mean = std::accumulate(waits.begin(), waits.end(), 0.0) / 20'000;
  const double p99 = percentile(waits, 99);
  const double first = percentile(ttfts(begun), 99), all = percentile(ttfts(over), 99);
  std::vector<Answer> answers;
  const ServedConfig config = served(8, {busy});
  // Goals between what is to be told apart.
  const auto ask = [&](const std::string& what, double ttft, const LoadPoint& point, bool met) {
    ask_met(answers, what, {.latency = {.ttft = ttft}}, config, point, met);
  };
  ask("utilisation 0.8, TTFT at most twice the mean", 2 * mean, busy, false);
  ask("utilisation 0.8, TTFT at most 1.01 times p99", 1.01 * p99, busy, true);
  ask("utilisation 1.05, TTFT at most twice the p99 of the first 100", 2 * first, begun, false);
  judge_met("one server of 0.125 s a request", answers);
  std::ostringstream fact;
  fact << std::fixed << std::setprecision(1) << "A server busy 80 % of the time: TTFT is "
       << 1e3 * mean << " ms on average and " << 1e3 * p99 << " ms at p99, " << p99 / mean
       << " times as long. At 105 %: p99 of the first 100 requests is " << first << " s, of 20,000 "
       << all << " s.";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
