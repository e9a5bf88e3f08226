// SPDX-License-Identifier: Apache-2.0
/// \file
/// make_stub SOLUTION EXERCISE STUB: writes the stub of a solution; what it keeps stands in
/// tools/lab/stub.h.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "lab/stub.h"

namespace {

std::string contents(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw std::runtime_error("cannot be read");
  return std::move(text).str();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: make_stub SOLUTION EXERCISE STUB\n");
    return 2;
  }
  try {
    const std::string stub = qlab::make_stub(contents(argv[1]), argv[2]);
    std::ofstream file(argv[3], std::ios::binary);
    file << stub << std::flush;
    if (!file) throw std::runtime_error(fmt::format("the stub {} cannot be written", argv[3]));
  } catch (const std::exception& error) {
    fmt::print(stderr, "make_stub: {}: {}\n", argv[1], error.what());
    return 3;
  }
}
