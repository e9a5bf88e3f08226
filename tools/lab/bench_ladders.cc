// SPDX-License-Identifier: Apache-2.0
/// \file
/// The table of ladders.
#include "lab/bench_ladders.h"

#include "lab/bench_linear.h"
#include "lab/bench_others.h"
#include "lab/bench_panels.h"

namespace qlab {

const std::vector<BenchLadder>& bench_ladders() {
  constexpr auto kFloat = Products::kFloat;
  constexpr auto kInt8 = Products::kInt8;
  static const std::vector<BenchLadder> all = {
      linear_ladder<FloatOperands<float, kFp32GemmRungs>>("fp32_gemm", "FP32 both", kFloat),
      linear_ladder<Fp16Operands>("fp16_gemm", "FP16 both, FP32 sums", kFloat, "fp16_gemm"),
      linear_ladder<FloatOperands<bf16_t, kBf16GemmRungs>>("bf16_gemm", "BF16 both, FP32 sums",
                                                           kFloat),
      linear_ladder<FloatPanelOperands<half_t, kFp16PanelGemmRungs>>(
          "fp16_panel_gemm", "the same, weights in panels", kFloat),
      linear_ladder<FloatPanelOperands<bf16_t, kBf16PanelGemmRungs>>(
          "bf16_panel_gemm", "the same, weights in panels", kFloat),
      whole_ladder<QuantizeRowsOperands<kQuantizeRowsRungs>>("quantize_rows",
                                                             "activations to INT8, a scale a row"),
      whole_ladder<QuantizeStaticOperands<kQuantizeStaticRungs>>("quantize_static",
                                                                 "the same by a fixed scale"),
      linear_ladder<W8A8Operands<kW8A8GemmRungs>>("w8a8_gemm", "INT8 both, exact sums", kInt8,
                                                  "w8a8_gemm"),
      linear_ladder<W8A8PanelOperands>("w8a8_panel_gemm", "the same, weights in panels", kInt8),
      linear_ladder<W4A16Operands<kW4A16GemmRungs>>("w4a16_gemm", "4-bit weights, FP16", kFloat,
                                                    "w4a16_gemv"),
      linear_ladder<W4A16PanelOperands>("w4a16_panel_gemm", "the same, weights in panels", kFloat),
      linear_ladder<W4A8Operands<kW4A8GemmRungs>>("w4a8_gemm", "4-bit weights, INT8", kInt8),
      cache_ladder<AttentionOperands<kAttentionDecodeRungs>>(
          "attention_decode", "one token over a KV cache, each format", "attention_decode"),
  };
  return all;
}

}  // namespace qlab
