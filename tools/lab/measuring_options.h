// SPDX-License-Identifier: Apache-2.0
/// \file
/// The flags of the commands that measure: compare, calibrate, plot, serve-bench and bench.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "common/isa.h"
#include "lab/bench.h"
#include "lab/calibrate.h"
#include "lab/command_line.h"
#include "lab/compare.h"
#include "lab/plot_command.h"
#include "lab/serve_bench.h"

namespace qlab {

// Each adds its command to `app`; what is typed ends in the options, the name of an instruction level
// in `isa`, and how the output is to look in `look`.
void add_compare(CLI::App& app, CompareOptions& options, std::string& isa, Look& look);
void add_calibrate(CLI::App& app, CalibrateOptions& options, std::string& calibrator, Look& look);
void add_plot(CLI::App& app, PlotOptions& options, Look& look);
void add_serve_bench(CLI::App& app, ServeBenchOptions& options, Look& look);
void add_bench(CLI::App& app, BenchOptions& options, std::string& isa, bool& json, Look& look);

/// The level of that name; the best of this processor where there is none. \throws InputError for one
/// that this processor lacks.
Isa usable_isa(const std::string& name);

/// \throws InputError for "cuda": this program has no code for a GPU; the launcher starts what has.
void refuse_cuda(const std::string& device);

/// Of compare. \throws InputError for "cuda", and for what is about the CPU's kernels beside times of a
/// GPU. \param isa  as typed, or empty
void check_device(const CompareOptions& options, const std::string& isa);

}  // namespace qlab
