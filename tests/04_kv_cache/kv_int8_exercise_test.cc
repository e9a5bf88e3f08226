// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the exercise kv_int8. The whole cache is compared, with what was in it before: a byte too many
/// shows as well as one too few. Codes and scales are exact.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "02_int8_calibration/refusals.h"
#include "04_kv_cache/kv_int8_checks.h"
#include "support/fenced.h"

namespace qlab::test {
namespace {

TEST(KvInt8, RoundsByHand) {
  const struct {
    std::vector<float> x;
    const char* lesson;
  } cases[] = {
      {{127, 0.5F, 1.5F, -2.5F}, "ties go to the even code"},
      {{0, -0.0F, 0, 0}, "zeros: scale 1"},
      {{1, -0.49999F, 0.25F, 0}, "the stored scale decides, not a 127th"},
      {{0x1p-20F, -0x1p-24F, 0, 0}, "FP16's least scale"},
      {{178 * 0x1p-24F, 100 * 0x1p-24F, 0, 0}, "a code that must be clamped"},
      {{127 * 65504.0F, -1e6F, 3e5F, 0}, "the largest scale"},
  };
  for (const auto& c : cases) {
    Int8Problem p(1, 4, 1, 1);
    std::ranges::copy(c.x, p.x.view().row(0));
    append_and_check(c.lesson, p, 0);
  }
}

TEST(KvInt8, PutsEveryTokenAndHeadInItsPlace) {
  // Token t of head h is 127 · (10 t + h + 1): that is its scale, and codes are 127 and -127.
  Int8Problem p(3, 2, 6, 4);
  for (std::int64_t t = 0; t < 4; ++t) {
    for (std::int64_t c = 0; c < 6; ++c) {
      p.x.view()(t, c) = static_cast<float>(127 * (10 * t + c / 2 + 1) * (c % 2 == 0 ? 1 : -1));
    }
  }
  append_and_check("scales that name token and head", p, 0);
}

TEST(KvInt8, GivesEachHeadAScaleOfItsOwn) {
  const TestSeed seed;
  Random random(seed);
  Int8Problem p(4, 16, 8, 5);
  fill(p.x.view(), Values::kNormal, random);
  for (std::int64_t t = 0; t < 5; ++t) {
    for (float& value : p.x.view().row(t, 32, 16)) value *= 100;  // head 2
  }
  append_and_check(seeded("head 2 a hundred times as large", seed), p, 0);
}

TEST(KvInt8, GivesEachTokenAScaleOfItsOwn) {
  const TestSeed seed;
  Random random(seed);
  Int8Problem p(2, 16, 8, 7);
  fill(p.x.view(), Values::kNormal, random);
  for (std::int64_t t = 0; t < 7; ++t) {
    for (float& value : p.x.view().row(t, 0, 32)) value *= std::exp2(static_cast<float>(2 * t));
  }
  append_and_check(seeded("tokens that grow", seed), p, 0);
}

TEST(KvInt8, LeavesEarlierTokensAndFreePlacesAlone) {
  const TestSeed seed;
  Random random(seed);
  for (const std::int64_t length : {0, 1, 3, 5}) {
    Int8Problem p(2, 8, 7, 2);
    fill(p.x.view(), Values::kOutlierChannel, random);
    append_and_check(seeded("two tokens behind " + std::to_string(length), seed), p, length);
    if (HasFailure()) return;
  }
  Int8Problem none(2, 8, 4, 0);
  append_and_check("no token at all", none, 2);
}

TEST(KvInt8, WritesTheSameAtOnceAndOneByOne) {
  const TestSeed seed;
  Random random(seed);
  Int8Problem p(2, 12, 9, 9);
  fill(p.x.view(), Values::kLogUniform, random);
  for (std::int64_t t = 0; t < 9; ++t) {
    exercise::append_int8(p.x.view().rows_from(t, 1), t, p.cache());
  }
  check(seeded("one by one", seed), p, 0);
}

TEST(KvInt8, RoundsAsTheOracleInEverySize) {
  const TestSeed seed;
  Random random(seed);
  for (const std::int64_t dim : {1, 3, 64, 128}) {
    Int8Problem p(2, dim, 40, 40);
    for (std::int64_t t = 0; t < 40; ++t) {
      const double size = std::exp2(random.uniform(-30, 20));
      for (float& value : p.x.view().row(t, 0, 2 * dim)) {
        value = static_cast<float>(size * random.normal());
      }
    }
    append_and_check(seeded("sizes from 2⁻³⁰ to 2²⁰", seed), p, 0);
    if (HasFailure()) return;
  }
}

TEST(KvInt8, MatchesNumbersMadeElsewhere) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/04_kv_cache/golden/kv_rows.txt");
  std::string comment;
  std::int64_t rows = 0, D = 0;
  ASSERT_TRUE(std::getline(file, comment) && file >> rows >> D);
  Int8Problem p(1, D, rows, rows);
  Matrix<double> expected(rows, D + 1);
  for (std::int64_t r = 0; r < rows; ++r) {
    double unused = 0;
    for (std::int64_t d = 0; d < D; ++d) file >> p.x.view()(r, d);
    for (std::int64_t i = 0; i < 2 * D; ++i) file >> unused;  // FP16 and E4M3
    int bits = 0;
    file >> bits;
    expected(r, D) = to_float(half_t{static_cast<std::uint16_t>(bits)});
    for (std::int64_t d = 0; d < D; ++d) file >> expected(r, d);
    ASSERT_TRUE(file) << "row " << r << " of kv_rows.txt ends early";
  }
  exercise::append_int8(p.x.view(), 0, p.cache());
  Matrix<float> got(rows, D + 1);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t d = 0; d < D; ++d) got(r, d) = p.codes(0, r * D + d);
    got(r, D) = to_float(p.scale(0, r));
  }
  judge({.name = name_of("numbers made elsewhere", p)}, got.view(), expected.view(), exactly());
}

TEST(KvInt8, ReadsATokenBack) {
  Int8Problem p(2, 6, 4, 0);
  const TestSeed seed;
  Random random(seed);
  Matrix<double> expected(8, 6);
  Guarded<float> got(8, 6);
  for (std::int64_t row = 0; row < 8; ++row) {
    const std::int64_t head = row / 4, t = row % 4;
    p.scale(head, t) = from_float<half_t>(static_cast<float>(std::exp2(row - 4)));
    for (std::int64_t d = 0; d < 6; ++d) {
      const std::int64_t code = random.below(255) - 127;
      p.codes(head, t * 6 + d) = static_cast<std::int8_t>(code);
      expected(row, d) = std::exp2(row - 4) * static_cast<double>(code);
    }
    exercise::read_int8(p.cache(), head, t, got.view().row(row, 0, 6));
  }
  const auto place = [](std::int64_t row, std::int64_t d) {
    std::ostringstream out;
    out << "token " << row % 4 << ", head " << row / 4 << ", channel " << d << ", scale "
        << text_of(std::exp2(row - 4));
    return out.str();
  };
  judge({.name = name_of(seeded("codes and scales of powers of two", seed), p), .place = place},
        got, expected.view(), exactly());
}

TEST(KvInt8, ReadsNothingOutsideItsInputs) {
  const TestSeed seed;
  Random random(seed);
  for (const std::int64_t dim : {1, 7, 16}) {
    Int8Problem p(3, dim, 5, 5);
    fill(p.x.view(), Values::kNormal, random);
    const Fenced<float> x(p.x.view());  // a read past it is fatal
    exercise::append_int8(x.view(), 0, p.cache());
    check(seeded("memory ends behind x", seed), p, 0);
    if (HasFailure()) return;
  }
}

TEST(KvInt8, RefusesWhatItCannotHoldAndWritesNothing) {
  Int8Problem p(2, 3, 5, 2);
  Random random(1);
  fill(p.x.view(), Values::kNormal, random);
  Int8Problem accepted(2, 3, 5, 2);
  fill(accepted.x.view(), Values::kNormal, random);
  append_and_check("accepted", accepted, 3);
  const auto append = [&](float bad, std::int64_t length) {
    return [&p, bad, length] {
      p.x.view()(1, 4) = bad;
      exercise::append_int8(p.x.view(), length, p.cache());
    };
  };
  const auto read = [&](std::int64_t head, std::int64_t t, std::size_t size) {
    return [&p, head, t, size] {
      std::vector<float> out(size);
      exercise::read_int8(p.cache(), head, t, out);
    };
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  check_refusals("bad calls",
                 {{"NaN", "x is nan at token 3, head 1, channel 1", append(std::nanf(""), 2)},
                  {"-∞", "x is -inf at token 1, head 1, channel 1", append(-kInfinity, 0)},
                  {"a scale beyond FP16", "finite values under 8.32104e+06", append(8.4e6F, 0)},
                  {"two tokens behind four", "2 tokens after 4 pass the capacity 5", append(1, 4)},
                  {"a length beyond the cache", "length 6 is not within", append(1, 6)},
                  {"token 5 of 5", "token 5 of head 0 is outside", read(0, 5, 3)},
                  {"head 2 of 2", "token 0 of head 2 is outside", read(2, 0, 3)},
                  {"two elements of three", "out has 2 elements; head_dim is 3", read(0, 0, 2)}});
  const Operand<float> none(0, 6);
  exercise::append_int8(none.view(), 0, p.cache());
  Int8Problem untouched(2, 3, 5, 0);
  std::copy_n(p.codes.data(), 30, untouched.codes.data());
  std::copy_n(p.scale.data(), 10, untouched.scale.data());
  check("after the refusals: nothing was written", untouched, 0);
}

TEST(KvInt8, ErrsByHalfAStep) {
  // Half a step of the stored scale; the quotient rounds once more (127 · 2⁻²⁴ steps), and a largest value
  // whose scale was rounded down may be clamped, by less than half a step.
  const TestSeed seed;
  Random random(seed);
  Int8Problem p(1, 64, 200, 200);
  fill(p.x.view(), Values::kNormal, random);
  exercise::append_int8(p.x.view(), 0, p.cache());
  Matrix<float> got(200, 64);
  Matrix<double> expected(200, 64);
  double error = 0, size = 0;
  for (std::int64_t t = 0; t < 200; ++t) {
    exercise::read_int8(p.cache(), 0, t, got.view().row(t, 0, 64));
    for (std::int64_t d = 0; d < 64; ++d) {
      expected(t, d) = p.x.view()(t, d);
      error += std::pow(got(t, d) - expected(t, d), 2);
      size += std::pow(expected(t, d), 2);
    }
  }
  judge({.name = name_of(seeded("written and read back", seed), p)}, got.view(), expected.view(),
        [&](auto t, auto) { return to_float(p.scale(0, t)) * (0.5 + 127 * 0x1p-24); });
  std::ostringstream fact;
  fact.precision(3);
  fact
      << "A token of 64 normal values takes 66 bytes instead of FP16's 128, and comes back with an "
         "error of "
      << 100 * std::sqrt(error / size) << " % of its size (root mean square, "
      << 10 * std::log10(size / error) << " dB).";
  RecordProperty("fact", fact.str());
}

}  // namespace
}  // namespace qlab::test
