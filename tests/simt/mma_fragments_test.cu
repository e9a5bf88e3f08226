// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which lane holds which element of mma's operands, element by element: golden/mma_fragments.csv
/// has the PTX manual's formulas written out. One-hot operands show where an element went.
#include <fstream>
#include <sstream>
#include <type_traits>

#include "simt/on_device.h"

namespace qlab::test {
namespace {

struct MmaFragments : OnDevice {};

struct Place {
  unsigned lane, element, row, col;
};

// The lines of one operand; a file that is missing or short is an error, never an empty test.
std::vector<Place> places(const std::string& instruction, const std::string& operand,
                          std::size_t count) {
  std::ifstream file(QLAB_SOURCE_DIR "/tests/simt/golden/mma_fragments.csv");
  const std::string start = instruction + "," + operand + ",";
  std::vector<Place> all;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(start, 0) != 0) continue;
    std::istringstream numbers(line.substr(start.size()));
    Place p{};
    char comma;
    numbers >> p.lane >> comma >> p.element >> comma >> p.row >> comma >> p.col;
    EXPECT_TRUE(numbers) << line;
    all.push_back(p);
  }
  EXPECT_EQ(all.size(), count) << "lines of " << start << " in mma_fragments.csv";
  return all;
}

// What a thread does with its registers as they are: A in 4 words, B in 2, C and D in 4.
template <class D>
__global__ void raw_mma(const std::uint32_t* a, const std::uint32_t* b, D* d) {
  const std::uint32_t* my_a = a + 4 * threadIdx.x;
  const std::uint32_t* my_b = b + 2 * threadIdx.x;
  const std::uint32_t fa[4] = {my_a[0], my_a[1], my_a[2], my_a[3]};
  const std::uint32_t fb[2] = {my_b[0], my_b[1]};
  D fd[4];
  for (unsigned i = 0; i < 4; ++i) fd[i] = d[4 * threadIdx.x + i];
  if constexpr (std::is_same_v<D, float>) {
    ptx::mma_m16n8k16_f16(fd, fa, fb);
  } else {
    ptx::mma_m16n8k32_s8(fd, fa, fb);
  }
  for (unsigned i = 0; i < 4; ++i) d[4 * threadIdx.x + i] = fd[i];
}

// One instruction: K elements in a row of A, `bits` each, and the code of 1.
template <class D>
struct Shape {
  const char* name;
  unsigned K;
  unsigned bits;
  std::uint32_t one;

  unsigned per_word() const { return 32 / bits; }

  // The registers of all lanes; the operand is 1 at the places where `has_one`, else 0.
  template <class HasOne>
  std::vector<std::uint32_t> words(const std::vector<Place>& places, unsigned words_a_lane,
                                   HasOne has_one) const {
    std::vector<std::uint32_t> result(32 * words_a_lane);
    for (const Place& p : places) {
      if (!has_one(p)) continue;
      result[p.lane * words_a_lane + p.element / per_word()] |= one
                                                                << bits * (p.element % per_word());
    }
    return result;
  }

  // [16][8], read through the places of C.
  std::vector<D> multiply(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b,
                          const std::vector<Place>& c_places) const {
    simt::Buffer<std::uint32_t> da(a, "A"), db(b, "B");
    simt::Buffer<D> dd(std::vector<D>(128), "D");
    simt::launch(1, 32, 0, raw_mma<D>, da.data(), db.data(), dd.data());
    const std::vector<D> got = dd.to_host();
    std::vector<D> matrix(128);
    for (const Place& p : c_places) matrix[p.row * 8 + p.col] = got[4 * p.lane + p.element];
    return matrix;
  }
};

constexpr Shape<float> kF16{"m16n8k16.f16", 16, 16, 0x3C00};
constexpr Shape<std::int32_t> kS8{"m16n8k32.s8", 32, 8, 1};

// A one at (row, k) of A, times B whose row k is k + 1 in binary: row `row` of the product spells
// k + 1, which is never 0. It needs 6 bits at most, B has 8 columns.
template <class D>
void expect_places_of_a(const Shape<D>& shape) {
  const auto a = places(shape.name, "A", 16 * shape.K), b = places(shape.name, "B", 8 * shape.K);
  const auto c = places("both", "C", 128);
  const auto spell =
      shape.words(b, 2, [](const Place& p) { return ((p.row + 1) >> p.col & 1) != 0; });
  for (const Place& one : a) {
    const auto hot = shape.words(a, 4, [&](const Place& p) { return &p == &one; });
    std::vector<D> expected(128);
    for (unsigned n = 0; n < 8; ++n)
      expected[one.row * 8 + n] = static_cast<D>((one.col + 1) >> n & 1);
    ASSERT_EQ(shape.multiply(hot, spell, c), expected)
        << "A: lane " << one.lane << ", element " << one.element;
  }
}

// The same with a one at (k, column) of B, and A whose column k is k + 1 in binary.
template <class D>
void expect_places_of_b(const Shape<D>& shape) {
  const auto a = places(shape.name, "A", 16 * shape.K), b = places(shape.name, "B", 8 * shape.K);
  const auto c = places("both", "C", 128);
  const auto spell =
      shape.words(a, 4, [](const Place& p) { return ((p.col + 1) >> p.row & 1) != 0; });
  for (const Place& one : b) {
    const auto hot = shape.words(b, 2, [&](const Place& p) { return &p == &one; });
    std::vector<D> expected(128);
    for (unsigned m = 0; m < 16; ++m) {
      expected[m * 8 + one.col] = static_cast<D>((one.row + 1) >> m & 1);
    }
    ASSERT_EQ(shape.multiply(spell, hot, c), expected)
        << "B: lane " << one.lane << ", element " << one.element;
  }
}

TEST_F(MmaFragments, PutEveryElementOfAOfF16WhereThePtxManualSays) { expect_places_of_a(kF16); }
TEST_F(MmaFragments, PutEveryElementOfBOfF16WhereThePtxManualSays) { expect_places_of_b(kF16); }
TEST_F(MmaFragments, PutEveryElementOfAOfS8WhereThePtxManualSays) { expect_places_of_a(kS8); }
TEST_F(MmaFragments, PutEveryElementOfBOfS8WhereThePtxManualSays) { expect_places_of_b(kS8); }

}  // namespace
}  // namespace qlab::test
