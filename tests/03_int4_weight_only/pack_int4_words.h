// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of pack_int4 ask for single words, and how they word a nibble that is wrong.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "03_int4_weight_only/pack_int4.h"
#include "common/matrix.h"
#include "support/exercise.h"
#include "support/guarded.h"

namespace qlab::test {

using Eight = std::array<std::uint8_t, 8>;

inline std::string hex(std::uint32_t word) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08X", word);
  return text;
}

inline const char* order_name(const NibbleOrder& order) {
  return order == kSequentialOrder ? "in sequence"
         : order == kAwqOrder      ? "AWQ's order"
                                   : "shuffled";
}

inline std::string list_text(const Eight& eight) {
  std::string text = "{";
  for (std::size_t i = 0; i < 8; ++i) text += (i == 0 ? "" : ", ") + std::to_string(eight[i]);
  return text + "}";
}

/// Eight numbers that the learner's code computed, and what each of them is.
struct EightAnswer {
  std::array<float, 8> got;
  std::array<double, 8> expected;
  std::function<std::string(std::size_t i)> what;
};

inline void judge_eights(const std::string& name, const std::vector<EightAnswer>& answers) {
  const auto rows = static_cast<std::int64_t>(answers.size());
  Matrix<float> got(rows, 8);
  Matrix<double> expected(rows, 8);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < 8; ++i) {
      got(r, static_cast<std::int64_t>(i)) = answers[static_cast<std::size_t>(r)].got[i];
      expected(r, static_cast<std::int64_t>(i)) = answers[static_cast<std::size_t>(r)].expected[i];
    }
  }
  const auto place = [&](std::int64_t r, std::int64_t i) {
    return answers[static_cast<std::size_t>(r)].what(static_cast<std::size_t>(i));
  };
  judge({.name = name, .place = place}, got.view(), expected.view(), exactly());
}

inline std::string nibble_text(std::size_t i) {
  return "nibble " + std::to_string(i) + " (bits " + std::to_string(4 * i) + " … " +
         std::to_string(4 * i + 3) + ")";
}

/// The nibbles of a word beside those that belong there.
inline EightAnswer word_answer(const std::string& of, std::uint32_t got, std::uint32_t expected) {
  EightAnswer answer;
  for (std::size_t i = 0; i < 8; ++i) {
    answer.got[i] = static_cast<float>(got >> (4 * i) & 15);
    answer.expected[i] = expected >> (4 * i) & 15;
  }
  answer.what = [=](std::size_t i) {
    return nibble_text(i) + of + "; your word is " + hex(got) + ", it should be " + hex(expected);
  };
  return answer;
}

inline EightAnswer pack_answer(const Eight& eight, const NibbleOrder& order,
                               std::uint32_t expected) {
  return word_answer(" of " + list_text(eight) + ", " + order_name(order),
                     exercise::pack_word(eight, order), expected);
}

/// Unpacks over two poisons; what keeps both was never written.
inline Eight unpacked(std::uint32_t word, const NibbleOrder& order) {
  Guarded<std::uint8_t> one(1, 8), two(1, 8, Guarded<std::uint8_t>::kOtherPoison);
  exercise::unpack_word(word, order, one.view().row(0, 0, 8).first<8>());
  exercise::unpack_word(word, order, two.view().row(0, 0, 8).first<8>());
  const testing::AssertionResult whole = one.written_exactly(two);
  if (!whole) reject("\"unpack_word\"", std::string("nibbles: ") + whole.message());
  Eight eight;
  for (std::size_t i = 0; i < 8; ++i) eight[i] = one.view()(0, static_cast<std::int64_t>(i));
  return eight;
}

inline EightAnswer unpack_answer(std::uint32_t word, const NibbleOrder& order,
                                 const Eight& expected) {
  EightAnswer answer;
  const Eight got = unpacked(word, order);
  for (std::size_t i = 0; i < 8; ++i) {
    answer.got[i] = got[i];
    answer.expected[i] = expected[i];
  }
  answer.what = [=](std::size_t i) {
    return "nibbles[" + std::to_string(i) + "] of " + hex(word) + ", " + order_name(order) +
           "; you have " + list_text(got);
  };
  return answer;
}

/// Words of zeros but for one nibble, which holds every code in turn; and their eight values.
inline std::vector<std::pair<Eight, std::uint32_t>> lone_nibbles(const NibbleOrder& order) {
  std::vector<std::pair<Eight, std::uint32_t>> words;
  for (std::uint32_t code = 1; code < 16; ++code) {
    for (std::size_t i = 0; i < 8; ++i) {
      Eight eight{};
      eight[order[i]] = static_cast<std::uint8_t>(code);
      words.emplace_back(eight, code << (4 * i));
    }
  }
  return words;
}

/// What is stored for every value of a kind.
inline void check_stored(const std::string& name, Stored stored, int low, int high, int more) {
  const std::int64_t count = high - low + 1;
  Matrix<float> got(1, count);
  Matrix<double> expected(1, count);
  // Far from its neighbours: one too high would be told as the neighbour's.
  const auto value = [=](std::int64_t i) { return low + static_cast<int>(i * 7 % count); };
  for (std::int64_t i = 0; i < count; ++i) {
    got(0, i) = exercise::stored_nibble(value(i), stored);
    expected(0, i) = value(i) + more;
  }
  judge({.name = name,
         .place = [&](auto, auto i) { return "the nibble of " + std::to_string(value(i)); }},
        got.view(), expected.view(), exactly());
}

}  // namespace qlab::test
