// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of the lab's kernels behind peer_abi.h: what another program would get from the library.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "common/formats.h"
#include "common/random.h"
#include "peers/peer_abi.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

struct Sides {
  int m, n, k;
};
constexpr Sides kSides[] = {{1, 1, 256}, {5, 31, 128}, {12, 70, 384}, {13, 70, 128}, {40, 31, 256}};

using Packed = std::unique_ptr<void, decltype(&qlab_peer_free)>;

std::vector<float> numbers(int count, Random& random) {
  std::vector<float> x;
  for (int i = 0; i < count; ++i) x.push_back(static_cast<float>(random.below(201)) / 100 - 1);
  return x;
}

template <class Format>
std::vector<std::uint16_t> rounded(std::vector<float>& x) {
  std::vector<std::uint16_t> bits;
  for (float& value : x) {
    bits.push_back(from_float<Format>(value).bits);
    value = to_float(Format{bits.back()});
  }
  return bits;
}

/// Every y[i, j] against Σ x · w, within `allowed` of Σ |x · w|.
void expect_product(const Sides& s, const std::vector<float>& x, const std::vector<float>& w,
                    const std::vector<float>& y, double allowed) {
  for (int i = 0; i < s.m; ++i) {
    for (int j = 0; j < s.n; ++j) {
      double sum = 0, size = 0;
      for (int t = 0; t < s.k; ++t) {
        const double product = double{x[static_cast<std::size_t>(i * s.k + t)]} *
                               w[static_cast<std::size_t>(j * s.k + t)];
        sum += product;
        size += std::abs(product);
      }
      const double error = std::abs(sum - y[static_cast<std::size_t>(i * s.n + j)]);
      ASSERT_TRUE(error <= allowed * size)
          << "y[" << i << ", " << j << "] of " << s.m << "x" << s.n << "x" << s.k;
    }
  }
}

/// With the portable kernels, and with the best.
class PeerAbi : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { setenv("QLAB_ISA", GetParam(), 1); }
  void TearDown() override { unsetenv("QLAB_ISA"); }
  std::vector<float> output(const Sides& s) const {
    return std::vector<float>(static_cast<std::size_t>(s.m * s.n), std::nanf(""));
  }
  TestSeed seed;
  Random random{seed};
};
INSTANTIATE_TEST_SUITE_P(, PeerAbi, testing::Values("scalar", "amx"),
                         [](const auto& level) { return std::string(level.param); });

TEST_P(PeerAbi, SaysWhatItIs) {
  EXPECT_EQ(qlab_peer_abi(), QLAB_PEER_ABI);
  EXPECT_STREQ(qlab_peer_name(), "lab");
  if (std::string(GetParam()) == "scalar") {
    EXPECT_STREQ(qlab_peer_path("w8a8"), "scalar");
  }
}

// Sums of K terms in FP32: 2·√K·2⁻²⁴ with K ≤ 384, and a rounding of the product.
constexpr double kSum = 41 * 0x1p-24;

TEST_P(PeerAbi, MultipliesFp16AndBf16) {
  for (const Sides& s : kSides) {
    std::vector<float> x = numbers(s.m * s.k, random), w = numbers(s.n * s.k, random);
    std::vector<float> y = output(s);
    const auto xh = rounded<half_t>(x), wh = rounded<half_t>(w);
    const Packed half(qlab_f16_pack(wh.data(), s.n, s.k), qlab_peer_free);
    qlab_f16_gemm(half.get(), xh.data(), y.data(), s.m, 2);
    expect_product(s, x, w, y, kSum);
    const auto xb = rounded<bf16_t>(x), wb = rounded<bf16_t>(w);
    const Packed brain(qlab_bf16_pack(wb.data(), s.n, s.k), qlab_peer_free);
    qlab_bf16_gemm(brain.get(), xb.data(), y.data(), s.m, 2);
    expect_product(s, x, w, y, kSum);
  }
}

TEST_P(PeerAbi, MultipliesInt8) {
  for (const Sides& s : kSides) {
    std::vector<std::int8_t> xq, wq;
    for (int i = 0; i < s.m * s.k; ++i) xq.push_back(static_cast<std::int8_t>(random.below(256)));
    for (int i = 0; i < s.n * s.k; ++i) wq.push_back(static_cast<std::int8_t>(random.below(256)));
    const std::vector<float> xs(static_cast<std::size_t>(s.m), 0.5F),
        ws(static_cast<std::size_t>(s.n), 0.25F);
    std::vector<float> y = output(s);
    const Packed packed(qlab_w8a8_pack(wq.data(), ws.data(), s.n, s.k), qlab_peer_free);
    qlab_w8a8_gemm(packed.get(), xq.data(), xs.data(), y.data(), s.m, 2);
    std::vector<float> x, w;
    for (const std::int8_t code : xq) x.push_back(0.5F * code);
    for (const std::int8_t code : wq) w.push_back(0.25F * code);
    expect_product(s, x, w, y, 0);  // 384 · 128 · 128 < 2²⁴, and the scales are powers of two
  }
}

TEST_P(PeerAbi, MultipliesFourBits) {
  constexpr int kGroup = 128;
  for (const Sides& s : kSides) {
    std::vector<std::uint8_t> codes, zeros;
    std::vector<float> scales, w;
    for (int g = 0; g < s.n * s.k / kGroup; ++g) {
      zeros.push_back(static_cast<std::uint8_t>(random.below(16)));
      scales.push_back(0.125F * static_cast<float>(1 << random.below(3)));
      for (int i = 0; i < kGroup; ++i) {
        codes.push_back(static_cast<std::uint8_t>(random.below(16)));
        w.push_back(scales.back() * static_cast<float>(codes.back() - zeros.back()));
      }
    }
    std::vector<float> x = numbers(s.m * s.k, random), y = output(s);
    const auto xh = rounded<half_t>(x);
    const Packed a16(qlab_w4a16_pack(codes.data(), scales.data(), zeros.data(), s.n, s.k, kGroup),
                     qlab_peer_free);
    qlab_w4a16_gemm(a16.get(), xh.data(), y.data(), s.m, 2);
    expect_product(s, x, w, y, kSum);
    // INT8 activations: half a step of max|x| / 127 a number, which is at most 1, beside a mean of ½.
    const Packed a8(qlab_w4a8_pack(codes.data(), scales.data(), zeros.data(), s.n, s.k, kGroup),
                    qlab_peer_free);
    qlab_w4a8_gemm(a8.get(), x.data(), y.data(), s.m, 2);
    expect_product(s, x, w, y, 0.02);
  }
}

TEST_P(PeerAbi, AttendsInEveryWidth) {
  constexpr int kHeads = 4, kKvHeads = 2, kD = 64, kTokens = 70;
  const std::vector<float> q = numbers(kHeads * kD, random);
  const std::vector<float> k = numbers(kKvHeads * kTokens * kD, random);
  std::vector<float> v(k.size(), 0.75F);  // whatever the weights are, they sum to 1
  for (const int bits : {16, 8, 4}) {
    std::vector<float> out(q.size(), std::nanf(""));
    const Packed cache(qlab_attn_pack(bits, k.data(), v.data(), kTokens, kKvHeads, kD),
                       qlab_peer_free);
    EXPECT_GT(qlab_peer_bytes(cache.get()), 0U);
    qlab_attn_decode(cache.get(), q.data(), out.data(), kHeads, 2);
    EXPECT_THAT(out, testing::Each(testing::FloatNear(0.75F, 0.01F))) << bits << " bits";
  }
}

}  // namespace
}  // namespace qlab::test
