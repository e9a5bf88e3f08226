// SPDX-License-Identifier: Apache-2.0
/// \file
/// Decode attention in every cache format.
#include <map>

#include "04_kv_cache/attention_decode.h"
#include "lab/timed_parts.h"
#include "lab/timed_problems.h"

namespace qlab {

struct AttentionProblem::Operands {
  std::int64_t n_heads, length;
  Matrix<float> q, out;  // [1, n_heads · head_dim]
  std::map<KvFormat, KvCache> caches;
};

AttentionProblem::AttentionProblem(std::int64_t n_heads, std::int64_t n_kv_heads,
                                   std::int64_t head_dim, std::int64_t length, std::uint64_t seed) {
  Random random(seed);
  operands_ = std::make_unique<Operands>(Operands{n_heads,
                                                  length,
                                                  random_matrix(1, n_heads * head_dim, 1, random),
                                                  Matrix<float>(1, n_heads * head_dim),
                                                  {}});
  const Matrix<float> k = random_matrix(length, n_kv_heads * head_dim, 1, random);
  const Matrix<float> v = random_matrix(length, n_kv_heads * head_dim, 1, random);
  for (const KvFormat format : {KvFormat::kFp16, KvFormat::kInt8, KvFormat::kFp8E4m3}) {
    KvCache cache(format, 1, n_kv_heads, head_dim, length);
    cache.append(0, k.view(), v.view());
    operands_->caches.emplace(format, std::move(cache));
  }
}
AttentionProblem::~AttentionProblem() = default;

std::vector<Candidate> AttentionProblem::candidates(bool fallback, const Machine& machine) {
  Operands& o = *operands_;
  const auto candidate = [&o](const std::string& name, KvFormat format, const Machine& on) {
    const KvView view = o.caches.at(format).layer(0);
    const auto run = [&o, view, on] { attention_decode(o.q.view(), view, o.out.view(), on); };
    const auto check = [&o, view, run, name] {
      run();
      Matrix<double> value(1, o.out.cols());
      Matrix<double> allowed(1, o.out.cols());
      attention_decode_ref(o.q.view(), view, value.view(), allowed.view());
      check_outputs(name, o.out, value, allowed);
    };
    return Candidate{
        name, best_rung(kAttentionDecodeRungs, on.isa).needs,
        attention_decode_cost(format, 1, o.n_heads, view.n_kv_heads, view.head_dim, o.length), run,
        check};
  };
  std::vector<Candidate> all = {candidate("fp16", KvFormat::kFp16, machine),
                                candidate("fp16 again", KvFormat::kFp16, machine),
                                candidate("kv_int8", KvFormat::kInt8, machine),
                                candidate("kv_fp8", KvFormat::kFp8E4m3, machine)};
  if (fallback) {
    all.push_back(candidate("kv_int8 on scalar", KvFormat::kInt8, {machine.threads, Isa::kScalar}));
  }
  return all;
}

}  // namespace qlab
