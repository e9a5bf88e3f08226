// SPDX-License-Identifier: Apache-2.0
/// \file
/// The lab's kernels behind peer_abi.h.
#include <cstdlib>
#include <map>
#include <memory>
#include <vector>

#include "01_fp16_baseline/fp16_panel_gemm.h"
#include "02_int8_calibration/quantize_rows.h"
#include "02_int8_calibration/w8a8_panel_gemm.h"
#include "03_int4_weight_only/w4a16_panel_gemm.h"
#include "03_int4_weight_only/w4a8_gemm.h"
#include "04_kv_cache/attention_decode.h"
#include "peers/peer_abi.h"

namespace qlab {
namespace {

/// What a pack function returns; qlab_peer_free deletes any of them.
struct Packed {
  virtual ~Packed() = default;
  virtual std::size_t bytes() const = 0;
};

template <class Matrix>
struct PackedMatrix final : Packed {
  explicit PackedMatrix(Matrix w) : weights(std::move(w)) {}
  std::size_t bytes() const override { return static_cast<std::size_t>(weights.bytes()); }
  Matrix weights;
};

template <class Matrix>
void* packed(Matrix weights) {
  return static_cast<Packed*>(new PackedMatrix<Matrix>(std::move(weights)));
}
template <class Matrix>
auto view_of(const void* packed_matrix) {
  const auto* any = static_cast<const Packed*>(packed_matrix);
  return static_cast<const PackedMatrix<Matrix>*>(any)->weights.view();
}

/// QLAB_ISA caps the instructions, as --isa does elsewhere.
Isa level() {
  const char* name = std::getenv("QLAB_ISA");
  const auto asked = name == nullptr ? std::nullopt : isa_named(name);
  return asked ? std::min(*asked, best_isa()) : best_isa();
}

Machine machine(int threads) {
  static std::map<int, std::unique_ptr<ThreadPool>> pools;
  auto& pool = pools[threads];
  if (!pool) pool = std::make_unique<ThreadPool>(threads);
  return {*pool, level()};
}

template <class Format, auto kGemm>
void float_gemm(const void* w, const std::uint16_t* x, float* y, int m, int threads) {
  const Panels<Format> W = view_of<PanelMatrix<Format>>(w);
  kGemm({reinterpret_cast<const Format*>(x), m, W.K, W.K}, W, {y, m, W.N, W.N}, machine(threads));
}

template <class Format>
void* float_pack(const std::uint16_t* w, int n, int k) {
  return packed(pack_panels(MatrixView<const Format>(reinterpret_cast<const Format*>(w), n, k, k)));
}

void* int4_pack(const std::uint8_t* codes, const float* scales, const std::uint8_t* zeros, int n,
                int k, int group) {
  if (k % 2 != 0 || k % group != 0) return nullptr;
  Int4Matrix rows(n, k, group);
  const std::int64_t groups = k / group;
  for (std::int64_t i = 0; i < std::int64_t{n} * k / 2; ++i) {
    rows.qweight.data()[i] = static_cast<std::uint8_t>(codes[2 * i] | codes[2 * i + 1] << 4);
  }
  for (std::int64_t i = 0; i < n * groups; ++i) {
    rows.scale.data()[i] = from_float<half_t>(scales[i]);
    rows.zero_point.data()[i] = zeros == nullptr ? 8 : zeros[i];
  }
  return packed(pack_panels(rows.view()));
}

/// A KV cache of one layer.
struct PackedCache final : Packed {
  PackedCache(KvFormat format, const float* k, const float* v, int tokens, int kv_heads,
              int head_dim)
      : cache({format, format}, 1, kv_heads, head_dim, tokens) {
    // The operands come head by head; a cache is written token by token.
    Matrix<float> keys(tokens, std::int64_t{kv_heads} * head_dim), values(keys);
    for (std::int64_t h = 0; h < kv_heads; ++h) {
      for (std::int64_t t = 0; t < tokens; ++t) {
        const std::int64_t from = (h * tokens + t) * head_dim;
        std::copy_n(k + from, head_dim, &keys(t, h * head_dim));
        std::copy_n(v + from, head_dim, &values(t, h * head_dim));
      }
    }
    cache.append(0, keys.view(), values.view());
  }
  std::size_t bytes() const override { return static_cast<std::size_t>(cache.bytes()); }
  KvCache cache;
};

}  // namespace
}  // namespace qlab

using namespace qlab;

extern "C" {

int qlab_peer_abi(void) { return QLAB_PEER_ABI; }
const char* qlab_peer_name(void) { return "lab"; }
const char* qlab_peer_path(const char*) { return isa_name(level()).data(); }
void qlab_peer_free(void* p) { delete static_cast<Packed*>(p); }
size_t qlab_peer_bytes(const void* p) { return static_cast<const Packed*>(p)->bytes(); }

void* qlab_f16_pack(const uint16_t* w, int n, int k) { return float_pack<half_t>(w, n, k); }
void qlab_f16_gemm(const void* w, const uint16_t* x, float* y, int m, int threads) {
  float_gemm<half_t, fp16_panel_gemm>(w, x, y, m, threads);
}
void* qlab_bf16_pack(const uint16_t* w, int n, int k) { return float_pack<bf16_t>(w, n, k); }
void qlab_bf16_gemm(const void* w, const uint16_t* x, float* y, int m, int threads) {
  float_gemm<bf16_t, bf16_panel_gemm>(w, x, y, m, threads);
}

void* qlab_w8a8_pack(const int8_t* w, const float* ws, int n, int k) {
  return packed(pack_panels(Int8Rows{{w, n, k, k}, ws}));
}
void qlab_w8a8_gemm(const void* w, const int8_t* x, const float* xs, float* y, int m, int threads) {
  const Int8Panels W = view_of<Int8PanelMatrix>(w);
  w8a8_panel_gemm({{x, m, W.codes.K, W.codes.K}, xs}, W, {y, m, W.codes.N, W.codes.N},
                  machine(threads));
}

void* qlab_w4a8_pack(const uint8_t* codes, const float* scales, const uint8_t* zeros, int n, int k,
                     int group) {
  return int4_pack(codes, scales, zeros, n, k, group);
}
void qlab_w4a8_gemm(const void* w, const float* x, float* y, int m, int threads) {
  const Int4Panels W = view_of<Int4PanelMatrix>(w);
  static std::vector<int8_t> codes;
  static std::vector<float> scales;
  codes.resize(static_cast<std::size_t>(m * W.K));
  scales.resize(static_cast<std::size_t>(m));
  const Machine on = machine(threads);
  quantize_rows({x, m, W.K, W.K}, Granularity::kPerRow, {codes.data(), m, W.K, W.K}, scales.data(),
                on);
  w4a8_gemm({{codes.data(), m, W.K, W.K}, scales.data()}, W, {y, m, W.N, W.N}, on);
}
void* qlab_w4a16_pack(const uint8_t* codes, const float* scales, const uint8_t* zeros, int n, int k,
                      int group) {
  return int4_pack(codes, scales, zeros, n, k, group);
}
void qlab_w4a16_gemm(const void* w, const uint16_t* x, float* y, int m, int threads) {
  const Int4Panels W = view_of<Int4PanelMatrix>(w);
  w4a16_panel_gemm({reinterpret_cast<const half_t*>(x), m, W.K, W.K}, W, {y, m, W.N, W.N},
                   machine(threads));
}

void* qlab_attn_pack(int bits, const float* k, const float* v, int tokens, int kv_heads,
                     int head_dim) {
  const KvFormat format = bits == 16  ? KvFormat::kFp16
                          : bits == 8 ? KvFormat::kInt8
                                      : KvFormat::kInt4;
  return static_cast<Packed*>(new PackedCache(format, k, v, tokens, kv_heads, head_dim));
}
void qlab_attn_decode(const void* kv, const float* q, float* out, int heads, int threads) {
  const KvView view =
      static_cast<const PackedCache*>(static_cast<const Packed*>(kv))->cache.layer(0);
  const std::int64_t width = heads * view.head_dim;
  attention_decode({q, 1, width, width}, view, {out, 1, width, width}, machine(threads));
}

}  // extern "C"
