// SPDX-License-Identifier: Apache-2.0
/// \file
/// Random calls of paged_kv, on blocks and on rows kept apart, compared after every call.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "04_kv_cache/paged_kv_checks.h"
#include "common/random.h"

namespace qlab::test {

/// What is compared after a call.
constexpr const char* kAfterCall[] = {"calls refused", "blocks free + blocks owned",
                                      "wrong counts of owners and free blocks", "wrong tokens"};

class RandomCalls {
 public:
  RandomCalls(std::int64_t n_blocks, std::int64_t block_size, std::uint64_t seed)
      : random_(seed), pool_(stale_pool(block_size, kRowBytes, shuffled(n_blocks))) {}

  void run(const std::string& name, std::int64_t calls) {
    Matrix<float> got(calls, std::size(kAfterCall));
    Matrix<double> expected(calls, std::size(kAfterCall));
    std::vector<std::string> what(calls);
    bool right = true;
    for (std::int64_t i = 0; i < calls && right; ++i) {  // behind a wrong call all is wrong
      expected(i, 1) = static_cast<double>(pool_.n_blocks());
      what[i] = "call " + std::to_string(i) + ", " + call(got(i, 0), expected(i, 0));
      std::vector<const PagedSequence*> all;
      for (const Both& both : sequences_) all.push_back(&both.paged);
      const Owners owners(pool_, all);
      got(i, 1) = static_cast<float>(pool_.free_blocks.size());
      for (std::int64_t b = 0; b < pool_.n_blocks(); ++b) {
        got(i, 1) += owners.expected(0, b) > 0 ? 1.0F : 0.0F;
      }
      got(i, 2) = static_cast<float>(owners.wrong());
      for (const Both& both : sequences_) got(i, 3) += static_cast<float>(wrong_tokens(both));
      for (std::size_t c = 0; c < std::size(kAfterCall); ++c) {
        right = right && got(i, c) == expected(i, c);
      }
      for (const std::int32_t block :
           pool_.free_blocks) {  // nobody's bytes: they may hold anything
        std::memset(pool_.block_bytes(block).data(), 0xFF, pool_.block_bytes(block).size());
      }
    }
    judge({.name = name,
           .place = [&](std::int64_t r, std::int64_t c) { return what[r] + ": " + kAfterCall[c]; }},
          got.view(), expected.view(), exactly());
  }

  /// Frees what is left, in random order: then every block is free.
  void end(const std::string& name) {
    while (!sequences_.empty()) {
      const std::int64_t s = any();
      exercise::free_sequence(pool_, sequences_[s].paged);
      sequences_.erase(sequences_.begin() + s);
    }
    judge_owners(name + ", all freed", pool_, {});
  }

  std::int64_t refused() const { return refused_; }
  std::int64_t copied() const { return copied_; }

 private:
  static constexpr std::int64_t kRowBytes = 5;
  struct Both {
    PagedSequence paged;
    Rows model;
  };

  std::vector<std::int32_t> shuffled(std::int64_t n) {
    std::vector<std::int32_t> order(n);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t j = random_.below(i + 1);
      order[i] = order[j];
      order[j] = static_cast<std::int32_t>(i);
    }
    return order;
  }

  std::int64_t any() { return random_.below(static_cast<std::int64_t>(sequences_.size())); }

  /// Whether the next token needs a block: the tables tell who else owns the last.
  bool needs_block(const Both& both) const {
    if (both.model.size() % pool_.block_size == 0) return true;
    std::int64_t owners = 0;
    for (const Both& other : sequences_) {
      owners += std::ranges::count(other.paged.table, both.paged.table.back());
    }
    return owners > 1;
  }

  /// One call on both; whether it was refused and whether it should have been.
  std::string call(float& refused, double& expected) {
    const double dice = random_.uniform();
    if (sequences_.empty() || (dice < 0.05 && sequences_.size() < 8)) {
      sequences_.emplace_back();
      return "a new sequence";
    }
    const std::int64_t s = any();
    const std::string name = "sequence " + std::to_string(s) + " of " +
                             std::to_string(sequences_[s].model.size()) + " tokens";
    if (dice < 0.15 && sequences_.size() < 8) {
      Both child;
      const std::string text =
          refusal_of([&] { child.paged = exercise::fork_sequence(pool_, sequences_[s].paged); });
      refused = text.empty() ? 0 : 1;
      child.model = sequences_[s].model;
      sequences_.push_back(std::move(child));
      return "fork of " + name + (text.empty() ? "" : " (" + text + ")");
    }
    if (dice < 0.21) {
      const std::string text =
          refusal_of([&] { exercise::free_sequence(pool_, sequences_[s].paged); });
      refused = text.empty() ? 0 : 1;
      sequences_.erase(sequences_.begin() + s);
      return "free of " + name + (text.empty() ? "" : " (" + text + ")");
    }
    const bool needs = needs_block(sequences_[s]);
    const bool full = needs && pool_.free_blocks.empty();
    expected = full ? 1 : 0;
    refused_ += full ? 1 : 0;
    copied_ += needs && !full && sequences_[s].model.size() % pool_.block_size != 0 ? 1 : 0;
    std::vector<std::uint8_t> row(kRowBytes);
    for (std::uint8_t& byte : row) byte = static_cast<std::uint8_t>(random_.below(256));
    const std::string text =
        refusal_of([&] { exercise::append_token(pool_, sequences_[s].paged, row); });
    refused = text.empty() ? 0 : 1;
    if (!full) sequences_[s].model.push_back(row);
    return "append to " + name + (text.empty() ? "" : " (" + text + ")");
  }

  std::int64_t wrong_tokens(const Both& both) const {
    const auto tokens = static_cast<std::int64_t>(both.model.size());
    Matrix<std::uint8_t> out(tokens + 1, kRowBytes);
    std::int64_t count = 0;
    const std::string text =
        refusal_of([&] { count = exercise::gather_tokens(pool_, both.paged, 0, out.view()); });
    if (!text.empty() || count != tokens) return tokens + 1;
    std::int64_t wrong = 0;
    for (std::int64_t t = 0; t < tokens; ++t) {
      wrong += std::ranges::equal(out.view().row(t, 0, kRowBytes), both.model[t]) ? 0 : 1;
    }
    return wrong;
  }

  Random random_;
  BlockPool pool_;
  std::vector<Both> sequences_;
  std::int64_t refused_ = 0, copied_ = 0;
};

}  // namespace qlab::test
