// SPDX-License-Identifier: Apache-2.0
/// \file
/// The rungs of attention_decode_cuda against the oracle of attention_decode_cuda_ref.h: small
/// shapes where the CPU runs the kernels, full sizes too where a GPU does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <tuple>

#include "04_kv_cache/attention_decode_cuda_device.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;
using Rung = CudaRung<DecodeFunction>;

bool same_bits(const Matrix<float>& a, const Matrix<float>& b) {
  return std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.rows() * a.cols()) * 4) == 0;
}

/// Judges every `stride`-th head, and the last.
void judge(const DecodeCase& c, const Rung& rung, const Matrix<float>& got, int stride = 1) {
  const int heads = c.batch() * c.shape.heads;
  for (int i = 0; i < heads; ++i) {
    if (i % stride != 0 && i != heads - 1) continue;
    const DecodeHead ref = c.reference(i / c.shape.heads, i % c.shape.heads);
    for (int d = 0; d < c.shape.head_dim; ++d) {
      const auto at = static_cast<std::size_t>(d);
      const double difference = std::fabs(got(i, d) - ref.value[at]);
      if (difference <= ref.tolerance[at]) continue;  // not so for NaN
      FAIL() << rung.name << ", " << c.name() << ": sequence " << i / c.shape.heads << ", head "
             << i % c.shape.heads << ", channel " << d << " is " << got(i, d) << ", not "
             << ref.value[at] << " within " << ref.tolerance[at];
    }
  }
}

void check(const DecodeCase& c, const Rung& rung, int stride = 1) {
  OnTheDevice device(c, rung);
  const Matrix<float> first = device.run();
  judge(c, rung, first, stride);
  if (testing::Test::HasFatalFailure()) return;
  EXPECT_TRUE(same_bits(first, device.run())) << rung.name << ", " << c.name();
}

struct AttentionDecodeCuda : OnDevice, testing::WithParamInterface<std::tuple<DecodeFormat, Rung>> {
  void SetUp() override {
    OnDevice::SetUp();
#if defined(__CUDACC__)
    cudaDeviceProp device{};
    if (!IsSkipped() && cudaGetDeviceProperties(&device, 0) == cudaSuccess &&
        !rung.runs_on(10 * device.major + device.minor)) {
      GTEST_SKIP() << "not on this GPU";
    }
#endif
  }
  const DecodeFormat format = std::get<0>(GetParam());
  const Rung rung = std::get<1>(GetParam());
};

TEST_P(AttentionDecodeCuda, MatchesTheOracle) {
  Random random(1);
  const DecodeShape shapes[] = {{format, 2, 2, 128, 130},
                                {format, 8, 2, 128, 130},
                                {format, 3, 1, 64, 131},
                                {format, 8, 1, 128, 129}};
  simt::for_each_schedule(2, [&] {
    for (const DecodeShape& shape : shapes) {
      for (const int splits : {1, 3}) {
        DecodeCase c(shape, {1, 31, 33, 100, 129}, splits);
        c.draw(random);
        check(c, rung);
        if (HasFatalFailure()) return;
      }
    }
  });
}

TEST_P(AttentionDecodeCuda, WalksThroughManyTiles) {
  Random random(2);
  DecodeCase c({format, 4, 1, 128, 1100}, {1083}, 1);  // more tiles than stages, for each warp
  c.draw(random);
  check(c, rung);
  c.splits = 40;  // more than there are tiles
  check(c, rung);
}

TEST_P(AttentionDecodeCuda, StaysStableForLargeScores) {
  Random random(3);
  DecodeCase c({format, 4, 1, 128, 200}, {200, 77}, 2);
  c.draw(random, 300);  // e^score would overflow by far
  check(c, rung);
}

TEST_P(AttentionDecodeCuda, KeepsScalesOfVThatGrow) {
  if (format != DecodeFormat::kInt8 && format != DecodeFormat::kInt4) return;
  Random random(4);
  DecodeCase c({format, 4, 1, 64, 500}, {500}, 1);
  c.draw(random, 0.1);             // all tokens count
  for (int t = 0; t < 500; ++t) {  // from close to FP16's smallest number on
    c.v.scale[static_cast<std::size_t>(t)] = half_bits(std::ldexp(1.0, t / 50 - 22));
    c.v.minimum[static_cast<std::size_t>(t)] = half_bits(-std::ldexp(1.0, t / 50 - 19));
  }
  check(c, rung);
}

TEST_P(AttentionDecodeCuda, IgnoresWhatLiesBehindTheLastToken) {
  Random random(5);
  DecodeCase c({format, 4, 1, 64, 130}, {1, 33, 70, 95}, 2);
  c.draw(random);
  const Matrix<float> before = OnTheDevice(c, rung).run();
  for (int b = 0; b < c.batch(); ++b) {
    for (int t = c.lengths[static_cast<std::size_t>(b)]; t < c.shape.capacity; ++t) {
      c.draw_row(c.k, c.row(b, 0, t), random);
      c.draw_row(c.v, c.row(b, 0, t), random);
    }
  }
  EXPECT_TRUE(same_bits(before, OnTheDevice(c, rung).run()));
}

TEST_P(AttentionDecodeCuda, RefusesOperandsThatDoNotFit) {
  Random random(6);
  const auto refused = [&](const DecodeShape& shape, int length, int splits) {
    DecodeCase c(shape, {std::max(length, 1)}, std::max(splits, 1));
    c.draw(random);
    c.lengths[0] = length;
    OnTheDevice device(c, rung);
    c.splits = splits;
    EXPECT_THROW(device.run(), ContractError) << c.name();
  };
  refused({format, 4, 1, 64, 20}, 0, 1);
  refused({format, 4, 1, 64, 20}, 10, 0);
  refused({format, 9, 1, 64, 20}, 10, 1);
  refused({format, 3, 2, 64, 20}, 10, 1);
  refused({format, 4, 1, 96, 20}, 10, 1);
}

#if defined(__CUDACC__)
TEST_P(AttentionDecodeCuda, MatchesTheOracleAtFullSize) {
  Random random(7);
  DecodeCase c({format, 32, 8, 128, 8200}, {8192, 4097, 33, 8191}, 5);
  c.draw(random);
  check(c, rung, 37);
}
TEST_P(AttentionDecodeCuda, MatchesTheOracleOnALongContext) {
  Random random(8);
  DecodeCase c({format, 32, 8, 128, 32768}, {32768}, 33);
  c.draw(random);
  check(c, rung, 17);
}
#endif

TEST(ChooseDecodeSplits, FillsTheGpu) {
  EXPECT_EQ(choose_decode_splits(DecodeFormat::kFp8E4m3, 64, 8, 16384, 132), 1);
  EXPECT_EQ(choose_decode_splits(DecodeFormat::kFp8E4m3, 1, 8, 1, 132), 1);
  EXPECT_GE(choose_decode_splits(DecodeFormat::kFp8E4m3, 1, 8, 32768, 132), 16);
}

std::string name_of(const testing::TestParamInfo<AttentionDecodeCuda::ParamType>& param) {
  return format_name(std::get<0>(param.param)) + std::string("_") +
         std::string(std::get<1>(param.param).name);
}
INSTANTIATE_TEST_SUITE_P(Rungs, AttentionDecodeCuda,
                         testing::Combine(testing::ValuesIn(kDecodeFormats),
                                          testing::ValuesIn(kAttentionDecodeCudaRungs)),
                         name_of);

constexpr Rung kContiguous = {"v4_mma", attention_decode_cuda_v4_mma, kAnyGpu};
constexpr Rung kPaged = {"v5_paged", attention_decode_cuda_v5_paged, kAnyGpu};

/// Of a format and a size of pages.
struct AttentionDecodeCudaPaged : OnDevice,
                                  testing::WithParamInterface<std::tuple<DecodeFormat, int>> {
  const DecodeFormat format = std::get<0>(GetParam());
  const int block_size = std::get<1>(GetParam());

  /// The same tokens in one piece and in pages: the same sums in the same order.
  static void compare(const DecodeCase& c, const DecodePool& pool) {
    const Matrix<float> got = OnTheDevice(c, kPaged, pool).run();
    judge(c, kPaged, got);
    EXPECT_TRUE(same_bits(got, OnTheDevice(c, kContiguous).run())) << c.name();
  }
};

TEST_P(AttentionDecodeCudaPaged, GivesTheBitsOfAContiguousCache) {
  Random random(9);
  const int B = block_size;
  for (const DecodeShape& shape :
       {DecodeShape{format, 8, 2, 128, 2 * B + 40}, DecodeShape{format, 3, 3, 64, 2 * B + 33}}) {
    for (const int splits : {1, 4}) {
      DecodeCase c(shape, {2 * B + 21, 1, B - 1, B, B + 1}, splits);
      c.draw(random);
      compare(c, DecodePool(c, B, random));
    }
  }
}

TEST_P(AttentionDecodeCudaPaged, ReadsASharedPrefixForEachSequence) {
  Random random(10);
  const int B = block_size, prefix = 2 * B;
  DecodeCase c({format, 4, 2, 64, prefix + 50}, {prefix + 3, prefix, prefix + 50}, 2);
  c.draw(random);
  for (int b = 1; b < c.batch(); ++b) c.copy_tokens(0, b, prefix);
  compare(c, DecodePool(c, B, random, 2));
}

// The last page of each sequence is full, and memory ends behind the last entry: to read one more is
// an error of the CPU's guard, or of compute-sanitizer.
TEST_P(AttentionDecodeCudaPaged, ReadsNoEntryBehindTheLastPage) {
  Random random(11);
  const int tokens = 2 * block_size;
  DecodeCase c({format, 2, 1, 64, tokens}, {tokens, tokens}, 1);
  c.draw(random);
  compare(c, DecodePool(c, block_size, random));
}

std::string paged_name_of(
    const testing::TestParamInfo<AttentionDecodeCudaPaged::ParamType>& param) {
  return format_name(std::get<0>(param.param)) + std::string("_") +
         std::to_string(std::get<1>(param.param));
}
INSTANTIATE_TEST_SUITE_P(Pages, AttentionDecodeCudaPaged,
                         testing::Combine(testing::ValuesIn(kDecodeFormats),
                                          testing::Values(16, 32, 64, 128)),
                         paged_name_of);

struct AttentionDecodeCudaPages : OnDevice {};

TEST_F(AttentionDecodeCudaPages, OfAWrongKindOrSizeAreRefused) {
  Random random(12);
  DecodeCase c({DecodeFormat::kFp8E4m3, 4, 2, 64, 40}, {33, 5}, 1);
  c.draw(random);
  const DecodePool pool(c, 16, random);
  OnTheDevice contiguous(c, kContiguous), paged(c, kPaged, pool);
  simt::Buffer<half> out(c.q.size(), "the output");
  const auto expect = [&](DecodeFunction* run, const DecodeAttention& a, const char* sentence) {
    EXPECT_THAT([&] { run(a, {}); }, ThrowsMessage<ContractError>(HasSubstr(sentence)));
  };
  for (const Rung& rung : kAttentionDecodeCudaRungs) {
    expect(rung.run, (reads_pages(rung) ? contiguous : paged).operands(out.data()),
           reads_pages(rung) ? "no table of pages" : "lies in pages");
  }
  const auto broken = [&](const char* sentence, const auto& change) {
    DecodeAttention a = paged.operands(out.data());
    std::vector<int> table = pool.table;  // [2, 3]
    a.block_table = table;
    change(a, table);
    expect(attention_decode_cuda_v5_paged, a, sentence);
  };
  for (const int size : {-16, 0, 8, 24, 256}) {
    broken("choose one of them", [&](auto& a, auto&) { a.kv.pages.block_size = size; });
  }
  broken("no whole number of pages", [](auto& a, auto&) { a.kv.capacity = 47; });
  broken("5 entries on the host", [](auto& a, auto& t) { a.block_table = std::span(t).first(5); });
  broken("entry 2 of sequence 0 is block -1 ", [](auto&, auto& table) { table[2] = -1; });
  broken("entry 0 of sequence 1 is block 7 of a pool of 7;",
         [&](auto&, auto& table) { table[3] = pool.n_blocks; });
  broken("is not within 1 and the capacity", [](auto& a, auto&) {
    a.kv.capacity = 32;
    a.block_table = a.block_table.first(4);
  });
}

}  // namespace
}  // namespace qlab::test
