// SPDX-License-Identifier: Apache-2.0
/// \file
/// toy_drifted: an addition.
#include "99_toy/toy_drifted.h"

namespace qlab::exercise {

int toy_drifted(int x) {
  int result = 0;
  // BEGIN SOLUTION [toy_drifted_double] Double a number
  // Set `result` to 2 · x.

  result = x + x;
  // END SOLUTION [toy_drifted_double]
  return result;
}

}  // namespace qlab::exercise
