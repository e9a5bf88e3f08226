// SPDX-License-Identifier: Apache-2.0
/// \file
/// What runs on a GPU for ./lab: `bench --device cuda` and `compare --device cuda`.
#include <cstdio>
#include <exception>
#include <string>

#include "gpu/bench.h"
#include "gpu/compare.h"
#include "simt/simt.h"

namespace qlab::gpu {
namespace {

struct Options {
  bool compare = false, quick = false;
  BenchOptions bench;
};

Options options_of(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--json" && i + 1 < argc) {
      options.bench.json = argv[++i];
    } else if (word == "--compare") {
      options.compare = true;
    } else if (word == "--quick") {
      options.quick = true;
    } else if (word == "--once") {
      options.bench.once = true;
    } else if (word[0] == '-') {
      throw simt::Error(word + " is not known; use [PART OF AN OPERATION AND SHAPE] [--json FILE]");
    } else {
      options.bench.only.push_back(word);
    }
  }
  if (options.quick && !options.compare) throw simt::Error("--quick is of compare alone");
  if (options.compare && (options.bench.once || !options.bench.only.empty())) {
    throw simt::Error("--compare takes [--quick] --json FILE, and nothing else");
  }
  if (options.compare && options.bench.json == nullptr) {
    throw simt::Error("--compare writes its times to a file: --json FILE");
  }
  return options;
}

/// \returns the exit code: 2 for what cannot be done here, 3 for a wrong result of ours
int run(int argc, char** argv) {
  bool compare = false;
  const auto say = [&compare](const std::exception& error) {
    std::fprintf(stderr, "lab %s --device cuda: %s\n", compare ? "compare" : "bench", error.what());
  };
  try {
    for (int i = 1; i < argc; ++i) compare = compare || std::string(argv[i]) == "--compare";
    const Options options = options_of(argc, argv);
    if (!compare) return run_bench(options.bench);
    run_compare(options.quick, options.bench.json);
    return 0;
  } catch (const WrongResult& error) {
    say(error);
    return 3;
  } catch (const std::exception& error) {
    say(error);
    return 2;
  }
}

}  // namespace
}  // namespace qlab::gpu

int main(int argc, char** argv) { return qlab::gpu::run(argc, argv); }
