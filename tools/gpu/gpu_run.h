// SPDX-License-Identifier: Apache-2.0
/// \file
/// The GPU of this run: whether it will do, what it is, what it reaches. For nvcc only.
#pragma once

#include <string>

#include "simt/enqueue.h"
#include "support/cuda_bench.h"

namespace qlab::gpu {

/// The first GPU, with its read bandwidth and the cost of a launch as of now.
/// \throws simt::Error when there is none, or one that no rung runs on
test::Gpu measured_gpu();

/// Of a gigabyte, within a graph, eight loads in flight a thread.
double read_bytes_per_second();

/// Date, device and versions as members of a JSON object, without its braces.
std::string circumstances_json(const test::Gpu& gpu);

/// A stream that waits for the default one, which fills memory.
cudaStream_t make_stream();

}  // namespace qlab::gpu
