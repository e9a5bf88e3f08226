// SPDX-License-Identifier: Apache-2.0
/// \file
/// The problems of attention_decode_cuda, a format each: 32 query heads on 8 KV heads of 128
/// channels, beside a plain read of as many bytes. v5_paged has pages of 16 tokens and of 64.
#include <memory>
#include <string>
#include <utility>

#include "gpu/attention_operands.h"

namespace qlab::gpu {
namespace {

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
  const auto p = std::make_shared<Attention>(format, batch, context);
  Problem result;
  result.operation = operation_of(format);
  result.shape = shape_of(batch, context);
  result.cost = p->cost();
  result.products = "fp16";
  result.copies = p->copies();
  result.memory = p;
  const auto add = [&](const std::string& name, DecodeFunction* run, Paging paging) {
    const auto how = std::make_shared<const Paging>(std::move(paging));
    result.contenders.push_back(
        {name, true, [=](std::size_t copy, Stream stream) { p->run(run, *how, copy, stream); },
         [=](std::size_t, Stream stream) { p->poison(stream); },
         [=](std::size_t copy) { return p->right(*how, copy); }});
  };
  for (const auto& rung : kAttentionDecodeCudaRungs) {
    if (!rung.runs_on(capability())) continue;
    const std::string name(rung.name);
    if (!reads_pages(rung)) {
      add(name, rung.run, one_piece(batch, context));
      continue;
    }
    for (const int block_size : {16, 64}) {
      add(name + "_" + std::to_string(block_size), rung.run,
          shuffled_pages(batch, context, block_size));
    }
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
