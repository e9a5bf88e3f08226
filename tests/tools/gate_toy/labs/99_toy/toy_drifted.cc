// SPDX-License-Identifier: Apache-2.0
/// \file
/// toy_drifted: your turn. Replace each todo() with your code, then run `./lab check toy_drifted`.
#include "99_toy/toy_drifted.h"

namespace qlab::exercise {

int toy_drifted(int x) {
  int result = 0;
  // TODO [toy_drifted_double] Double a number
  // Set `result` to twice x.
  todo("toy_drifted_double");
  return result;
}

}  // namespace qlab::exercise
