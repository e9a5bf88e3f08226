// SPDX-License-Identifier: Apache-2.0
/// \file
/// toy_survivor: your turn. Replace each todo() with your code, then run `./lab check toy_survivor`.
#include "99_toy/toy_survivor.h"

namespace qlab::exercise {

int toy_survivor(int x) {
  int result = 0;
  // TODO [toy_survivor_double] Double a number
  // Set `result` to 2 · x.
  todo("toy_survivor_double");
  return result;
}

}  // namespace qlab::exercise
