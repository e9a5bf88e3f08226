// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of tradeoff put their questions, and the claims of the reference machine.
#pragma once

#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "05_serving/judge_times.h"
#include "05_serving/tradeoff.h"

namespace qlab::test {

/// FP16 does 256 FLOPs while a byte is moved, INT8 512. Every time below is exact.
inline constexpr ServedDevice kExactDevice{0x1p40, 0x1p41, 0x1p32, 0};

inline constexpr double kEndless = std::numeric_limits<double>::infinity();

inline std::string text_of(const Borders& borders) {
  if (borders.closed) return "within " + text_of(borders.low) + " … " + text_of(borders.high);
  if (borders.low == -kEndless) return "< " + text_of(borders.high);
  if (borders.high == kEndless) return "> " + text_of(borders.low);
  return "between " + text_of(borders.low) + " and " + text_of(borders.high);
}

inline std::string text_of(const Interval& interval) {
  return text_of(interval.value) + " (" + text_of(interval.low) + " … " + text_of(interval.high) +
         ")";
}

/// One verdict that the learner's code gave.
struct Judged {
  std::string what;
  Outcome got, expected;
};

inline void judge_outcomes(const std::string& name, const std::vector<Judged>& judged) {
  const auto n = static_cast<std::int64_t>(judged.size());
  Matrix<float> got(1, n);
  Matrix<double> expected(1, n);
  for (std::int64_t i = 0; i < n; ++i) {
    got(0, i) = static_cast<float>(judged[static_cast<std::size_t>(i)].got);
    expected(0, i) = static_cast<double>(judged[static_cast<std::size_t>(i)].expected);
  }
  const auto place = [&](auto, auto i) { return judged[static_cast<std::size_t>(i)].what; };
  const auto value = [](double outcome) -> std::string {
    if (outcome == static_cast<double>(Outcome::kHeld)) return "held";
    return outcome == static_cast<double>(Outcome::kDidNotHold) ? "did not hold" : "not measured";
  };
  judge({.name = name, .place = place, .value = value}, got.view(), expected.view(), exactly());
}

inline void ask_interval(std::vector<Judged>& judged, const Borders& borders,
                         const Interval& interval, Precision precision, Outcome expected) {
  std::string what = text_of(borders) + ", measured " + text_of(interval);
  if (precision.margin != 0) what += ", margin " + text_of(precision.margin);
  if (precision.noise != 0) what += ", noise " + text_of(precision.noise);
  judged.push_back({what, exercise::judge_interval(interval, borders, precision), expected});
}

/// The counts, the claims by their index, and their factors; a missing one is NaN.
inline void ask_score(std::vector<Time>& times, const std::string& of,
                      const std::vector<PredictedClaim>& claims, const PredictionScore& expected) {
  const PredictionScore got = exercise::score(claims);
  const auto count = [&](const std::string& what, auto of_got, auto of_expected) {
    times.push_back({what + of, static_cast<double>(of_got), static_cast<double>(of_expected)});
  };
  count("right", got.right, expected.right);
  count("wrong", got.wrong, expected.wrong);
  count("not measured", got.not_measured, expected.not_measured);
  count("number of surprises", got.surprises.size(), expected.surprises.size());
  for (std::size_t i = 0; i < expected.surprises.size(); ++i) {
    const bool there = i < got.surprises.size();
    const Surprise found = there ? got.surprises[i] : Surprise{.claim = 0, .factor = std::nan("")};
    const std::string which = "surprise " + std::to_string(i);
    times.push_back({"claim of " + which + of,
                     there ? static_cast<double>(found.claim) : std::nan(""),
                     static_cast<double>(expected.surprises[i].claim)});
    times.push_back({"factor of " + which + of, found.factor, expected.surprises[i].factor});
  }
}

/// A claim of the reference machine: the ratio of two operations' times, and what came of it.
struct GoldenClaim {
  struct Timed {
    FormatWork work;
    KernelPath path;
  };
  std::string id;
  Borders borders;
  Interval measured{};
  Precision precision;
  Timed above{}, below{};
  double predicted = 0;
  Outcome expected{}, verdict{};
};

/// What gen_tradeoff.py wrote.
struct GoldenTradeoff {
  ServedDevice device{};
  std::vector<GoldenClaim> claims;
  PredictionScore score;
};

inline GoldenTradeoff read_golden_tradeoff() {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/05_serving/golden/tradeoff.txt");
  EXPECT_TRUE(file) << "tests/05_serving/golden/tradeoff.txt cannot be read";
  GoldenTradeoff golden;
  for (std::string line, kind; std::getline(file, line);) {
    std::istringstream cells(line);
    cells >> kind;
    const auto word = [&] {
      std::string text;
      cells >> text;
      return text;
    };
    const auto number = [&] { return std::stod(word()); };  // streams read no "inf"
    const auto integer = [&] { return static_cast<std::int64_t>(number()); };
    const auto outcome = [&] {
      const std::string text = word();
      if (text == "open") return Outcome::kNotMeasured;
      return text == "held" ? Outcome::kHeld : Outcome::kDidNotHold;
    };
    const auto timed = [&]() -> GoldenClaim::Timed {
      FormatWork work{};
      if (word() == "linear") {
        const std::int64_t M = integer(), N = integer(), K = integer();
        const int bits = static_cast<int>(integer()), group = static_cast<int>(integer());
        work = linear_work({M, N, K}, {bits, group},
                           word() == "int8" ? Arithmetic::kInt8 : Arithmetic::kFp16);
      } else {
        const std::int64_t heads = integer(), kv_heads = integer(), dim = integer();
        const std::int64_t tokens = integer();
        work = attention_work({heads, kv_heads, dim, tokens}, integer());
      }
      return {work, word() == "unpack" ? KernelPath::kUnpackFirst : KernelPath::kMadeForIt};
    };
    if (kind == "device") {
      const double fp16 = number(), int8 = number();
      golden.device = {fp16, int8, number(), 0};
    }
    if (kind == "claim") {
      GoldenClaim& claim = golden.claims.emplace_back();
      claim.id = word();
      claim.borders.low = number();
      claim.borders.high = number();
      claim.borders.closed = number() == 1;
      for (double* end : {&claim.measured.value, &claim.measured.low, &claim.measured.high,
                          &claim.precision.margin, &claim.precision.noise}) {
        *end = number();
      }
      claim.verdict = outcome();
    }
    if (kind == "above") golden.claims.back().above = timed();
    if (kind == "below") golden.claims.back().below = timed();
    if (kind == "expects") {
      golden.claims.back().predicted = number();
      golden.claims.back().expected = outcome();
    }
    if (kind == "score") {
      golden.score.right = integer();
      golden.score.wrong = integer();
      golden.score.not_measured = integer();
    }
    if (kind == "surprise") {
      const std::string id = word();
      std::size_t claim = 0;
      while (claim < golden.claims.size() && golden.claims[claim].id != id) ++claim;
      golden.score.surprises.push_back({claim, number()});
    }
    EXPECT_TRUE(cells || kind == "#") << line;
  }
  EXPECT_EQ(golden.claims.size(), 14U);
  return golden;
}

inline void check_tradeoff_refusals() {
  const double nan = std::nan("");
  const auto linear = [](GemmSides sides, WeightStorage storage, Arithmetic arithmetic) {
    return
        [=] { exercise::predict_ratio(linear_work(sides, storage, arithmetic), {}, kExactDevice); };
  };
  const auto attention = [](AttentionSides sides, std::int64_t bytes) {
    return [=] { exercise::predict_ratio(attention_work(sides, bytes), {}, kExactDevice); };
  };
  const auto ratio = [](FormatWork work, ServedDevice device) {
    return [=] { exercise::predict_ratio(work, KernelPath::kUnpackFirst, device); };
  };
  const auto claim = [](Borders borders, Precision precision) {
    return [=] { exercise::judge_interval({1, 1, 1}, borders, precision); };
  };
  const auto outcome = [](double predicted, Borders borders, double margin) {
    return [=] { exercise::predict_outcome(predicted, borders, margin); };
  };
  const auto scored = [](double predicted, Outcome expected, double measured) {
    return [=] {
      exercise::score(
          std::vector<PredictedClaim>{{"C07", predicted, expected, measured, Outcome::kHeld}});
    };
  };
  constexpr FormatWork kWork{1, 4, 0, 1, Arithmetic::kFp16};
  constexpr Arithmetic kHalf = Arithmetic::kFp16;
  check_refusals(
      "refusals",
      {{"no row", "M is 0; choose 1", linear({0, 8, 8}, {4, 0}, kHalf)},
       {"N of -1", "N is -1; choose 1", linear({1, -1, 8}, {4, 0}, kHalf)},
       {"K too long", "K is 1048577", linear({1, 8, (1 << 20) + 1}, {4, 0}, kHalf)},
       {"0 bits", "bits is 0; choose 1 to 16", linear({1, 8, 8}, {0, 0}, kHalf)},
       {"17 bits", "bits is 17; choose 1 to 16", linear({1, 8, 8}, {17, 0}, kHalf)},
       {"a negative group", "group_size is -8", linear({1, 8, 8}, {4, -8}, kHalf)},
       {"16 bits in INT8", "do not fit in INT8", linear({1, 8, 8}, {16, 0}, Arithmetic::kInt8)},
       {"no token", "tokens is 0", attention({2, 1, 8, 0}, 8)},
       {"3 heads read 2", "no multiple of n_kv_heads = 2", attention({3, 2, 8, 4}, 8)},
       {"an empty cache", "kv_bytes_per_token is 0", attention({2, 2, 8, 4}, 0)},
       {"nothing stored", "stored_bytes is 0", ratio({0, 4, 0, 1, kHalf}, kExactDevice)},
       {"negative inputs", "other_bytes is -1", ratio({1, 4, -1, 1, kHalf}, kExactDevice)},
       {"no FLOPs", "flops is 0", ratio({1, 4, 0, 0, kHalf}, kExactDevice)},
       {"a peak of 0", "fp16_flops is 0", ratio(kWork, {0, 1, 1, 0})},
       {"a negative peak", "int8_flops is -1", ratio(kWork, {1, -1, 1, 0})},
       {"a bandwidth that is NaN", "bytes_per_second is nan", ratio(kWork, {1, 1, nan, 0})},
       {"a border that is NaN", "a border is NaN", claim({nan, 1}, {})},
       {"borders swapped", "the lower border 2 is over the upper one, 1", claim({2, 1}, {})},
       {"a negative margin", "margin is -0.02", claim({0, 1}, {-0.02, 0})},
       {"noise that is NaN", "noise is nan", claim({0, 1}, {0, nan})},
       {"a prediction that is NaN", "the prediction is nan", outcome(nan, {0, 1}, 0)},
       {"an endless prediction", "the prediction is inf", outcome(kEndless, {0, 1}, 0)},
       {"a margin that is NaN", "margin is nan", outcome(1, {0, 1}, nan)},
       {"a predicted ratio of 0", "the predicted ratio of C07 is 0", scored(0, Outcome::kHeld, 1)},
       {"a measured ratio that is NaN", "the measured ratio of C07 is nan",
        scored(1, Outcome::kHeld, nan)},
       {"expects nothing", "C07 expects \"not measured\"", scored(1, Outcome::kNotMeasured, 1)}});
  // The nearest that must be answered.
  const auto nearest = [&](KernelPath path) {
    return exercise::predict_ratio({1, 1, 0, 1, kHalf}, path, kExactDevice);
  };
  judge_times("the nearest that is none",
              {{"one byte", nearest(KernelPath::kMadeForIt), 1},
               {"one byte, unpacked first", nearest(KernelPath::kUnpackFirst), 3}},
              0);
}

}  // namespace qlab::test
