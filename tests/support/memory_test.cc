// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of Guarded and Fenced: a write outside, an element never written, a read past the end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "common/formats.h"
#include "support/compare.h"
#include "support/fenced.h"
#include "support/guarded.h"
#include "support/problems.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;

// Guarded

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

// Fenced

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

}  // namespace
}  // namespace qlab::test
