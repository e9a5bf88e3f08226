// SPDX-License-Identifier: Apache-2.0
/// \file
/// The two ceilings of this machine, measured in the same run as what they are compared with, and
/// flush_caches for timings that start cold.
#pragma once

#include "common/thread_pool.h"

namespace qlab::test {

/// Bytes a second that all threads together read from memory: the fastest of a few access patterns
/// over a buffer well beyond the last-level cache, each the median of several passes.
double read_bytes_per_second(ThreadPool& threads);

/// FP32 operations a second of all threads together, a multiply-add counted as two: in the
/// widest vectors of the processor, else the compiler's best with plain C++.
double fma_flops_per_second(ThreadPool& threads);

/// Reads and writes more memory than the last-level cache holds, so that operands leave it.
void flush_caches();

/// flush_caches, then a round without work: the threads are awake, as they are between the operations of
/// a model. To wake one that sleeps takes as long as a small product.
void flush_caches(ThreadPool& threads);

}  // namespace qlab::test
