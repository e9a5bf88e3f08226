// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise dequant_bits. Everything is exact, and all 16 codes in all 8 places can be
/// tried.
#include "03_int4_weight_only/dequant_bits.h"

#include <cstdio>
#include <iterator>
#include <string>
#include <vector>

#include "common/random.h"
#include "support/cuda_exercise.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

struct DequantBits : CudaExercise {};

using Words = std::vector<std::uint32_t>;

int nibble(std::uint32_t word, int i) { return static_cast<int>(word >> (4 * i)) & 0xF; }

/// "word 0x75316420, output 3: nibble 5 is 3".
std::string place_of(std::uint32_t word, std::int64_t output) {
  const int i = kDequantOrder[output];
  char text[80];
  std::snprintf(text, sizeof text, "word 0x%08X, output %d: nibble %d is %d", word,
                static_cast<int>(output), i, nibble(word, i));
  return text;
}

Matrix<double> codes_minus_8(const Words& words) {
  Matrix<double> values(static_cast<std::int64_t>(words.size()), 8);
  for (std::size_t r = 0; r < words.size(); ++r) {
    for (std::int64_t j = 0; j < 8; ++j) {
      values(static_cast<std::int64_t>(r), j) = nibble(words[r], kDequantOrder[j]) - 8;
    }
  }
  return values;
}

/// What the exercise makes of the words, one a row.
Matrix<float> run(void (*dequant)(const std::uint32_t*, half*, int), const Words& words,
                  const std::string& name) {
  const simt::Buffer<std::uint32_t> in(words, "words");
  DeviceOutput<half> out(static_cast<std::int64_t>(words.size()), 8);
  dequant(in.data(), out.data(), static_cast<int>(words.size()));
  return out.fetch(name);
}
Matrix<float> run(void (*dequant)(const std::uint32_t*, nv_bfloat16*, int), const Words& words,
                  const std::string& name) {
  const simt::Buffer<std::uint32_t> in(words, "words");
  DeviceOutput<nv_bfloat16> out(static_cast<std::int64_t>(words.size()), 8);
  dequant(in.data(), out.data(), static_cast<int>(words.size()));
  return out.fetch(name);
}

void judge_words(const std::string& title, const Words& words, const Matrix<float>& got,
                 MatrixView<const double> expected) {
  judge({.name = title,
         .place = [&](auto r, auto j) { return place_of(words[static_cast<std::size_t>(r)], j); }},
        got.view(), expected, exactly());
}

template <class Dequant>
void check(Dequant dequant, const std::string& what, const Words& words) {
  const std::string name = '"' + what + "\": " + std::to_string(words.size()) + " words";
  judge_words(name, words, run(dequant, words, name), codes_minus_8(words).view());
}

template <class Dequant>
void check_golden(Dequant dequant) {
  constexpr struct {
    std::uint32_t word;
    int values[8];
  } kGolden[] = {
#include "03_int4_weight_only/golden/dequant_bits.inc"
  };
  Words words;
  Matrix<double> expected(std::size(kGolden), 8);
  for (const auto& line : kGolden) {
    for (std::int64_t j = 0; j < 8; ++j) {
      expected(static_cast<std::int64_t>(words.size()), j) = line.values[j];
    }
    words.push_back(line.word);
  }
  const std::string name = "\"words of the golden file\"";
  judge_words(name, words, run(dequant, words, name), expected.view());
}

/// Every code in every place, among zeros, which show a code that is read twice or in another
/// place, and among fifteens, which show a neighbour's bits.
Words every_code_in_every_place() {
  Words words;
  for (const std::uint32_t others : {0x00000000U, 0xFFFFFFFFU}) {
    for (int place = 0; place < 8; ++place) {
      for (std::uint32_t code = 0; code < 16; ++code) {
        const std::uint32_t mask = 0xFU << (4 * place);
        words.push_back((others & ~mask) | code << (4 * place));
      }
    }
  }
  return words;
}

Words random_words(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  Words words(count);
  for (std::uint32_t& word : words) word = static_cast<std::uint32_t>(random.bits());
  return words;
}

TEST_F(DequantBits, MatchesTheGoldenWordsInFp16) { check_golden(exercise::dequant_bits_fp16); }

TEST_F(DequantBits, MatchesTheGoldenWordsInBf16) { check_golden(exercise::dequant_bits_bf16); }

TEST_F(DequantBits, GivesTheColumnsOfAnAwqWordInOrder) {
  // AWQ's packing of the columns' codes 0 … 7, and of 8 … 15.
  const Words words = {0x75316420, 0xFDB9ECA8};
  Matrix<double> in_order(2, 8);
  for (std::int64_t r = 0; r < 2; ++r) {
    for (std::int64_t j = 0; j < 8; ++j) in_order(r, j) = static_cast<double>(8 * r + j - 8);
  }
  const std::string name = "\"AWQ words of the codes 0 to 7 and 8 to 15\"";
  judge_words(name + " as FP16", words, run(exercise::dequant_bits_fp16, words, name),
              in_order.view());
  judge_words(name + " as BF16", words, run(exercise::dequant_bits_bf16, words, name),
              in_order.view());
}

TEST_F(DequantBits, IsExactForEveryCodeInEveryPlaceInFp16) {
  check(exercise::dequant_bits_fp16, "every code in every place, FP16",
        every_code_in_every_place());
}

TEST_F(DequantBits, IsExactForEveryCodeInEveryPlaceInBf16) {
  const Words words = every_code_in_every_place();
  const std::string name = "\"every code in every place, BF16\"";
  const Matrix<double> expected = codes_minus_8(words);
  const Matrix<float> bf16 = run(exercise::dequant_bits_bf16, words, name);
  judge_words(name, words, bf16, expected.view());
  int exact = 0, values = 0;
  for (std::int64_t r = 0; r < expected.rows(); ++r) {
    for (std::int64_t j = 0; j < 8; ++j, ++values) exact += bf16(r, j) == expected(r, j) ? 1 : 0;
  }
  RecordProperty("fact", std::to_string(exact) + " of " + std::to_string(values) +
                             " values came out exact, by masks and subtractions alone.");
}

TEST_F(DequantBits, ConvertsEveryWordAndWritesNothingElse) {
  const TestSeed seed;
  for (const std::size_t count : {1U, 7U, 127U, 128U, 129U, 1000U}) {
    check(exercise::dequant_bits_fp16, "random words, FP16", random_words(count, seed));
    check(exercise::dequant_bits_bf16, "random words, BF16", random_words(count, seed));
    if (HasFailure()) return;
  }
}

TEST_F(DequantBits, RefusesNoWords) {
  check(exercise::dequant_bits_fp16, "one word, FP16", {0x01234567});
  check(exercise::dequant_bits_bf16, "one word, BF16", {0x01234567});
  EXPECT_THROW(exercise::dequant_bits_fp16(nullptr, nullptr, 0), ContractError);
  EXPECT_THROW(exercise::dequant_bits_bf16(nullptr, nullptr, -1), ContractError);
}

}  // namespace
}  // namespace qlab::test
