// SPDX-License-Identifier: Apache-2.0
/// \file
/// Replays: what a launch takes within a CUDA graph of many, so that the host's part does not
/// count. For nvcc only.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "support/cuda_bench.h"

namespace qlab::test {

/// A graph of launches, and the seconds that one of them took in each replay.
class Replays {
 public:
  Replays(cudaStream_t stream, std::size_t copies, const std::function<void(std::size_t)>& call)
      : stream_(stream) {
    check(cudaEventCreate(&start_), "event");
    check(cudaEventCreate(&stop_), "event");
    call(0);  // loads the kernel, which a capture cannot
    const double once = time([&] { call(1 % copies); });
    // About two milliseconds, in whole passes over the copies.
    const double passes = std::ceil(2e-3 / (once * static_cast<double>(copies)));
    launches_ = copies * static_cast<std::size_t>(std::clamp(passes, 1.0, 100.0));
    cudaGraph_t graph;
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "capture");
    for (std::size_t i = 0; i < launches_; ++i) call(i % copies);
    check(cudaStreamEndCapture(stream, &graph), "capture");
    check(cudaGraphInstantiate(&graph_, graph, 0), "graph");
    check(cudaGraphDestroy(graph), "graph");
    replay();  // warms up
  }
  Replays(const Replays&) = delete;
  Replays& operator=(const Replays&) = delete;
  ~Replays() {
    cudaGraphExecDestroy(graph_);
    cudaEventDestroy(start_);
    cudaEventDestroy(stop_);
  }

  void replay() {
    check(cudaGraphLaunch(graph_, stream_), "replay");
    check(cudaStreamSynchronize(stream_), "replay");
  }
  /// Replays once. \returns the seconds of one launch, which seconds() counts too
  double measure() {
    const double all = time([&] { check(cudaGraphLaunch(graph_, stream_), "replay"); });
    seconds_.push_back(all / static_cast<double>(launches_));
    return seconds_.back();
  }
  Seconds seconds() {
    std::sort(seconds_.begin(), seconds_.end());
    const std::size_t n = seconds_.size();
    return {seconds_[n / 2], seconds_[n / 4], seconds_[3 * n / 4]};
  }

 private:
  double time(const std::function<void()>& call) {
    check(cudaEventRecord(start_, stream_), "event");
    call();
    check(cudaEventRecord(stop_, stream_), "event");
    check(cudaEventSynchronize(stop_), "event");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, start_, stop_), "event");
    return 1e-3 * milliseconds;
  }

  cudaStream_t stream_;
  cudaEvent_t start_, stop_;
  cudaGraphExec_t graph_;
  std::size_t launches_ = 0;
  std::vector<double> seconds_;
};

}  // namespace qlab::test
