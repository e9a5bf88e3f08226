// SPDX-License-Identifier: Apache-2.0
/// \file
/// toy_always_green: your turn. Replace each todo() with your code, then run `./lab check toy_always_green`.
#include "99_toy/toy_always_green.h"

namespace qlab::exercise {

int toy_always_green(int x) {
  int result = 0;
  // TODO [toy_always_green_double] Double a number
  // Set `result` to 2 · x.
  todo("toy_always_green_double");
  return result;
}

}  // namespace qlab::exercise
