// SPDX-License-Identifier: Apache-2.0
/// \file
/// Decode attention of the table, over caches in every format that has a kernel on a GPU.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "gpu/attention_operands.h"
#include "gpu/compare.h"

namespace qlab::gpu {
namespace {

struct NamedFormat {
  const char* name;  ///< of the configuration
  DecodeFormat format;
};
constexpr NamedFormat kFormats[] = {{"fp16", DecodeFormat::kFp16},
                                    {"kv_int8", DecodeFormat::kInt8},
                                    {"kv_fp8", DecodeFormat::kFp8E4m3},
                                    {"kv_int4", DecodeFormat::kInt4}};

/// All rungs of one format that read a cache in one piece, slowest first.
std::vector<Contender> rungs_of(const std::shared_ptr<Attention>& p, int batch, int context) {
  const auto how = std::make_shared<const Paging>(one_piece(batch, context));
  std::vector<Contender> rungs;
  for (const auto& rung : kAttentionDecodeCudaRungs) {
    if (!rung.runs_on(capability()) || reads_pages(rung)) continue;
    const auto run = [p, how, call = rung.run](std::size_t copy, Stream stream) {
      p->run(call, *how, copy, stream);
    };
    rungs.push_back({.name = std::string(rung.name),
                     .ours = true,
                     .run = run,
                     .poison = [p](std::size_t, Stream stream) { p->poison(stream); },
                     .right = [p, how](std::size_t copy) { return p->right(*how, copy); }});
  }
  return rungs;
}

/// Whether the caches of all formats fit beside each other.
bool fits(int batch, int kv_heads, int context) {
  std::size_t needed = 0, free = 0, total = 0;
  for (const NamedFormat& f : kFormats) {
    const auto bytes =
        static_cast<std::size_t>(attention_decode_cuda_cost(f.format, batch, kHeads, kv_heads,
                                                            kHeadDim, std::int64_t{batch} * context)
                                     .bytes);
    needed += (copies_of(bytes) + 1) * bytes;
  }
  simt::check(cudaMemGetInfo(&free, &total), "memory");
  return needed < free;
}

/// `fallback`: INT8 in the ladder's first rung, too.
void compare_one(const std::string& operation, int batch, int kv_heads, int context, bool fallback,
                 Stream stream, const TimeProblem& time) {
  if (!fits(batch, kv_heads, context)) {
    std::fprintf(stderr, "%s: left out, its caches do not fit this GPU's memory\n",
                 operation.c_str());
    return;
  }
  CompareProblem problem{.operation = operation, .hot = false, .candidates = {}};
  std::vector<CompareCandidate> last;
  for (const NamedFormat& f : kFormats) {
    const auto p = std::make_shared<Attention>(f.format, batch, context, kv_heads);
    std::vector<Contender> rungs = rungs_of(p, batch, context);
    if (fallback && f.format == DecodeFormat::kInt8) {
      last.push_back({"kv_int8 on scalar", p->cost(), p->copies(), rungs.front()});
    }
    rungs.erase(rungs.begin());
    problem.candidates.push_back(fastest(f.name, p->cost(), p->copies(), rungs, stream));
    if (f.format == DecodeFormat::kFp16) {
      problem.candidates.push_back(problem.candidates.front());
      problem.candidates.back().name = "fp16 again";
    }
  }
  problem.candidates.insert(problem.candidates.end(), last.begin(), last.end());
  time(problem);
}

}  // namespace

void compare_attention(bool quick, Stream stream, const TimeProblem& time) {
  // Of Llama 2 7B, whose query heads have a KV head each; batches of Llama 3 8B, as on the CPU.
  constexpr int kContext = 4096;
  compare_one("decode attention, 32 heads, " + std::to_string(kContext) + " tokens", 1, kHeads,
              kContext, true, stream, time);
  if (quick) return;
  struct Batch {
    int sequences, context;
  };
  for (const auto [sequences, context] :
       {Batch{1, 1024}, Batch{1, 8192}, Batch{1, 32768}, Batch{8, 1024}, Batch{8, 8192},
        Batch{64, 1024}, Batch{64, 16384}}) {
    compare_one("batched attention, 32 on 8 heads, " + std::to_string(context) + " tokens, batch " +
                    std::to_string(sequences),
                sequences, kKvHeads, context, false, stream, time);
  }
}

}  // namespace qlab::gpu
