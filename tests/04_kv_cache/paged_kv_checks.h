// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of paged_kv look at a pool: tokens against rows kept apart, owners against tables.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "04_kv_cache/paged_kv.h"
#include "support/exercise.h"
#include "support/guarded.h"

namespace qlab::test {

/// The oracle: a sequence whose rows are its own.
using Rows = std::vector<std::vector<std::uint8_t>>;

/// Token `id`, unlike any other of the first 256.
inline std::vector<std::uint8_t> token_row(std::int64_t id, std::int64_t row_bytes) {
  std::vector<std::uint8_t> row(static_cast<std::size_t>(row_bytes));
  for (std::int64_t j = 0; j < row_bytes; ++j) row[j] = static_cast<std::uint8_t>(37 * id + 91 * j);
  return row;
}

inline Rows token_rows(std::int64_t first_id, std::int64_t count, std::int64_t row_bytes) {
  Rows rows;
  for (std::int64_t i = 0; i < count; ++i) rows.push_back(token_row(first_id + i, row_bytes));
  return rows;
}

/// An order of eight blocks in which block i of a table is nowhere block i of the pool.
inline const std::vector<std::int32_t> kScattered = {5, 2, 7, 0, 3, 6, 1, 4};

/// A pool of stale bytes, 0xFF: NaN in FP16 and E4M3. Its blocks are taken in this order.
inline BlockPool stale_pool(std::int64_t block_size, std::int64_t row_bytes,
                            std::vector<std::int32_t> order) {
  BlockPool pool(static_cast<std::int64_t>(order.size()), block_size, row_bytes);
  std::memset(pool.rows.data(), 0xFF, pool.rows.bytes());
  std::ranges::reverse(order);  // the last of the list is taken first
  pool.free_blocks = std::move(order);
  return pool;
}

inline void append_all(BlockPool& pool, PagedSequence& sequence, const Rows& rows) {
  for (const auto& row : rows) exercise::append_token(pool, sequence, row);
}

inline std::int64_t blocks_used(const BlockPool& pool) {
  return pool.n_blocks() - static_cast<std::int64_t>(pool.free_blocks.size());
}

/// A call that the exercise refused, though it should not have: what it said, else "".
template <class Call>
std::string refusal_of(const Call& call) {
  try {
    call();
  } catch (const ContractError& error) {
    return error.what();
  }
  return "";
}

constexpr double kRefused = -1;  // stands for a byte that could not be read
constexpr double kCount = 1000;  // added to what is a number and no byte

inline std::string hex_byte(double byte) {
  std::ostringstream out;
  out << "0x" << std::hex << std::uppercase << static_cast<int>(byte) / 16
      << static_cast<int>(byte) % 16;
  return out.str();
}

/// Where a token is, as far as the table tells: "byte 3 of token 6: table[1], slot 2 (block 5)".
inline std::string place_of(const BlockPool& pool, const PagedSequence& sequence, std::int64_t t,
                            std::int64_t byte) {
  const auto i = static_cast<std::size_t>(t / pool.block_size);
  std::ostringstream out;
  out << "byte " << byte << " of token " << t << ": table[" << i << "], slot "
      << t % pool.block_size;
  if (i < sequence.table.size()) out << " (block " << sequence.table[i] << ")";
  return out.str();
}

/// Gathers tokens first … of a sequence into an `out` of `out_rows`, and judges every row of `out`:
/// first the tokens of `model`, then what was there before.
inline void judge_window(const std::string& name, const BlockPool& pool,
                         const PagedSequence& sequence, const Rows& model, std::int64_t first,
                         std::int64_t out_rows) {
  const std::int64_t n = pool.row_bytes();
  const auto tokens = static_cast<std::int64_t>(model.size());
  const std::int64_t count = std::min(out_rows, tokens - first);
  using Out = Guarded<std::uint8_t>;
  for (const unsigned char poison : {Out::kPoison, Out::kOtherPoison}) {
    Out out(out_rows, n, poison);
    std::int64_t returned = 0;
    const std::string refusal =
        refusal_of([&] { returned = exercise::gather_tokens(pool, sequence, first, out.view()); });
    // One more column, of which row 0 says how many tokens gather_tokens found.
    Matrix<float> got(out_rows, n + 1);
    Matrix<double> expected(out_rows, n + 1);
    for (std::int64_t r = 0; r < out_rows; ++r) {
      for (std::int64_t j = 0; j < n; ++j) {
        got(r, j) = refusal.empty() ? out.view()(r, j) : static_cast<float>(kRefused);
        expected(r, j) = r < count ? model[first + r][j] : poison;
      }
    }
    got(0, n) =
        static_cast<float>(refusal.empty() ? kCount + static_cast<double>(returned) : kRefused);
    expected(0, n) = kCount + static_cast<double>(count);
    judge({.name = name,
           .place =
               [&](std::int64_t r, std::int64_t j) {
                 if (j == n) return std::string("the number of tokens that gather_tokens returns");
                 if (r < count) return place_of(pool, sequence, first + r, j);
                 return "byte " + std::to_string(j) + " of row " + std::to_string(r) +
                        " of `out`: the sequence ends before it, so the row stays as it was";
               },
           .value =
               [&](double value) {
                 if (value == kRefused) return "refused: " + refusal;
                 return value >= kCount / 2
                            ? std::to_string(static_cast<std::int64_t>(value - kCount))
                            : hex_byte(value);
               }},
          got.view(), expected.view(), exactly());
    const testing::AssertionResult outside = out.untouched_outside();
    if (!outside) reject(name, std::string("out: ") + outside.message());
    if (testing::Test::HasFailure()) return;
  }
}

/// All tokens, and room for two more.
inline void judge_tokens(const std::string& name, const BlockPool& pool,
                         const PagedSequence& sequence, const Rows& model) {
  judge_window(name, pool, sequence, model, 0, static_cast<std::int64_t>(model.size()) + 2);
}

/// Row 0: how many of the sequences own each block. Row 1: how often it stands in the free list.
struct Owners {
  Owners(const BlockPool& pool, const std::vector<const PagedSequence*>& sequences)
      : got(2, pool.n_blocks()), expected(2, pool.n_blocks()) {
    for (const PagedSequence* sequence : sequences) {
      for (const std::int32_t block : sequence->table) expected(0, block) += 1;
    }
    for (std::int64_t block = 0; block < pool.n_blocks(); ++block) {
      got(0, block) = static_cast<float>(pool.ref_count[block]);
      expected(1, block) = expected(0, block) == 0 ? 1 : 0;
    }
    for (const std::int32_t block : pool.free_blocks) got(1, block) += 1;
  }

  std::int64_t wrong() const {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < 2 * got.cols(); ++i) {
      count += got.data()[i] == expected.data()[i] ? 0 : 1;
    }
    return count;
  }

  Matrix<float> got;
  Matrix<double> expected;
};

/// Every block is owned by as many as count it, or free; none is both, none is neither.
inline void judge_owners(const std::string& name, const BlockPool& pool,
                         const std::vector<const PagedSequence*>& sequences) {
  const Owners owners(pool, sequences);
  judge({.name = name,
         .place =
             [](std::int64_t r, std::int64_t block) {
               return (r == 0 ? "ref_count of block " : "entries in free_blocks of block ") +
                      std::to_string(block);
             }},
        owners.got.view(), owners.expected.view(), exactly());
}

/// Something counted: what it is, how many there were, how many there should be.
struct Counted {
  std::string what;
  std::int64_t got, expected;
};

inline void judge_counts(const std::string& name, const std::vector<Counted>& counts) {
  const auto n = static_cast<std::int64_t>(counts.size());
  Matrix<float> got(1, n);
  Matrix<double> expected(1, n);
  for (std::int64_t i = 0; i < n; ++i) {
    got(0, i) = static_cast<float>(counts[i].got);
    expected(0, i) = static_cast<double>(counts[i].expected);
  }
  judge({.name = name, .place = [&](auto, auto i) { return counts[i].what; }}, got.view(),
        expected.view(), exactly());
}

/// All that a call could have changed, as numbers with names.
inline std::vector<std::pair<std::string, double>> state_of(const BlockPool& pool,
                                                            const PagedSequence& sequence) {
  std::vector<std::pair<std::string, double>> state = {
      {"length", sequence.length},
      {"freed", sequence.freed ? 1 : 0},
      {"entries in the table", sequence.table.size()},
      {"entries in free_blocks", pool.free_blocks.size()}};
  const auto put = [&](const std::string& list, const auto& values, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {  // padded, so that two states have one size
      const bool there = i < static_cast<std::int64_t>(values.size());
      state.emplace_back(list + "[" + std::to_string(i) + "]", there ? values[i] : -1);
    }
  };
  put("table", sequence.table, pool.n_blocks() + 1);
  put("ref_count", pool.ref_count, pool.n_blocks());
  put("free_blocks", pool.free_blocks, pool.n_blocks() + 1);
  const std::uint8_t* const bytes = pool.rows.data();
  put("byte of the pool", std::vector<std::uint8_t>(bytes, bytes + pool.rows.bytes()),
      static_cast<std::int64_t>(pool.rows.bytes()));
  return state;
}

/// Calls what must be refused with these words, and judges that nothing has changed.
template <class Call>
void judge_refusal(const std::string& name, const BlockPool& pool, const PagedSequence& sequence,
                   const std::string& words, const Call& call) {
  const auto before = state_of(pool, sequence);
  const std::string refusal = refusal_of(call);
  const auto after = state_of(pool, sequence);
  const auto n = static_cast<std::int64_t>(before.size());
  Matrix<float> got(1, n + 1);
  Matrix<double> expected(1, n + 1);
  for (std::int64_t i = 0; i < n; ++i) {
    got(0, i) = static_cast<float>(after[i].second);
    expected(0, i) = before[i].second;
  }
  got(0, n) = refusal.empty() ? 0 : 1;
  expected(0, n) = 1;
  judge({.name = name,
         .place =
             [&](auto, std::int64_t i) {
               return i == n ? "calls refused" : before[i].first + ", after a refused call";
             }},
        got.view(), expected.view(), exactly());
  if (!refusal.empty() && refusal.find(words) == std::string::npos) {
    reject(name, "expected a sentence with '" + words + "'\ngot '" + refusal + "'");
  }
}

}  // namespace qlab::test
