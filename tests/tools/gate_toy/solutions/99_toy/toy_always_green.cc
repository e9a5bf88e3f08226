// SPDX-License-Identifier: Apache-2.0
/// \file
/// toy_always_green: an addition.
#include "99_toy/toy_always_green.h"

namespace qlab::exercise {

int toy_always_green(int x) {
  int result = 0;
  // BEGIN SOLUTION [toy_always_green_double] Double a number
  // Set `result` to 2 · x.

  result = x + x;
  // END SOLUTION [toy_always_green_double]
  return result;
}

}  // namespace qlab::exercise
