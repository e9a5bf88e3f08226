// SPDX-License-Identifier: Apache-2.0
/// \file
/// toy_survivor: an addition.
#include "99_toy/toy_survivor.h"

namespace qlab::exercise {

int toy_survivor(int x) {
  int result = 0;
  // BEGIN SOLUTION [toy_survivor_double] Double a number
  // Set `result` to 2 · x.

  result = x + x;
  // END SOLUTION [toy_survivor_double]
  return result;
}

}  // namespace qlab::exercise
