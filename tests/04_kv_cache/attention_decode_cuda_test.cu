// SPDX-License-Identifier: Apache-2.0
/// \file
/// The rungs of attention_decode_cuda against the oracle of attention_decode_cuda_ref.h: small
/// shapes where the CPU runs the kernels, full sizes too where a GPU does.
#include <gtest/gtest.h>

#include <cstring>
#include <tuple>

#include "04_kv_cache/attention_decode_cuda_case.h"

namespace qlab::test {
namespace {

using Rung = CudaRung<DecodeFunction>;

/// A case's operands on the device; run may be called more than once.
class OnTheDevice {
 public:
  explicit OnTheDevice(const DecodeCase& c)
      : c_(c),
        heads_(static_cast<std::size_t>(c.batch() * c.shape.heads)),
        q_(halves(c.q), "q"),
        k_(c.k.codes, "K"),
        v_(c.v.codes, "V"),
        k_scale_(halves(c.k.scale), "the scales of K"),
        v_scale_(halves(c.v.scale), "the scales of V"),
        k_grid_(grids(c.k), "the grids of K"),
        v_grid_(grids(c.v), "the grids of V"),
        k_head_(c.k.head_scale, "the scale of K"),
        v_head_(c.v.head_scale, "the scale of V"),
        lengths_(c.lengths, "lengths"),
        m_(heads_ * static_cast<std::size_t>(c.splits), "m"),
        l_(heads_ * static_cast<std::size_t>(c.splits), "l"),
        o_(heads_ * static_cast<std::size_t>(c.splits * c.shape.head_dim), "o"),
        arrived_(std::vector<unsigned>(static_cast<std::size_t>(c.batch() * c.shape.kv_heads), 0),
                 "arrived") {}

  Matrix<float> run(const Rung& rung) {
    DeviceOutput<half> out(static_cast<std::int64_t>(heads_), c_.shape.head_dim);
    const auto tensor = [&](const auto& codes, const auto& scale, const auto& grid,
                            const auto& head) {
      const DecodeFormat format = c_.shape.format;
      return DecodeTensor{.codes = codes.data(),
                          .token_scale = format == DecodeFormat::kInt8 ? scale.data() : nullptr,
                          .head_scale = format == DecodeFormat::kFp8E4m3 ? head.data() : nullptr,
                          .token_grid = format == DecodeFormat::kInt4
                                            ? reinterpret_cast<const half2*>(grid.data())
                                            : nullptr};
    };
    rung.run({.q = q_.data(),
              .kv = {.format = c_.shape.format,
                     .batch = c_.batch(),
                     .n_kv_heads = c_.shape.kv_heads,
                     .head_dim = c_.shape.head_dim,
                     .capacity = c_.shape.capacity,
                     .k = tensor(k_, k_scale_, k_grid_, k_head_),
                     .v = tensor(v_, v_scale_, v_grid_, v_head_)},
              .lengths = c_.lengths,
              .device_lengths = lengths_.data(),
              .n_heads = c_.shape.heads,
              .splits = c_.splits,
              .parts = {.m = m_.data(), .l = l_.data(), .o = o_.data()},
              .arrived = arrived_.data(),
              .out = out.data()},
             {});
    Matrix<float> values = out.fetch(c_.name());  // waits for the kernel
    for (const unsigned counter : arrived_.to_host()) EXPECT_EQ(counter, 0U) << rung.name;
    return values;
  }

 private:
  static std::vector<half> halves(const std::vector<std::uint16_t>& bits) {
    std::vector<half> values(bits.size());
    for (std::size_t i = 0; i < bits.size(); ++i) values[i] = __ushort_as_half(bits[i]);
    return values;
  }
  /// Two FP16 numbers a word, as half2 has them; half2 itself is no type for a Buffer.
  static std::vector<std::uint32_t> grids(const DecodeOperand& operand) {
    std::vector<std::uint32_t> words(operand.scale.size());
    for (std::size_t i = 0; i < words.size(); ++i) {
      words[i] = operand.scale[i] | std::uint32_t{operand.minimum[i]} << 16;
    }
    return words;
  }

  const DecodeCase& c_;
  std::size_t heads_;
  simt::Buffer<half> q_;
  simt::Buffer<std::uint8_t> k_, v_;
  simt::Buffer<half> k_scale_, v_scale_;
  simt::Buffer<std::uint32_t> k_grid_, v_grid_;
  simt::Buffer<float> k_head_, v_head_;
  simt::Buffer<int> lengths_;
  simt::Buffer<float> m_, l_, o_;
  simt::Buffer<unsigned> arrived_;
};

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
  OnTheDevice device(c);
  const Matrix<float> first = device.run(rung);
  judge(c, rung, first, stride);
  if (testing::Test::HasFatalFailure()) return;
  EXPECT_TRUE(same_bits(first, device.run(rung))) << rung.name << ", " << c.name();
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
  const Matrix<float> before = OnTheDevice(c).run(rung);
  for (int b = 0; b < c.batch(); ++b) {
    for (int t = c.lengths[static_cast<std::size_t>(b)]; t < c.shape.capacity; ++t) {
      c.draw_row(c.k, c.row(b, 0, t), random);
      c.draw_row(c.v, c.row(b, 0, t), random);
    }
  }
  EXPECT_TRUE(same_bits(before, OnTheDevice(c).run(rung)));
}

TEST_P(AttentionDecodeCuda, RefusesOperandsThatDoNotFit) {
  Random random(6);
  const auto refused = [&](const DecodeShape& shape, int length, int splits) {
    DecodeCase c(shape, {std::max(length, 1)}, std::max(splits, 1));
    c.draw(random);
    c.lengths[0] = length;
    OnTheDevice device(c);
    c.splits = splits;
    EXPECT_THROW(device.run(rung), ContractError) << c.name();
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

}  // namespace
}  // namespace qlab::test
