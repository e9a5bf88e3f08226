// SPDX-License-Identifier: Apache-2.0
/// \file
/// What kivi must refuse, and that a refused token leaves the cache as it was.
#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "04_kv_cache/kivi_checks.h"

namespace qlab::test {

inline void check_kivi_shapes_refused() {
  std::vector<Refusal> refusals;
  const auto refuse = [&](const std::string& what, const std::string& words, KiviShape s) {
    refusals.push_back({what, words, [s] { const KiviCache cache(s); }});
  };
  const KiviShape fits = {.head_dim = 8, .capacity = 6, .group = 4, .window = 4, .bits = 2};
  for (const int bits : {0, 1, 3, 8}) {
    KiviShape s = fits;
    s.bits = bits;
    refuse("codes of another width",
           "kivi: " + std::to_string(bits) + " bits a code; choose 2 or 4", s);
  }
  for (const std::int64_t group : {0, 2, -4, 132}) {
    KiviShape s = fits;
    s.group = group;
    refuse("a group that fills no bytes, or too large", "kivi: groups of " + std::to_string(group),
           s);
  }
  for (const std::int64_t head_dim : {0, 6, -8}) {
    KiviShape s = fits;
    s.head_dim = head_dim;
    refuse("a head_dim without whole groups",
           "groups of 4 do not divide head_dim " + std::to_string(head_dim), s);
  }
  for (const std::int64_t window : {0, 6, -4}) {
    KiviShape s = fits;
    s.window = window;
    refuse("a window without whole groups", "do not divide the window of " + std::to_string(window),
           s);
  }
  KiviShape s = fits;
  s.capacity = 0;
  refuse("no capacity", "kivi: capacity is 0 tokens", s);
  check_refusals("shapes", refusals);
}

/// Six tokens fit; then and before, bad calls leave everything as it was.
inline void check_kivi_calls_refused() {
  KiviPair got({.head_dim = 8, .capacity = 6, .group = 4, .window = 4, .bits = 2});
  Operand<float> K(6, 8), V(6, 8);
  Random random(1);
  fill(K.view(), Values::kNormal, random);
  fill(V.view(), Values::kNormal, random);
  const auto refuse = [&](const std::string& what, const std::string& words, std::vector<float> k,
                          std::vector<float> v) {
    for (KiviCache* const cache : {&got.one, &got.two}) {
      check_refusals("tokens", {{what, words, [&] { exercise::kivi_append(k, v, *cache); }}});
    }
  };
  const std::vector<float> good(8, 1.5F);
  for (std::int64_t t = 0; t < 6; ++t) {
    const std::string at = " of token " + std::to_string(t) + ", channel ";
    for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF, 65520.0F}) {
      std::vector<float> x = good;
      x[5] = bad;
      refuse("a key that is not finite", "kivi_append: k" + at + "5 is " + number_text(bad), x,
             good);
      x[2] = bad;
      refuse("a value that is not finite", "kivi_append: v" + at + "2 is " + number_text(bad), good,
             x);
    }
    refuse("a key of 7 channels", "k has 7 channels, head_dim is 8", std::vector<float>(7), good);
    refuse("a value of 9 channels", "v has 9 channels, head_dim is 8", good, std::vector<float>(9));
    exercise::kivi_append(token_of(K.view(), t), token_of(V.view(), t), got.one);
    exercise::kivi_append(token_of(K.view(), t), token_of(V.view(), t), got.two);
  }
  refuse("a seventh token", "kivi_append: the cache is full with 6 tokens", good, good);
  judge_cache("refused tokens between others", got, K.view(), V.view());
  std::vector<float> seven(7), eight(8), six(6);
  check_refusals("reading", {{"q of 7 channels", "kivi_scores: q has 7 channels, head_dim is 8",
                              [&] { exercise::kivi_scores(seven, got.one, six); }},
                             {"7 scores", "scores has 7 places, the cache 6 tokens",
                              [&] { exercise::kivi_scores(eight, got.one, seven); }},
                             {"7 weights", "kivi_output: p has 7 places, the cache 6 tokens",
                              [&] { exercise::kivi_output(seven, got.one, eight); }},
                             {"out of 7 channels", "out has 7 channels, head_dim is 8",
                              [&] { exercise::kivi_output(six, got.one, seven); }}});
}

}  // namespace qlab::test
