// SPDX-License-Identifier: Apache-2.0
/// \file
/// The problems of attention_decode_cuda, a format each: 32 query heads on 8 KV heads of 128
/// channels, beside a plain read of as many bytes.
#include <memory>

#include "gpu/attention_operands.h"
#include "gpu/ladder.h"

namespace qlab::gpu {
namespace {

constexpr int kKvHeads = 8;  // of Llama 3 8B

std::string operation_of(DecodeFormat format) {
  return format == DecodeFormat::kFp16   ? "attention_fp16"
         : format == DecodeFormat::kInt8 ? "attention_int8"
         : format == DecodeFormat::kInt4 ? "attention_int4"
                                         : "attention_fp8";
}
std::string shape_of(int batch, int context) {
  return "batch = " + std::to_string(batch) + ", context = " + std::to_string(context);
}

Problem problem(DecodeFormat format, int batch, int context) {
  const auto p = std::make_shared<AttentionOperands>(format, batch, kKvHeads, context);
  Problem result;
  result.operation = operation_of(format);
  result.shape = shape_of(batch, context);
  result.cost = p->cost();
  result.products = "fp16";
  result.copies = p->copies();
  result.memory = p;
  for (const auto& rung : kAttentionDecodeCudaRungs) {
    if (!rung.runs_on(capability())) continue;
    DecodeFunction* const run = rung.run;
    result.contenders.push_back(
        {std::string(rung.name), true,
         [p, run](std::size_t copy, Stream stream) { p->run(run, copy, stream); },
         [p](std::size_t, Stream stream) { p->poison(stream); },
         [p](std::size_t copy) { return p->right(copy); }});
  }
  result.contenders.push_back({"read", false,
                               [p](std::size_t copy, Stream stream) { p->read(copy, stream); },
                               nullptr, nullptr});
  return result;
}

}  // namespace

Ladder attention_ladder() {
  Ladder ladder;
  ladder.operation = "attention";
  struct Shape {
    int batch, context;
  };
  for (const DecodeFormat format :
       {DecodeFormat::kFp16, DecodeFormat::kInt8, DecodeFormat::kFp8E4m3, DecodeFormat::kInt4}) {
    for (const auto [batch, context] :
         {Shape{1, 4096}, Shape{1, 32768}, Shape{16, 8192}, Shape{64, 4096}, Shape{64, 16384}}) {
      ladder.entries.push_back({operation_of(format) + ", " + shape_of(batch, context),
                                [=]() { return problem(format, batch, context); }});
    }
  }
  return ladder;
}

}  // namespace qlab::gpu
