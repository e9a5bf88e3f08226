// SPDX-License-Identifier: Apache-2.0
/// \file
/// The first lines of the report: what ran where, and what this run's limits are.
#include <fmt/format.h>

#include <string>

#include "lab/report_text.h"
#include "lab/results.h"

namespace qlab {
namespace {

std::string processor(const Circumstances& c) {
  return fmt::format("{} · {} {} · kernels up to {}{} · load {:.1f} · {}", c.cpu, c.threads,
                     c.threads == 1 ? "thread" : "threads", isa_name(c.isa),
                     c.isa_forced ? " (forced)" : "", c.load, c.date);
}

std::string extent(const Circumstances& c) {
  return fmt::format("seed {}{}", c.seed, c.quick ? " · quick" : "");
}

void cpu_head(const Results& results, ReportText& text) {
  const Circumstances& c = results.circumstances;
  text.note(processor(c));
  if (c.load > 0.5) {
    text.note("other programs are running: times will be noisy, and more claims undecided");
  }
  text.note(fmt::format(
      "read bandwidth {:.1f} GB/s · multiply-add peak {:.0f} GFLOP/s, measured in this run · {}",
      results.speed.read_bytes_per_second * 1e-9, results.speed.fma_flops_per_second * 1e-9,
      extent(c)));
}

void gpu_head(const GpuRun& gpu, const Circumstances& c, ReportText& text) {
  text.note("times: " + gpu_text(gpu));
  text.note(gpu_limits(gpu));
  text.note(
      fmt::format("quality and bytes, which no device changes: {} · {}", processor(c), extent(c)));
}

}  // namespace

std::string gpu_text(const GpuRun& gpu) {
  return fmt::format(
      "{} · {} multiprocessors · compute capability {} · CUDA {}.{} · cold caches{} · {}",
      gpu.device, gpu.multiprocessors, gpu.compute_capability, gpu.cuda_runtime / 1000,
      gpu.cuda_runtime % 1000 / 10, gpu.quick ? " · quick" : "", gpu.date);
}

std::string gpu_limits(const GpuRun& gpu) {
  return fmt::format(
      "read bandwidth {:.0f} GB/s · tensor cores {:.0f} TFLOP/s in FP16, {:.0f} TOP/s in INT8 · a "
      "launch {:.1f} us, measured in the same run",
      gpu.read_bytes_per_second * 1e-9, gpu.fp16_flops_per_second * 1e-12,
      gpu.int8_flops_per_second * 1e-12, gpu.launch_seconds * 1e6);
}

void report_head(const Results& results, ReportText& text) {
  const Circumstances& c = results.circumstances;
  text.line(text.styled(Style::kBold,
                        fmt::format("Quantization Lab {}: the tradeoff table, {}", QLAB_VERSION,
                                    c.gpu ? "measured on " + c.gpu->device : "measured here")));
  if (c.gpu) {
    gpu_head(*c.gpu, c, text);
  } else {
    cpu_head(results, text);
  }
  for (const std::string& about : mine_lines(c.mine)) text.note(about);
}

}  // namespace qlab
