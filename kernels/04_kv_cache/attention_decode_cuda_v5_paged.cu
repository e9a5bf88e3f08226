// SPDX-License-Identifier: Apache-2.0
/// \file
/// attention_decode_cuda_v5_paged: v4's kernel over pages, so that sequences grow and share tokens.
///
/// Idea     a page holds whole runs of 16 tokens: one entry of the table says where a run lies, and
///          is read a tile before the copies that need it
/// Before   a sequence lay in one piece, with room for the longest that it might become
/// Needs    any GPU from Ampere on; pages of 16, 32, 64 or 128 tokens
///
/// Bottleneck   memory, as in v4: 4 bytes of table beside the K and V of a page
/// Teaches      an address that comes from memory costs no time if it is known before it is needed
/// Leaves out   who owns a page (paged_kv); a prefix that sequences share is read for each of them
///
/// Source: Kwon et al., "Efficient Memory Management for Large Language Model Serving with
/// PagedAttention", SOSP 2023.
#include "04_kv_cache/attention_decode_cuda_mma.h"

namespace qlab {

/// One call; attention_decode_cuda.h says what it takes and gives.
void attention_decode_cuda_v5_paged(const DecodeAttention& a, Stream stream) {
  decode::run_mma<decode::PagedRows>("attention_decode_cuda_v5_paged", a, stream);
}

}  // namespace qlab
