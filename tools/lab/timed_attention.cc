// SPDX-License-Identifier: Apache-2.0
/// \file
/// Decode attention in cache formats, one sequence or a batch of them.
#include <algorithm>
#include <vector>

#include "04_kv_cache/attention_decode.h"
#include "lab/timed_mine.h"
#include "lab/timed_parts.h"
#include "lab/timed_problems.h"

namespace qlab {
namespace {

/// Blocks of the timed caches: sequences are told apart by where their part of the table begins.
constexpr std::int64_t kBlockTokens = 1024;

/// K and V repeat after so many tokens: their values do not change a kernel's time.
constexpr std::int64_t kDistinctTokens = 1024;

struct NamedFormat {
  const char* name;  ///< of the configuration
  KvFormat format;
};
constexpr NamedFormat kTimedFormats[] = {
    {"fp16", KvFormat::kFp16},    {"kv_int8", KvFormat::kInt8},   {"kv_fp8", KvFormat::kFp8E4m3},
    {"kv_int4", KvFormat::kInt4}, {"kv_kivi2", KvFormat::kKivi2},
};
constexpr std::size_t kInt8Cache = 1;
static_assert(kTimedFormats[kInt8Cache].format == KvFormat::kInt8);

}  // namespace

struct AttentionProblem::Operands {
  std::int64_t n_heads;
  Matrix<float> q, out;         // [sequences, n_heads · head_dim]
  std::vector<KvCache> caches;  // of kTimedFormats
};

AttentionProblem::AttentionProblem(std::int64_t n_heads, std::int64_t n_kv_heads,
                                   std::int64_t head_dim, std::int64_t tokens, std::uint64_t seed)
    : tokens_(tokens) {
  QLAB_CHECK(tokens % kBlockTokens == 0, "AttentionProblem: ", tokens,
             " tokens; take a multiple of ", kBlockTokens);
  Random random(seed);
  const std::int64_t sequences = tokens / kBlockTokens;  // at most
  operands_ =
      std::make_unique<Operands>(Operands{n_heads,
                                          random_matrix(sequences, n_heads * head_dim, 1, random),
                                          Matrix<float>(sequences, n_heads * head_dim),
                                          {}});
  const Matrix<float> k = random_matrix(kDistinctTokens, n_kv_heads * head_dim, 1, random);
  const Matrix<float> v = random_matrix(kDistinctTokens, n_kv_heads * head_dim, 1, random);
  for (const NamedFormat& timed : kTimedFormats) {
    KvCache cache(timed.format, 1, n_kv_heads, head_dim, tokens, {.block_tokens = kBlockTokens});
    for (std::int64_t t = 0; t < tokens; t += kDistinctTokens) cache.append(0, k.view(), v.view());
    operands_->caches.push_back(std::move(cache));
  }
}
AttentionProblem::~AttentionProblem() = default;

std::vector<Candidate> AttentionProblem::candidates(std::int64_t batch, std::int64_t context,
                                                    bool fallback, const Machine& machine) {
  QLAB_CHECK(batch > 0 && context > 0 && context % kBlockTokens == 0 && batch * context <= tokens_,
             "AttentionProblem: ", batch, " sequences of ", context, " tokens of ", tokens_);
  Operands& o = *operands_;
  const auto candidate = [&o, batch, context](const std::string& name, std::size_t cache,
                                              const Machine& on) {
    std::vector<KvView> views;  // a sequence each
    for (std::int64_t b = 0; b < batch; ++b) {
      KvView view = o.caches[cache].layer(0);
      view.table = view.table.subspan(static_cast<std::size_t>(b * context / kBlockTokens));
      view.length = view.capacity = context;
      views.push_back(view);
    }
    const auto run = [&o, views, on] {
      for (std::size_t b = 0; b < views.size(); ++b) {
        const auto row = static_cast<std::int64_t>(b);
        attention_decode(o.q.view().rows_from(row, 1), views[b], o.out.view().rows_from(row, 1),
                         on);
      }
    };
    const auto check = [&o, views, run, name] {
      run();
      Matrix<double> value(1, views[0].head_dim);  // the first head of the first sequence
      Matrix<double> allowed(1, views[0].head_dim);
      attention_decode_ref(o.q.view().rows_from(0, 1), views[0], value.view(), allowed.view());
      check_outputs(name, o.out, value, allowed);
    };
    const KvView& view = views[0];
    const Cost one =
        attention_decode_cost(view.k.format, 1, o.n_heads, view.n_kv_heads, view.head_dim, context);
    return Candidate{name, best_rung(kAttentionDecodeRungs, on.isa).needs,
                     Cost{.bytes = batch * one.bytes, .flops = batch * one.flops}, run, check};
  };
  std::vector<Candidate> all = {candidate("fp16", 0, machine), candidate("fp16 again", 0, machine)};
  for (std::size_t i = 1; i < std::size(kTimedFormats); ++i) {
    all.push_back(candidate(kTimedFormats[i].name, i, machine));
  }
  if (fallback) all.push_back(candidate("kv_int8 on scalar", 1, {machine.threads, Isa::kScalar}));
  return all;
}

std::vector<Candidate> AttentionProblem::candidates_of(const Mine& mine, std::int64_t context) {
  if (mine.attention_decode == nullptr) return {};
  Operands& o = *operands_;
  KvView view = o.caches[kInt8Cache].layer(0);
  view.length = view.capacity = context;
  const auto run = [&o, view, call = mine.attention_decode] {
    call(o.q.view().rows_from(0, 1), view, o.out.view().rows_from(0, 1));
  };
  const auto check = [&o, view, run] {
    poison_outputs(o.out);
    run();
    Matrix<double> value(1, view.head_dim), allowed(1, view.head_dim);
    attention_decode_ref(o.q.view().rows_from(0, 1), view, value.view(), allowed.view());
    check_outputs("attention_decode", o.out, value, allowed);
  };
  const Cost cost =
      attention_decode_cost(view.k.format, 1, o.n_heads, view.n_kv_heads, view.head_dim, context);
  return {candidate_of_mine("kv_int8", "attention_decode", cost, run, check)};
}

}  // namespace qlab
