// SPDX-License-Identifier: Apache-2.0
/// \file
/// The end of a product whose K is split: sums that warps, and blocks of a cluster, have left in shared
/// memory are added up and become elements of Y.
///
/// They lie as [kDepthWarps, kTokens, kSumRow] in each block; a Plan P says how many of each, and has
/// kRows of W and kThreads that store.
#pragma once

#include <cstddef>

#include "simt/cluster.h"

namespace qlab::cluster_sums {

/// Sums of one token and four neighbouring rows of W.
template <class Sum>
struct alignas(16) Four {
  Sum of[4];
};

/// Those at `at` of all warps of all blocks of the cluster, added in the order of parts and warps.
template <class P, class Sum>
__device__ Four<Sum> add_up(const Sum* at, int parts) {
  Four<Sum> total = {};
  QLAB_UNROLL
  for (int p = 0; p < parts; ++p) {
    const Sum* const theirs = cluster_shared(at, p);
    QLAB_UNROLL
    for (int d = 0; d < P::kDepthWarps; ++d) {
      const Four<Sum> more =
          *reinterpret_cast<const Four<Sum>*>(theirs + d * (P::kTokens * P::kSumRow));
      QLAB_UNROLL
      for (int c = 0; c < 4; ++c) total.of[c] += more.of[c];
    }
  }
  return total;
}

/// The sums that all blocks of a cluster have left, added up → their columns n0 … n0 + kRows - 1 of
/// tokens m0 … m0 + kTokens - 1 of Y. Each part stores a share of them.
/// \tparam Epilogue  rows(m), columns(n): what it wants of row m of Y, of columns n and n + 1;
///                   pair(rows, 0, columns, sum, sum): two elements of Y in a word
template <class P, class Sum, class Epilogue>
__device__ void store(const Sum* sums, uint2* Y, const Epilogue& epilogue, int m0, int n0, int M,
                      int N, int part, int parts) {
  constexpr int kFours = P::kRows / 4;
  const int first = part * P::kThreads + static_cast<int>(threadIdx.x);
  for (int i = first; i < min(P::kTokens, M - m0) * kFours; i += parts * P::kThreads) {
    const int token = i / kFours, m = m0 + token, row = i % kFours * 4, n = n0 + row;
    if (n >= N) continue;
    const Four<Sum> total = add_up<P>(sums + token * P::kSumRow + row, parts);
    const auto of_token = epilogue.rows(m);
    Y[(static_cast<std::size_t>(m) * N + n) / 4] =
        make_uint2(epilogue.pair(of_token, 0, epilogue.columns(n), total.of[0], total.of[1]),
                   epilogue.pair(of_token, 0, epilogue.columns(n + 2), total.of[2], total.of[3]));
  }
}

}  // namespace qlab::cluster_sums
