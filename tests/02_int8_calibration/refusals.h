// SPDX-License-Identifier: Apache-2.0
/// \file
/// check_refusals: calls that an exercise must refuse, each with a sentence that says why.
#pragma once

#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "common/contract.h"
#include "support/exercise.h"

namespace qlab::test {

inline std::string text_of(double value) {
  std::ostringstream out;
  out.precision(9);
  out << value;
  return out.str();
}

/// One call that must be refused, with a sentence that has these words.
struct Refusal {
  std::string what, words;
  std::function<void()> call;
};

inline void check_refusals(const std::string& name, const std::vector<Refusal>& refusals) {
  for (const Refusal& r : refusals) {
    try {
      r.call();
      reject("\"" + name + "\"", r.what + ": expected a ContractError, got none");
    } catch (const ContractError& error) {
      if (std::string(error.what()).find(r.words) != std::string::npos) continue;
      reject("\"" + name + "\"",
             r.what + ": expected a sentence with '" + r.words + "'\ngot '" + error.what() + "'");
    }
  }
}

}  // namespace qlab::test
