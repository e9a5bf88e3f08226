// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the tests' tools: each one must fail when it should.
#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <set>
#include <string>

#include "support/compare.h"
#include "support/fenced.h"
#include "support/guarded.h"
#include "support/problems.h"
#include "support/roofline.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// --- compare ---

/// One value against one, both as [1, 1].
std::int64_t wrong(float got, double expected, double allowed) {
  return compare({&got, 1, 1, 1}, {&expected, 1, 1, 1},
                 [=](std::int64_t, std::int64_t) { return allowed; })
      .wrong;
}

TEST(Compare, AllowsTheToleranceAndNoMore) {
  EXPECT_EQ(wrong(1.5F, 1.25, 0.25), 0);
  EXPECT_EQ(wrong(1.5F, 1.25, 0.2499999), 1);
  EXPECT_EQ(wrong(-1.5F, 1.5, 0.25), 1);
}

TEST(Compare, LooksAtDoublesNotFloats) { EXPECT_EQ(wrong(1.0F, 1 + 0x1p-40, 0), 1); }

TEST(Compare, TakesNoNanForRight) {
  EXPECT_EQ(wrong(kNan, 0, 1e30), 1);
  EXPECT_EQ(wrong(0, kNan, 1e30), 1);
  EXPECT_EQ(wrong(kNan, kNan, 1e30), 1);
  EXPECT_EQ(wrong(0, 0, kNan), 1);
}

TEST(Compare, TakesNoInfinityForRight) {
  EXPECT_EQ(wrong(kInfinity, 3e38, 1e30), 1);
  EXPECT_EQ(wrong(kInfinity, kInfinity, 1e30), 1);
  EXPECT_EQ(wrong(kInfinity, 1, kInfinity), 1);
  EXPECT_EQ(wrong(1, 1, kInfinity), 1);
}

TEST(Compare, TakesMinusZeroForZero) { EXPECT_EQ(wrong(-0.0F, 0.0, 0), 0); }

TEST(Compare, LooksAtEveryElementAndSaysWhichAreWrong) {
  for (std::int64_t r = 0; r < 3; ++r) {
    for (std::int64_t c = 0; c < 5; ++c) {
      Operand<float> got(3, 5);
      Matrix<double> expected(3, 5);
      Random unused(1);
      fill(got.view(), Values::kOneHot, unused);
      for (std::int64_t i = 0; i < 3; ++i) expected(i, i) = 1;
      got.view()(r, c) += 8;
      const Comparison comparison = compare(got.view(), expected.view(), exactly());
      EXPECT_EQ(comparison.wrong, 1);
      EXPECT_EQ(comparison.row, r);
      EXPECT_EQ(comparison.col, c);
      EXPECT_EQ(comparison.got - comparison.expected, 8);
    }
  }
}

TEST(Compare, DescribesAWrongTail) {
  Matrix<float> got(4, 6);
  Matrix<double> expected(4, 6);
  for (std::int64_t r = 0; r < 4; ++r) expected(r, 4) = expected(r, 5) = 2.5;
  const std::string text = describe(compare(got.view(), expected.view(), exactly()));
  EXPECT_THAT(text, HasSubstr("first bad: [0, 4] of [4, 6]: expected 2.5  got 0  allowed ±0"));
  EXPECT_THAT(text,
              HasSubstr("8 of 24 values wrong: every one of columns 4 … 5; all of them are 0"));
}

TEST(Compare, DescribesScatteredNans) {
  Matrix<float> got(4, 6);
  got(1, 0) = got(2, 5) = kNan;
  const std::string text = describe(compare(got.view(), Matrix<double>(4, 6).view(), exactly()));
  EXPECT_THAT(text, HasSubstr("2 of 24 values wrong: some of rows 1 … 2; all of them are NaN"));
}

TEST(Compare, RefusesAnotherShape) {
  const Matrix<float> got(2, 3);
  const Matrix<double> expected(3, 2);
  EXPECT_THAT([&] { compare(got.view(), expected.view(), exactly()); },
              testing::ThrowsMessage<ContractError>(HasSubstr("[2, 3], expected [3, 2]")));
}

TEST(Compare, DerivesTheToleranceOfADotProduct) {
  const double abs_sum = 3;
  EXPECT_EQ(dot_product({&abs_sum, 1, 1, 1}, 16)(0, 0), 8 * 0x1p-24 * 3);
  EXPECT_EQ(dot_product({&abs_sum, 1, 1, 1}, 16, 0x1p-24)(0, 0), 9 * 0x1p-24 * 3);
  const double value = -3;
  EXPECT_EQ(relative({&value, 1, 1, 1}, 0x1p-20)(0, 0), 3 * 0x1p-20);
}

// --- Guarded ---

template <class T>
void write_all(MatrixView<T> out) {
  for (std::int64_t r = 0; r < out.rows(); ++r) {
    for (std::int64_t c = 0; c < out.cols(); ++c) out(r, c) = element<T>(1);
  }
}

template <class T>
class GuardedFloats : public testing::Test {};
using Floats = testing::Types<float, double, half_t, bf16_t, fp8_e4m3_t, fp8_e5m2_t>;
TYPED_TEST_SUITE(GuardedFloats, Floats);

TYPED_TEST(GuardedFloats, SeesEveryElementNotWritten) {
  Guarded<TypeParam> whole(3, 7);
  write_all(whole.view());
  EXPECT_TRUE(whole.written_exactly());
  for (std::int64_t r = 0; r < 3; ++r) {
    for (std::int64_t c = 0; c < 7; ++c) {
      Guarded<TypeParam> out(3, 7);
      const TypeParam poison = out.view()(r, c);
      write_all(out.view());
      out.view()(r, c) = poison;
      EXPECT_FALSE(out.written_exactly()) << r << ", " << c;
    }
  }
}

TYPED_TEST(GuardedFloats, SeesEveryByteWrittenOutside) {
  Guarded<TypeParam> out(3, 7);
  write_all(out.view());
  const auto size = static_cast<std::int64_t>(sizeof(TypeParam));
  auto* const first = reinterpret_cast<unsigned char*>(out.view().row(0));
  const std::int64_t row = out.view().row_stride() * size;
  for (std::int64_t b = -64; b < 3 * row + 64; ++b) {
    if (b >= 0 && b < 3 * row && b % row < 7 * size) continue;
    first[b] ^= 1;
    EXPECT_FALSE(out.written_exactly()) << "byte " << b;
    first[b] ^= 1;
  }
  EXPECT_TRUE(out.written_exactly());
}

TEST(Guarded, SaysWhereTheDamageIs) {
  Guarded<float> out(2, 3);
  write_all(out.view());
  out.view().row(0)[3] = 0;
  EXPECT_THAT(out.written_exactly().message(), HasSubstr("wrote 1 bytes past the end of row 0"));
  Guarded<float> before(2, 3);
  write_all(before.view());
  before.view().row(0)[-1] = 0;
  EXPECT_THAT(before.written_exactly().message(), HasSubstr("wrote 4 bytes before the first row"));
}

TEST(Guarded, SpoilsASumThatStartsFromTheOldOutput) {
  Guarded<float> out(1, 1);
  out.view()(0, 0) += 1;
  EXPECT_FALSE(matches(out.view(), Matrix<double>(1, 1).view(), exactly()));
}

TEST(Guarded, SeesIntegersNotWrittenByTwoRuns) {
  using Output = Guarded<std::uint8_t>;
  const auto run = [](Output& out, bool skip_one) {
    const std::uint8_t old = out.view()(1, 4);
    write_all(out.view());
    out.view()(0, 0) = Output::kPoison;  // a code as good as any other
    if (skip_one) out.view()(1, 4) = old;
  };
  for (const bool skip_one : {false, true}) {
    Output one(2, 5), two(2, 5, Output::kOtherPoison);
    run(one, skip_one);
    run(two, skip_one);
    EXPECT_EQ(static_cast<bool>(one.written_exactly(two)), !skip_one);
  }
}

TEST(Guarded, SeesIntegersMadeFromTheOldOutput) {
  Guarded<std::int32_t> one(1, 2), two(1, 2, Guarded<std::int32_t>::kOtherPoison);
  for (auto* out : {&one, &two}) {
    out->view()(0, 0) = 1;
    out->view()(0, 1) /= 2;
  }
  EXPECT_THAT(one.written_exactly(two).message(), HasSubstr("[0, 1] of [1, 2] depends on"));
}

TEST(Guarded, SeesDamageInEitherRun) {
  for (const bool in_second : {false, true}) {
    Guarded<std::int8_t> one(1, 2), two(1, 2, Guarded<std::int8_t>::kOtherPoison);
    write_all(one.view());
    write_all(two.view());
    EXPECT_TRUE(one.written_exactly(two));
    (in_second ? two : one).view().row(0)[2] = 0;
    EXPECT_FALSE(one.written_exactly(two));
  }
}

// --- Fenced ---

/// Reads through a volatile pointer: the read stays, whatever the optimizer thinks of it.
template <class T>
T read(const T* data, std::int64_t i) {
  return *static_cast<const volatile T*>(data + i);
}

TEST(Fenced, KeepsValuesAndTheirDistance) {
  Operand<float> input(3, 5);
  Random random(1);
  fill(input.view(), Values::kNormal, random);
  const Fenced<float> fenced(input.view());
  EXPECT_EQ(fenced.view().row_stride(), input.view().row_stride());
  for (std::int64_t r = 0; r < 3; ++r) {
    for (std::int64_t c = 0; c < 5; ++c) EXPECT_EQ(fenced.view()(r, c), input.view()(r, c));
  }
  EXPECT_TRUE(std::isnan(fenced.view().row(0)[5])) << "the gap is poison";
}

TEST(FencedDeathTest, EndsAReadOfOneByteTooMany) {
  for (const std::int64_t size : {1, 4095, 4096, 4097}) {
    const Matrix<std::uint8_t> input(1, size);
    const Fenced<std::uint8_t> fenced(input.view());
    EXPECT_EQ(read(fenced.data(), size - 1), 0);
    EXPECT_DEATH(read(fenced.data(), size), "") << size;
  }
}

TEST(FencedDeathTest, EndsAReadPastTheLastRowThoughRowsHaveAGap) {
  const Operand<float> input(3, 5);
  const Fenced<float> fenced(input.view());
  EXPECT_DEATH(read(fenced.view().row(2), 5), "");
}

TEST(FencedDeathTest, EndsAWrite) {
  const Matrix<std::int32_t> input(2, 3);
  const Fenced<std::int32_t> fenced(input.view());
  EXPECT_DEATH(*const_cast<volatile std::int32_t*>(fenced.data()) = 1, "");
}

TEST(FencedDeathTest, FencesNothingAtAll) {
  const Matrix<float> input(0, 4);
  const Fenced<float> fenced(input.view());
  EXPECT_EQ(fenced.view().rows(), 0);
  EXPECT_DEATH(read(fenced.data(), 0), "");
}

// --- TestSeed ---

/// Sets LAB_SEED for one test and puts back what the caller gave.
class SeedFromEnvironment : public testing::Test {
 protected:
  ~SeedFromEnvironment() override {
    if (was_set_) {
      setenv("LAB_SEED", before_.c_str(), 1);
    } else {
      unsetenv("LAB_SEED");
    }
  }

 private:
  const bool was_set_ = std::getenv("LAB_SEED") != nullptr;
  const std::string before_ = was_set_ ? std::getenv("LAB_SEED") : "";
};

TEST_F(SeedFromEnvironment, OverridesTheHash) {
  setenv("LAB_SEED", "0x5eed", 1);
  EXPECT_EQ(TestSeed(), 0x5EEDu);
}

TEST_F(SeedFromEnvironment, CountsAsUnsetWhenEmpty) {
  setenv("LAB_SEED", "", 1);
  EXPECT_EQ(TestSeed(), TestSeed());
  EXPECT_GT(TestSeed(), 0xFFFFu) << "a hash";
}

TEST_F(SeedFromEnvironment, RefusesWhatIsNoNumber) {
  setenv("LAB_SEED", "12x", 1);
  EXPECT_THROW(TestSeed(), ContractError);
}

TEST_F(SeedFromEnvironment, IsPrintedWithAFailure) {
  setenv("LAB_SEED", "77", 1);
  EXPECT_NONFATAL_FAILURE(
      {
        const TestSeed seed;
        ADD_FAILURE() << "planted";
      },
      "LAB_SEED=77");
}

// --- problems ---

TEST(Problems, PutPoisonBetweenRows) {
  Operand<half_t> input(2, 3, 4);
  write_all(input.view());
  EXPECT_EQ(input.view().row_stride(), 7);
  for (const std::int64_t i : {3, 6, 10, 13}) EXPECT_EQ(input.view().row(0)[i].bits, 0xFFFF);
}

TEST(Problems, RepeatThemselvesForTheSameSeed) {
  for (const NamedValues& kind : kAllValues) {
    Random one(5), two(5);
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(draw(kind.values, 2, i, 100, one), draw(kind.values, 2, i, 100, two)) << kind.name;
    }
  }
}

TEST(Problems, SumWithoutRoundingWhereTheySaySo) {
  // If all values are multiples of `step`, products are multiples of step², and a sum is exact while
  // it stays under 2²⁴ of those. Half holds each value as it is.
  const TestSeed seed;
  Random random(seed);
  for (const NamedValues& kind : kAllValues) {
    if (!kind.exact) continue;
    double step = 1, abs_sum = 0;
    for (std::int64_t c = 0; c < 4099; ++c) {
      const double value = draw(kind.values, 0, c, 4099, random);
      while (std::trunc(value / step) != value / step) step /= 2;
      abs_sum += value * value;
      EXPECT_EQ(to_float(element<half_t>(value)), value) << kind.name;
    }
    EXPECT_LE(abs_sum, 0x1p24 * step * step) << kind.name;
  }
}

TEST(Problems, HaveSidesThatDiffer) {
  for (const GemmShape& shape : kGemmShapes) {
    const std::set<std::int64_t> sides = {shape.M, shape.N, shape.K};
    const bool one_by_one = shape.M * shape.N * shape.K == 1;
    EXPECT_EQ(sides.size(), one_by_one ? 1u : 3u) << shape;
  }
}

// --- roofline ---

TEST(Roofline, MeasuresWithOneThreadAndWithTwo) {
  for (const int count : {1, 2}) {
    ThreadPool threads(count);
    const double bytes = read_bytes_per_second(threads), flops = fma_flops_per_second(threads);
    EXPECT_TRUE(bytes > 0 && std::isfinite(bytes)) << bytes;
    EXPECT_TRUE(flops > 0 && std::isfinite(flops)) << flops;
  }
  flush_caches();
}

}  // namespace
}  // namespace qlab::test
